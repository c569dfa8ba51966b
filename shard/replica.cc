#include "shard/replica.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "raft/membership.h"

namespace meridian {
namespace {

constexpr Duration kFullDiskPause{1'000'000};  // until it is tried again
constexpr Duration kHandOverPoll{5'000};

raft::Options raft_options(const ReplicaOptions& o) {
  raft::Options out;
  out.id = o.replica;
  out.election_timeout = o.election_timeout;
  out.restart_silence = o.restart_silence;
  out.heartbeat_interval = o.heartbeat_interval;
  out.clock_drift = o.clock_drift;
  out.priority = o.priority;
  out.max_append_bytes = o.max_append_bytes;
  out.max_uncommitted_bytes = SIZE_MAX / 2;  // WritePath bounds it, before it evaluates
  out.seed = o.seed;
  return out;
}

// Somebody is there who could take over.
bool others_vote(const raft::Status& status) {
  return std::ranges::any_of(status.followers, [&](const raft::FollowerStatus& f) {
    return f.recently_active && status.membership.is_voter(f.id);
  });
}

}  // namespace

Replica::Replica(Deps deps, ReplicaOptions options, StateMachine machine, raft::InitialState initial)
    : deps_(std::move(deps)),
      options_(std::move(options)),
      machine_(std::move(machine)),
      versions_(options_.version_cache_bytes),
      core_(raft_options(options_), std::move(initial), deps_.runtime.now()),
      writes_({deps_.runtime, deps_.engine, deps_.clock, core_, machine_, deps_.placement, options_, [this] { wake(); },
               [this] { return where(); }, [this] { return unapplied_bytes_; }, deps_.fatal}),
      reads_({deps_.runtime, deps_.engine, deps_.clock, core_, machine_, writes_, versions_, options_,
              [this] { wake(); }, [this] { return where(); }, [this] { return deps_.log.is_full(); }, deps_.fatal}),
      snapshots_out_({deps_.runtime, deps_.engine, deps_.fs, core_, options_, deps_.ship, [this] { wake(); },
                      deps_.scratch_directory + "/out"}),
      snapshots_in_({deps_.runtime, deps_.fs, [this](raft::Message m) { receive(std::move(m)); },
                     deps_.scratch_directory + "/in"}),
      trimmer_({deps_.runtime, deps_.engine, deps_.log, core_, options_, snapshots_out_, deps_.fatal}) {
  wake();
}

Replica::~Replica() { deps_.runtime.cancel(timer_); }

void Replica::read(api::ReadRequest request, MonoTime deadline, ReadReply reply) {
  reads_.submit(std::move(request), deadline, std::move(reply));
}

void Replica::scan(api::ScanRequest request, MonoTime deadline, ScanReply reply) {
  reads_.submit(std::move(request), deadline, std::move(reply));
}

void Replica::write(api::WriteRequest request, MonoTime deadline, WriteReply reply) {
  if (deps_.log.is_full() && core_.is_leader()) {
    return reply(fail(ErrorCode::kDiskFull, fmt::format("the log's disk on node {} is full", options_.node)));
  }
  writes_.submit(std::move(request), deadline, std::move(reply));
}

// A follower whose engine falls behind must not hold ever more of the log: what it has no room for it drops, as the
// network might have, and the leader comes back to it.
void Replica::receive(raft::Message message) {
  const bool no_room = unapplied_bytes_ > options_.max_queued_bytes || BUGGIFY("replica.no_room_for_appends");
  if (message.type == raft::MessageType::kAppend && !message.entries.empty() && no_room) {
    PROBE("replica.append_dropped");
    return;
  }
  inbox_.push_back(std::move(message));
  wake();
}

void Replica::receive_snapshot(wire::SnapshotChunk chunk, SnapshotReceiver::Reply reply) {
  snapshots_in_.receive(std::move(chunk), std::move(reply));
}

Result<> Replica::propose_membership(std::vector<ReplicaId> voters, std::vector<ReplicaId> learners) {
  Result<LogIndex> index = core_.propose_membership(deps_.runtime.now(), std::move(voters), std::move(learners));
  if (!index) return fail(std::move(index).error());
  wake();
  return {};
}

Result<> Replica::transfer_leadership(ReplicaId to) {
  wake();
  return core_.transfer_leadership(deps_.runtime.now(), to);
}

void Replica::change_cluster_state(api::ClusterState state, std::move_only_function<void(Result<>)> done) {
  writes_.submit_cluster_state(std::move(state), std::move(done));
}

void Replica::refuse_with(std::optional<Error> trouble) {
  writes_.refuse_with(trouble);
  reads_.nothing_newer(trouble);
  trouble_ = std::move(trouble);
}

void Replica::step_aside(Callback done) {
  writes_.shut_down();
  reads_.shut_down();
  if (!core_.is_leader() || !others_vote(core_.status())) return done();
  // Over when this replica follows another, or after T at the latest: then nobody took over. What asks may be lost, so
  // another is asked soon.
  struct Search {
    Callback done;
    std::vector<ReplicaId> asked;
    MonoTime ask_next, give_up;
    std::function<void()> poll;
  };
  auto search = std::make_shared<Search>();
  search->done = std::move(done);
  search->ask_next = deps_.runtime.now();
  search->give_up = search->ask_next + options_.election_timeout;
  search->poll = [this, weak = std::weak_ptr(search)] {
    const auto search = weak.lock();
    const MonoTime now = deps_.runtime.now();
    const bool follows = !core_.is_leader() && core_.leader() != ReplicaId();
    if (follows || now >= search->give_up) return search->done();
    if (core_.is_leader() && now >= search->ask_next) {
      const ReplicaId next = core_.successor(now, search->asked);
      if (next != ReplicaId()) {
        (void)core_.transfer_leadership(now, next);
        search->asked.push_back(next);
        search->ask_next = now + options_.election_timeout / 4;
        wake();
      }
    }
    deps_.runtime.after(kHandOverPoll, lifetime_.guard([search] { search->poll(); }));
  };
  search->poll();
}

ReplicaMemory Replica::memory() const {
  return {.log_bytes = core_.retained_bytes(),
          .queue_bytes = writes_.queued_bytes() + core_.uncommitted_bytes() + unapplied_bytes_,
          .remembered_requests = writes_.remembered_requests()};
}

api::NotLeader Replica::where() const {
  api::NotLeader out;
  out.set_term(core_.term().value());
  const ReplicaId leader = core_.leader();
  if (leader == ReplicaId() || leader == options_.replica) return out;
  const std::shared_ptr<const api::ClusterState> topology = deps_.placement.topology();
  if (const api::NodeDescriptor* node = find_node_of(*topology, options_.shard, leader); node != nullptr) {
    out.set_leader_node_id(node->id());
    out.set_leader_address(node->address());
  }
  return out;
}

void Replica::wake() {
  if (std::exchange(pass_scheduled_, true)) return;
  deps_.runtime.post(lifetime_.guard([this] { pass(); }));
}

void Replica::pass() {
  pass_scheduled_ = false;
  const MonoTime now = deps_.runtime.now();  // after the inbox was filled (L1)
  watch_clock();
  writes_.tell_answered();
  for (const std::uint64_t sequence : std::exchange(persisted_, {})) core_.persisted(now, sequence);
  core_.set_room(!unfit());
  bool snapshot_offered = false;
  for (const raft::Message& message : std::exchange(inbox_, {})) {
    snapshot_offered |= message.type == raft::MessageType::kSnapshot;
    core_.step(now, message);
  }
  if (now >= core_.next_deadline()) core_.tick(now);
  hand_over_if_unfit();
  const bool led = writes_.leading();
  writes_.run(now);
  // The entry that made it possible was told of before it was so, and on an idle shard no other follows.
  if (!led && writes_.leading() && on_applied_) on_applied_();
  reads_.run(now);
  take_output(now);
  if (snapshot_offered && !installing_) snapshots_in_.finished();  // the core had no use for it
  set_timer(now);
}

// A clock that is wrong is as good a reason as a full disk not to lead (T12).
void Replica::watch_clock() {
  std::optional<Error> fault = deps_.clock.fault();
  const bool known = trouble_ && trouble_->code() == ErrorCode::kUnavailable;
  if (fault && !trouble_) {
    PROBE("replica.fenced_by_clock");
    refuse_with(std::move(fault));
  } else if (!fault && known) {
    refuse_with(std::nullopt);
  }
}

bool Replica::unfit() const { return deps_.log.is_full() || trouble_; }

// A leader whose disk is full, or whose clock is wrong, takes no writes; another may.
void Replica::hand_over_if_unfit() {
  // One that does not know of its clock yet will know in a moment.
  const bool may_stay =
      !unfit() || (!deps_.log.is_full() && trouble_->code() == ErrorCode::kUnavailable && !deps_.clock.wrong());
  if (!core_.is_leader() || may_stay) return;
  if (hand_over()) PROBE("replica.unfit_leader_hands_over");
}

bool Replica::hand_over() {
  const MonoTime now = deps_.runtime.now();
  if (!core_.may_propose(now)) return false;  // one is being asked
  const ReplicaId to = core_.successor(now);
  return to != ReplicaId() && transfer_leadership(to).has_value();
}

void Replica::set_timer(MonoTime now) {
  const MonoTime deadline = core_.next_deadline();
  if (timer_ != 0 && timer_at_ == deadline) return;
  deps_.runtime.cancel(timer_);
  timer_at_ = deadline;
  timer_ = deps_.runtime.at(std::max(deadline, now), lifetime_.guard([this] {
    timer_ = 0;
    if (!pass_scheduled_) pass();
  }));
}

void Replica::take_output(MonoTime now) {
  writes_.tell_answered();  // the reads of this pass are in it, and no other is served before all messages have left
  // Taking may make more possible at once (a single voter commits what it persisted).
  for (raft::Output out = core_.take_output(); !out.empty(); out = core_.take_output()) {
    if (!out.messages.empty()) deps_.send(std::move(out.messages));
    if (out.persist) persist(std::move(*out.persist));
    if (!out.committed.empty()) apply(std::move(out.committed));
    for (const raft::ReadState& read : out.reads) reads_.read_index_answered(read);
    for (const raft::StoredRead& read : out.stored_needed) read_stored(read);
    for (const ReplicaId to : out.snapshots_needed) snapshots_out_.send(to);
    if (out.install) install(*out.install);
    for (const ReplicaId id : out.lost_memory) {
      LOG_ERROR("a replica has not what it had acknowledged: its directory is older than what it has promised; replace its node",
                {{"replica", id.value()}});
    }
    if (out.stop) stop(std::move(*out.stop));
    if (out.removed && !std::exchange(removed_, true) && on_removed_) on_removed_();
  }
  // Reads whose index is applied already are served in this pass.
  reads_.run(now);
  core_.limit_memory(BUGGIFY("replica.no_log_in_memory") ? 0 : options_.log_memory_bytes);
}

void Replica::read_stored(const raft::StoredRead& read) {
  deps_.log.read(options_.shard, read.from, read.last, read.max_bytes,
                 lifetime_.guard([this, to = read.to](Result<std::vector<raft::Entry>> entries) {
                   // None: the log was cut meanwhile.
                   core_.stored_read(deps_.runtime.now(), to,
                                     entries ? std::move(*entries) : std::vector<raft::Entry>());
                   wake();
                 }));
}

void Replica::stop(raft::Stop why) {
  Error error(ErrorCode::kCorruption, std::move(why.what));
  if (why.why == raft::Stop::Why::kLostMemory && on_lost_memory_) return on_lost_memory_(std::move(error));
  deps_.fatal(std::move(error));
}

void Replica::persist(raft::Persist persist) {
  LogUpdate update;
  update.shard = options_.shard;
  update.replica = options_.replica;
  update.truncate_from = persist.truncate_from;
  update.entries = std::move(persist.entries);
  update.hard_state = persist.hard_state;
  std::vector<LogUpdate> updates;
  updates.push_back(std::move(update));
  deps_.log.append(std::move(updates), lifetime_.guard([this, sequence = persist.sequence] {
    persisted_.push_back(sequence);
    wake();
  }));
}

void Replica::apply(std::vector<raft::Entry> entries) {
  for (const raft::Entry& entry : entries) unapplied_bytes_ += entry.bytes();
  to_apply_.insert(to_apply_.end(), std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
  apply_next();
}

void Replica::apply_next() {
  if (applying_ || to_apply_.empty() || installing_) return;
  std::vector<raft::Entry> entries;
  std::size_t bytes = 0;
  const std::size_t limit = BUGGIFY("replica.apply_one_by_one") ? 1 : options_.max_apply_bytes;
  while (!to_apply_.empty() && (entries.empty() || bytes + to_apply_.front().bytes() <= limit)) {
    bytes += to_apply_.front().bytes();
    entries.push_back(std::move(to_apply_.front()));
    to_apply_.pop_front();
  }
  applying_ = machine_.prepare(entries);
  applying_bytes_ = bytes;
  write_batch(MayBlock::kNo);
}

// RocksDB may stall: then the batch goes to the pool, and this loop goes on (S7).
void Replica::write_batch(MayBlock may_block) {
  if (may_block == MayBlock::kNo) {
    Result<> written = deps_.engine.write(applying_->batch, MayBlock::kNo);
    if (written || written.error().code() != ErrorCode::kWouldBlock) return batch_written(std::move(written));
    PROBE("replica.apply_would_block");
  }
  auto result = std::make_shared<Result<>>();
  auto batch = std::make_shared<WriteBatch>(std::move(applying_->batch));
  deps_.runtime.run_blocking(
      [result, batch, &engine = deps_.engine] { *result = engine.write(*batch, MayBlock::kYes); },
      lifetime_.guard([this, result, batch] {
        applying_->batch = std::move(*batch);
        batch_written(std::move(*result));
      }));
}

void Replica::batch_written(Result<> result) {
  if (!result && result.error().code() == ErrorCode::kDiskFull) {
    // Nothing was written. The log holds it all; it is applied when there is space.
    data_disk_full();
    deps_.runtime.after(kFullDiskPause, lifetime_.guard([this] { write_batch(MayBlock::kYes); }));
    return;
  }
  if (!result) return deps_.fatal(std::move(result).error());
  if (trouble_ && trouble_->code() == ErrorCode::kDiskFull) refuse_with(std::nullopt);
  PreparedApply applied = std::move(*applying_);
  applying_.reset();
  machine_.written(applied);
  unapplied_bytes_ -= std::exchange(applying_bytes_, 0);
  if (!DELIBERATE_BUG("cache_not_updated")) {
    for (AppliedVersion& version : applied.versions) versions_.applied(version.key, std::move(version.value));
  }
  const MonoTime now = deps_.runtime.now();
  core_.applied(now, applied.entries.back().index);
  for (const AppliedEntry& entry : applied.entries) writes_.entry_applied(entry);
  trimmer_.applied(applied.batch.bytes());
  if (on_applied_) on_applied_();
  apply_next();
  wake();
}

void Replica::data_disk_full() {
  if (!trouble_)
    refuse_with(Error(ErrorCode::kDiskFull, fmt::format("the data disk of node {} is full", options_.node)));
}

// Ingest first, then reset the log: a crash in between leaves a log that does not hold what is applied,
// which a start discards (S5).
void Replica::install(const raft::SnapshotMeta& meta) {
  installing_ = true;
  trimmer_.reset();
  to_apply_.clear();  // covered by the snapshot
  unapplied_bytes_ = applying_bytes_;
  if (applying_) {  // let the batch under way end; nothing may be applied while the ranges are replaced
    deps_.runtime.after(Duration(1'000), lifetime_.guard([this, meta] { install(meta); }));
    return;
  }
  FAILPOINT("snapshot.before_ingest");
  auto result = std::make_shared<Result<>>();
  auto machine = std::make_shared<std::optional<StateMachine>>();
  deps_.runtime.run_blocking(
      [result, machine, shard = options_.shard, &engine = deps_.engine, files = snapshots_in_.files(meta),
       ranges = shard_ranges(options_.shard, options_.keyspace), scratch = deps_.scratch_directory + "/ingest", &fs = deps_.fs] {
        *result = [&]() -> Result<> {
          RETURN_IF_ERROR(fs.remove_all(scratch));  // of an attempt that found the disk full
          RETURN_IF_ERROR(fs.create_directories(scratch));
          RETURN_IF_ERROR(engine.flush());
          RETURN_IF_ERROR(engine.ingest(ranges, files, {}, scratch));
          ASSIGN_OR_RETURN(StateMachine loaded, load_state_machine(engine, shard));  // reads the disk
          machine->emplace(std::move(loaded));
          return {};
        }();
      },
      lifetime_.guard([this, result, machine, meta] {
        if (!*result && result->error().code() == ErrorCode::kDiskFull) {
          PROBE("replica.snapshot_waits_for_space");
          data_disk_full();
          deps_.runtime.after(kFullDiskPause, lifetime_.guard([this, meta] { install(meta); }));
          return;
        }
        if (!*result) return deps_.fatal(std::move(*result).error());
        FAILPOINT("snapshot.before_log_reset");
        LogUpdate reset;
        reset.shard = options_.shard;
        reset.replica = options_.replica;
        reset.reset = LogBase{meta.index, meta.term};
        std::vector<LogUpdate> updates;
        updates.push_back(std::move(reset));
        deps_.log.append(std::move(updates), lifetime_.guard([this, machine, meta] { installed(meta, std::move(**machine)); }));
      }));
}

void Replica::installed(const raft::SnapshotMeta& meta, StateMachine machine) {
  PROBE("replica.snapshot_installed");
  CHECK_F(machine.state().index == meta.index && machine.state().term == meta.term,
          "a snapshot at {} of term {} installed as {} of term {}", meta.index, meta.term, machine.state().index,
          machine.state().term);
  machine_.replace(std::move(machine));
  if (!DELIBERATE_BUG("cache_outlives_snapshot")) versions_.clear();
  installing_ = false;
  if (trouble_ && trouble_->code() == ErrorCode::kDiskFull) refuse_with(std::nullopt);
  snapshots_in_.finished();
  core_.snapshot_installed(deps_.runtime.now(), meta);
  if (on_applied_) on_applied_();
  wake();
}

}  // namespace meridian
