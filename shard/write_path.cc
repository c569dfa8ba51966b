#include "shard/write_path.h"

#include <utility>

#include "base/check.h"
#include "base/damage.h"
#include "base/fault.h"

namespace meridian {
namespace {

// After so many rounds of loading what an evaluation needs it reads the disk itself: the cache is being
// thrashed, and every write must end.
constexpr int kMaxLoadAttempts = 3;
constexpr std::uint32_t kBusyRetryMs = 20;
// Of one pass: the followers and the log begin with these while the next ones are evaluated. With all that wait in one
// entry, each stage of the way would rest while another works.
constexpr int kCommandsPerPass = 128;
constexpr Duration kLookAgain{50'000};  // at a wall clock that is waited for: it may be stepped

txn::WriteRequest to_txn(api::WriteRequest&& from) {
  txn::WriteRequest to;
  to.id = {from.id().time_us(), from.id().client(), from.id().sequence()};
  to.keyspace = KeyspaceId(from.keyspace_id());
  to.mutations.reserve(from.mutations_size());
  for (api::Mutation& m : *from.mutable_mutations()) {
    txn::Mutation& out = to.mutations.emplace_back();
    out.key = std::move(*m.mutable_key());
    if (!m.remove()) out.value = std::move(*m.mutable_value());
  }
  if (from.has_condition()) {
    api::Condition& c = *from.mutable_condition();
    txn::Condition condition;
    condition.key = std::move(*c.mutable_key());
    condition.kind = c.kind() == api::Condition::ABSENT  ? txn::Condition::Kind::kAbsent
                     : c.kind() == api::Condition::VALUE ? txn::Condition::Kind::kValue
                                                         : txn::Condition::Kind::kVersion;
    condition.value = std::move(*c.mutable_value());
    condition.version = Timestamp(c.version());
    to.condition = std::move(condition);
  }
  return to;
}

}  // namespace

// The entry being put together from what is evaluated in one pass.
class WritePath::Group {
 public:
  void add(txn::Command&& command, WriteReply reply) {
    bytes_ += 96;
    for (const txn::Mutation& m : command.mutations) bytes_ += 16 + m.key.size() + (m.value ? m.value->size() : 0);
    entry.commands.push_back({command.id, command.stamp, command.outcome, std::move(reply)});
    payload.set_closed_timestamp(command.stamp.packed());
    wire::to_wire(std::move(command), payload.add_commands());
  }
  bool empty() const { return entry.commands.empty() && !payload.has_cluster_state() && payload.ceiling() == 0; }
  std::size_t bytes() const { return bytes_; }
  void clear() { *this = Group(); }

  wire::EntryPayload payload;
  PendingEntry entry;

 private:
  std::size_t bytes_ = 0;
};

void WritePath::submit(api::WriteRequest&& request, MonoTime deadline, WriteReply reply) {
  if (Result<> ok = api::check_write(request, deps_.options.limits); !ok) return reply(fail(std::move(ok).error()));
  if (request.id().time_us() == 0) {
    return reply(fail(ErrorCode::kInvalidArgument, "the write carries no request id"));
  }
  if (stopped_ || !deps_.core.is_leader()) return answer_not_leader(std::move(reply));
  if (trouble_) return reply(fail(*trouble_));
  Queued queued;
  queued.request = to_txn(std::move(request));
  queued.bytes = queued.request.bytes();
  const std::size_t load = queued_bytes_ + log_under_way();
  if (load + queued.bytes > deps_.options.max_queued_bytes || BUGGIFY("write.queue_full")) {
    return reply(fail(Error(ErrorCode::kBusy, fmt::format("{} bytes of writes are waiting; the limit is {}", load,
                                                          deps_.options.max_queued_bytes))
                          .with_retry_after(kBusyRetryMs)));
  }
  queued_bytes_ += queued.bytes;
  queued.reply = std::move(reply);
  queued.deadline = deadline;
  queue_.push_back(std::move(queued));
  deps_.wake();
}

void WritePath::submit_cluster_state(api::ClusterState state, std::move_only_function<void(Result<>)> done) {
  if (stopped_ || !deps_.core.is_leader()) return done(fail(ErrorCode::kNotLeader, "this replica does not lead"));
  if (cluster_done_) return done(fail(ErrorCode::kBusy, "another change of the cluster state is under way"));
  cluster_state_ = std::move(state);
  cluster_done_ = std::move(done);
  deps_.wake();
}

void WritePath::run(MonoTime now) {
  if (stopped_) return;
  follow_leadership();
  // Nothing is stamped or bounded by a clock that is wrong: it would be replicated, and hold for everybody (T12).
  if (const std::optional<Error> fault = deps_.clock.fault()) return refuse_queued(*fault);
  if (leadership_ == nullptr || !may_propose(now)) return;
  Group group;
  evaluate_queue(now, group);
  const WallTime wall = deps_.clock.wall();
  if (cluster_state_) {
    *group.payload.mutable_cluster_state() = std::move(*cluster_state_);
    cluster_state_.reset();
    group.entry.cluster_done = std::exchange(cluster_done_, nullptr);
  }
  // A ceiling rides along if an entry is going, and goes on its own only when a read waits for it (T10).
  const bool ceiling_wanted = wanted_ceiling_ > std::max(leadership_->proposed_ceiling, deps_.machine.state().ceiling);
  const bool entry_wanted = std::exchange(entry_wanted_, false) && group.empty();
  if (ceiling_wanted || entry_wanted) group.payload.set_ceiling(next_ceiling(wall).packed());
  if (!group.empty()) propose(now, group);
}

// Asking again and again must not keep the loop busy: only what goes beyond the last proposal asks for a pass.
void WritePath::want_ceiling(Timestamp at_least) {
  const Timestamp on_its_way = leadership_ ? leadership_->proposed_ceiling : Timestamp();
  if (at_least <= std::max(wanted_ceiling_, on_its_way)) return;
  wanted_ceiling_ = std::max(at_least, Timestamp::from_wall(deps_.clock.wall() + deps_.options.election_timeout));
  deps_.wake();
}

void WritePath::want_entry() {
  if (!std::exchange(entry_wanted_, true)) deps_.wake();
}

void WritePath::tell_answered() {
  if (leadership_ && leadership_->term == deps_.core.term())
    deps_.core.answered_up_to(leadership_->clock.floor().packed());
}

// A ceiling is at most T ahead of the wall clock when proposed, so that a new leader's wait until its own
// clock has passed it hides in the election (T11).
Timestamp WritePath::next_ceiling(WallTime wall) const {
  return std::max(wanted_ceiling_, Timestamp::from_wall(wall + deps_.options.election_timeout));
}

void WritePath::follow_leadership() {
  raft::Core& core = deps_.core;
  if (leadership_ && (!core.is_leader() || core.term() != leadership_->term)) end_leadership();
  if (!core.is_leader()) {
    for (Queued& queued : std::exchange(queue_, {})) answer_not_leader(std::move(queued.reply));
    queued_bytes_ = 0;
    if (cluster_done_) std::exchange(cluster_done_, nullptr)(fail(ErrorCode::kNotLeader, "leadership was lost"));
    cluster_state_.reset();
    return;
  }
  if (leadership_ || !core.may_evaluate()) return;
  leadership_ =
      std::make_unique<Leadership>(deps_.engine, deps_.clock.hlc(), starting_floor(), core.term(), deps_.clock.wall(),
                                   txn::EvaluatorOptions{deps_.options.max_clock_offset, deps_.options.request_window,
                                                         deps_.options.remembered_requests});
}

// Above all that was answered before: what is closed covers the writes, and the reads a predecessor that handed over
// (L3), else the ceiling, which is up to T ahead of the clock, so that the first writes wait for theirs (T10).
Timestamp WritePath::starting_floor() const {
  const AppliedState& state = deps_.machine.state();
  const std::optional<std::uint64_t> inherited = deps_.core.inherited();
  if (!inherited) return std::max(state.ceiling, state.closed);
  PROBE("write.starts_above_what_was_handed_over");
  if (DELIBERATE_BUG("handed_over_ignored")) return state.closed;
  return std::max(std::min(Timestamp(*inherited), state.ceiling), state.closed);
}

// What is in the log may yet be committed by the next leader: nobody knows.
void WritePath::end_leadership() {
  PROBE("write.leadership_lost");
  std::unique_ptr<Leadership> ended = std::move(leadership_);
  wanted_ceiling_ = Timestamp();
  entry_wanted_ = false;
  const Error unknown(ErrorCode::kUnknownOutcome,
                      fmt::format("leadership of term {} ended before the write was known to be committed", ended->term));
  for (PendingEntry& entry : ended->pending) {
    for (PendingCommand& command : entry.commands) {
      if (auto* waiting = ended->waiting.find(command.id); waiting != nullptr) {
        for (WriteReply& reply : *waiting) reply(fail(unknown));
      }
      command.reply(fail(unknown));
    }
    if (entry.cluster_done) entry.cluster_done(fail(unknown));
  }
}

// Proposed and not applied yet: on its way to a majority, or to the engine.
std::size_t WritePath::log_under_way() const { return deps_.core.uncommitted_bytes() + deps_.unapplied_bytes(); }

// Checked before anything is evaluated: between this and propose() nothing can come in between, so that
// an evaluated command is always appended.
bool WritePath::may_propose(MonoTime now) const {
  return deps_.core.may_propose(now) &&
         log_under_way() + deps_.options.max_entry_bytes < deps_.options.max_queued_bytes;
}

void WritePath::evaluate_queue(MonoTime now, Group& group) {
  std::deque<Queued> queue = std::exchange(queue_, {});
  int evaluated = 0;
  while (!queue.empty()) {
    const bool enough = evaluated++ >= kCommandsPerPass;
    if (enough || !may_propose(now)) {  // the rest waits for the next pass
      queue_.insert(queue_.begin(), std::make_move_iterator(queue.begin()), std::make_move_iterator(queue.end()));
      if (enough) deps_.wake();
      return;
    }
    Queued queued = std::move(queue.front());
    queue.pop_front();
    queued_bytes_ -= queued.bytes;
    if (queued.deadline <= now) {
      queued.reply(fail(ErrorCode::kDeadlineExceeded, "the deadline passed before the write was evaluated"));
      continue;
    }
    evaluate_one(now, std::move(queued), group);
    if (group.bytes() >= deps_.options.max_entry_bytes) propose(now, group);
  }
}

void WritePath::evaluate_one(MonoTime now, Queued&& queued, Group& group) {
  const txn::RequestId id = queued.request.id;
  // An entry is one message and one write of the log: a large request goes alone (S8).
  if (!group.empty() && group.bytes() + queued.bytes > deps_.options.max_entry_bytes) propose(now, group);
  const MayBlock may_block = queued.attempts >= kMaxLoadAttempts ? MayBlock::kYes : MayBlock::kNo;
  // evaluate() takes the mutations only when it answers a Command.
  auto evaluated = leadership_->evaluator.evaluate(std::move(queued.request), deps_.clock.wall(), may_block);
  if (!evaluated && is_damage(evaluated.error().code())) {
    // Nothing was appended: certainly not done, and another will do it.
    queued.reply(fail(Error(ErrorCode::kUnavailable, fmt::format("node {} cannot read its data", deps_.options.node))
                          .with_cause(evaluated.error())));
    return deps_.damaged(std::move(evaluated).error());
  }
  if (!evaluated) return queued.reply(fail(std::move(evaluated).error()));
  if (auto* command = std::get_if<txn::Command>(&*evaluated)) {
    leadership_->evaluator.appended(*command);
    group.add(std::move(*command), std::move(queued.reply));
  } else if (auto* outcome = std::get_if<txn::WriteOutcome>(&*evaluated)) {
    PROBE("write.retry_answered_from_memory");
    answer(std::move(queued.reply), *outcome, outcome->version);
  } else if (std::holds_alternative<txn::Evaluator::WaitForPending>(*evaluated)) {
    PROBE("write.retry_waits_for_pending");
    leadership_->waiting[id].push_back(std::move(queued.reply));
  } else {
    load_and_retry(std::move(queued));
  }
}

void WritePath::load_and_retry(Queued&& queued) {
  PROBE("write.evaluation_would_block");
  ++queued.attempts;
  auto shared = std::make_shared<Queued>(std::move(queued));
  Engine& engine = deps_.engine;
  deps_.runtime.run_blocking(Lane::kRead, [shared, &engine] { txn::warm_up(engine, shared->request); },
                             lifetime_.guard([this, shared] {
                               queued_bytes_ += shared->bytes;
                               queue_.push_back(std::move(*shared));
                               deps_.wake();
                             }));
}

void WritePath::propose(MonoTime now, Group& group) {
  const WallTime wall = deps_.clock.wall();
  if (group.payload.commands().empty()) group.payload.set_closed_timestamp(leadership_->clock.now(wall).packed());
  group.payload.set_origin_region(find_region_of(*deps_.placement.topology(), deps_.options.node).value());
  leadership_->proposed_ceiling =
      std::max({leadership_->proposed_ceiling, Timestamp(group.payload.ceiling()), Timestamp(group.payload.closed_timestamp())});
  const Result<LogIndex> index =
      deps_.core.propose(now, leadership_->term, std::make_shared<const std::string>(group.payload.SerializeAsString()));
  CHECK_F(index.has_value(), "a proposal that may_propose() allowed was refused: {}", index.error().to_string());
  group.entry.index = *index;
  leadership_->pending.push_back(std::move(group.entry));
  group.clear();
}

void WritePath::entry_applied(const AppliedEntry& applied) {
  if (leadership_ == nullptr || leadership_->term != applied.term) return;
  if (leadership_->pending.empty() || leadership_->pending.front().index != applied.index) return;
  PendingEntry entry = std::move(leadership_->pending.front());
  leadership_->pending.pop_front();
  CHECK(entry.commands.size() == applied.stamps.size());
  for (PendingCommand& command : entry.commands) {
    leadership_->evaluator.oldest_applied(command.stamp);
    if (auto* waiting = leadership_->waiting.find(command.id); waiting != nullptr) {
      std::vector<WriteReply> replies = std::move(*waiting);
      leadership_->waiting.erase(command.id);
      for (WriteReply& reply : replies) answer(std::move(reply), command.outcome, command.stamp);
    }
    answer(std::move(command.reply), command.outcome, command.stamp);
  }
  if (entry.cluster_done) entry.cluster_done({});
}

// Nobody answers with a timestamp above its own physical clock (T11).
void WritePath::answer(WriteReply reply, const txn::WriteOutcome& outcome, Timestamp stamp) {
  const WallTime wall = deps_.clock.wall();
  if (stamp.physical() > wall && !DELIBERATE_BUG("answer_ahead_of_clock")) {
    PROBE("write.answer_waits_for_clock");
    auto shared = std::make_shared<WriteReply>(std::move(reply));
    deps_.runtime.after(std::min(stamp.physical() - wall, kLookAgain), lifetime_.guard([this, shared, outcome, stamp] {
      answer(std::move(*shared), outcome, stamp);
    }));
    return;
  }
  api::WriteResponse response;
  response.set_applied(outcome.applied);
  response.set_version(outcome.version.packed());
  response.set_cluster_time_us(deps_.clock.told_us());
  reply(std::move(response));
}

void WritePath::answer_not_leader(WriteReply reply) {
  api::WriteResponse response;
  *response.mutable_not_leader() = deps_.where();
  reply(std::move(response));
}

void WritePath::refuse_queued(const Error& why) {
  if (queue_.empty()) return;
  for (Queued& queued : std::exchange(queue_, {})) queued.reply(fail(why));
  queued_bytes_ = 0;
}

void WritePath::shut_down() {
  stopped_ = true;
  for (Queued& queued : std::exchange(queue_, {})) answer_not_leader(std::move(queued.reply));
  queued_bytes_ = 0;
}

}  // namespace meridian
