#include "shard/read_path.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/damage.h"
#include "base/fault.h"

namespace meridian {
namespace {

constexpr Duration kLookAgain{50'000};  // at a wall clock that is waited for: it may be stepped

}  // namespace

void ReadPath::submit(api::ReadRequest&& request, MonoTime deadline, ReadReply reply) {
  if (Result<> ok = api::check_read(request, deps_.options.limits); !ok) return reply(fail(std::move(ok).error()));
  const Timestamp at(request.at_timestamp());
  const api::Consistency consistency = request.consistency();
  submit(Read{Get{std::move(request), std::move(reply)}, at, deadline, deps_.clock.wall(), {}}, consistency);
}

void ReadPath::submit(api::ScanRequest&& request, MonoTime deadline, ScanReply reply) {
  if (request.limit() == 0 || request.limit() > deps_.options.limits.max_scan_limit) {
    return reply(fail(ErrorCode::kInvalidArgument, fmt::format("the page has {} entries; it has 1 to {}",
                                                               request.limit(), deps_.options.limits.max_scan_limit)));
  }
  const Timestamp at(request.at_timestamp());
  const api::Consistency consistency = request.consistency();
  submit(Read{Scan{std::move(request), std::move(reply)}, at, deadline, deps_.clock.wall(), {}}, consistency);
}

void ReadPath::submit(Read read, api::Consistency consistency) {
  if (stopped_) return answer_not_leader(std::move(read));
  const Timestamp limit = Timestamp::from_wall(read.arrived + deps_.options.max_clock_offset);
  if (read.at > limit) {  // T12
    if (std::optional<Error> fault = deps_.clock.fault()) return answer_error(std::move(read), *std::move(fault));
    return answer_error(
        std::move(read),
        Error(ErrorCode::kOutOfRange,
              fmt::format("timestamp {} is ahead of this server's clock; the limit is {}", read.at, limit)));
  }
  if (const auto at = local_timestamp(read); at && (consistency == api::ANY_REPLICA || !read.at.is_zero())) {
    if (nothing_newer_) PROBE("read.of_the_past_on_a_full_disk");
    return serve(std::move(read), *at);
  }
  if (consistency == api::ANY_REPLICA && read.at.is_zero()) {
    return answer_error(std::move(read), Error(ErrorCode::kUnavailable, "this replica holds no data yet"));
  }
  if (!deps_.core.is_leader()) return answer_not_leader(std::move(read));
  if (nothing_newer_) return answer_error(std::move(read), *nothing_newer_);
  arrived_.push_back(std::move(read));
  deps_.wake();
}

std::optional<Timestamp> ReadPath::local_timestamp(const Read& read) const {
  const AppliedState& state = deps_.machine.state();
  if (state.closed.is_zero() || read.at > state.closed) return std::nullopt;
  // Not above the own clock, even where a leader with a faster one has closed more (T11).
  const Timestamp clock = Timestamp::from_wall(read.arrived, (1u << Timestamp::kLogicalBits) - 1);
  if (read.at.is_zero()) return std::min(state.closed, clock);
  return read.at <= clock ? std::optional(read.at) : std::nullopt;
}

void ReadPath::run(MonoTime now) {
  if (!deps_.core.is_leader()) {
    for (Read& read : std::exchange(arrived_, {})) answer_not_leader(std::move(read));
    for (auto& [context, reads] : std::exchange(asked_, {})) {
      for (Read& read : reads) answer_not_leader(std::move(read));
    }
    // What was confirmed stays true: it is served from the state that was committed then. But only a
    // leader's stamps are above the answer's timestamp, so it is not.
    for (Read& read : std::exchange(confirmed_, {})) answer_not_leader(std::move(read));
    return;
  }
  if (const std::optional<Error> fault = deps_.clock.fault()) return refuse_all(*fault);
  // Before an entry of its own term is applied a leader answers nothing (L5); it will be woken by the apply.
  if (!deps_.core.may_evaluate() || !deps_.writes.leading()) return;
  confirm_leadership(now);
  serve_ready(now);
}

void ReadPath::confirm_leadership(MonoTime now) {
  if (arrived_.empty()) return;
  std::optional<LogIndex> commit = deps_.core.lease_read(now);
  if (DELIBERATE_BUG("lease_checked_early")) {  // as of an earlier read, not of this one
    if (commit) checked_early_until_ = now + 2 * deps_.options.election_timeout;
    if (now < checked_early_until_) commit = deps_.core.commit_index();
  }
  if (commit && !BUGGIFY("read.no_lease")) {
    for (Read& read : arrived_) {
      read.index = *commit;
      confirmed_.push_back(std::move(read));
    }
    arrived_.clear();
    return;
  }
  PROBE("read.by_read_index");
  const std::uint64_t context = next_context_++;
  std::vector<Read>& reads = asked_[context];
  std::move(arrived_.begin(), arrived_.end(), std::back_inserter(reads));
  arrived_.clear();
  if (Result<> asked = deps_.core.read_index(now, context); !asked) {
    for (Read& read : reads) answer_not_leader(std::move(read));
    asked_.erase(context);
  }
}

void ReadPath::read_index_answered(const raft::ReadState& state) {
  auto it = asked_.find(state.context);
  if (it == asked_.end()) return;
  for (Read& read : it->second) {
    if (!state.index) {
      answer_not_leader(std::move(read));
      continue;
    }
    read.index = *state.index;
    confirmed_.push_back(std::move(read));
  }
  asked_.erase(it);
  deps_.wake();
}

void ReadPath::serve_ready(MonoTime now) {
  for (Read& read : std::exchange(confirmed_, {})) {
    if (read.deadline <= now) {
      answer_error(std::move(read),
                   Error(ErrorCode::kDeadlineExceeded, "the deadline passed before the read was served"));
      continue;
    }
    std::optional<Timestamp> at;
    if (deps_.machine.state().index >= *read.index) at = serving_timestamp(read);
    if (at) {
      serve(std::move(read), *at);
    } else if (nothing_newer_) {
      answer_error(std::move(read), *nothing_newer_);
    } else if (deps_.log_is_full()) {
      // What it waits for needs an entry. Served again where the ceiling is far enough ahead, or at any replica.
      answer_error(std::move(read),
                   Error(ErrorCode::kDiskFull, "the log's disk is full: nothing newer can be read here"));
    } else {
      confirmed_.push_back(std::move(read));
    }
  }
}

// After TimeoutNow nothing is answered above what it said, until no successor can believe it any more (L3, T10).
bool ReadPath::may_answer(Timestamp at) const {
  const std::optional<raft::HandOver> handed_over = deps_.core.handed_over();
  return !handed_over || at <= std::max(Timestamp(handed_over->answered), deps_.machine.state().closed) ||
         DELIBERATE_BUG("answers_after_hand_over");
}

// nullopt: not yet; whatever makes it possible has been asked for and ends in another pass.
std::optional<Timestamp> ReadPath::serving_timestamp_at(const Read& read) {
  const AppliedState& state = deps_.machine.state();
  if (read.at > state.ceiling) deps_.writes.want_ceiling(read.at);
  // Only now does it keep later writes above it: one for the future would make all of them wait, and once the
  // clock is there, they are above it by themselves.
  if (read.at.physical() > deps_.clock.wall()) return retry_at(read.at.physical()), std::nullopt;
  if (!may_answer(read.at)) return deps_.writes.want_entry(), std::nullopt;
  deps_.writes.clock().raise(read.at);
  const std::optional<Timestamp> pending = deps_.writes.oldest_pending();
  // Woken by what is applied.
  if (read.at > state.ceiling || (pending && *pending <= read.at)) return std::nullopt;
  return read.at;
}

std::optional<Timestamp> ReadPath::serving_timestamp(const Read& read) {
  if (!read.at.is_zero()) return serving_timestamp_at(read);
  const AppliedState& state = deps_.machine.state();
  const WallTime wall = deps_.clock.wall();
  // While reads are going the ceiling is kept ahead of them, so that only the first after a pause waits.
  const Duration t = deps_.options.election_timeout;
  if (state.ceiling < Timestamp::from_wall(wall + t / 2)) {
    deps_.writes.want_ceiling(Timestamp::from_wall(wall + t / 2));
    if (state.ceiling < Timestamp::from_wall(read.arrived - t)) return std::nullopt;
  }
  // Everything applied is in the answer, so its timestamp is at least the closed one, which a leader with
  // a faster clock may have put ahead of ours.
  if (state.closed.physical() > wall) {
    PROBE("read.waits_for_clock");
    retry_at(state.closed.physical());
    return std::nullopt;
  }
  const std::optional<Timestamp> pending = deps_.writes.oldest_pending();
  Timestamp at = pending ? pending->previous() : deps_.writes.clock().now(wall);
  at = std::min({at, state.ceiling, Timestamp::from_wall(wall, (1u << Timestamp::kLogicalBits) - 1)});
  if (!may_answer(at)) at = Timestamp(deps_.core.handed_over()->answered);
  return std::max(at, state.closed);
}

void ReadPath::retry_at(WallTime when) {
  if (clock_timer_ != 0) return;
  const Duration wait = std::clamp(when - deps_.clock.wall(), Duration(1), kLookAgain);
  clock_timer_ = deps_.runtime.after(wait, lifetime_.guard([this] {
    clock_timer_ = 0;
    deps_.wake();
  }));
}

void ReadPath::serve(Read read, Timestamp at) {
  if (auto* get = std::get_if<Get>(&read.what)) return serve_get(std::move(*get), at, read.deadline);
  serve_scan(std::move(std::get<Scan>(read.what)), at, read.deadline);
}

namespace {

Error too_late() { return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before the read was served"); }

// False: the answer would become too large, and ends before this item. The first one fits whatever it is.
bool add_item(api::ReadResponse& response, const txn::VersionedValue& value, std::size_t& bytes_left) {
  const std::size_t bytes = value.value.size() + txn::kItemOverheadBytes;
  if (bytes > bytes_left && response.items_size() > 0) return false;
  bytes_left -= std::min(bytes, bytes_left);
  api::ReadItem* item = response.add_items();
  item->set_found(value.found);
  if (value.found) {
    item->set_value(value.value);
    item->set_version(value.version.packed());
  }
  return true;
}

// A caller must cope with a short answer, whatever it asked for.
std::size_t most_bytes() { return BUGGIFY("read.short_answer") ? 0 : txn::kMaxAnswerBytes; }

Result<> read_from_disk(Engine& engine, const api::ReadRequest& request, Timestamp at, const EngineSnapshot& snapshot,
                        std::size_t bytes_left, api::ReadResponse& response) {
  for (const std::string& key : request.keys()) {
    ASSIGN_OR_RETURN(const txn::VersionedValue value,
                     txn::read_version(engine, KeyspaceId(request.keyspace_id()), key, at, {.snapshot = &snapshot}));
    if (!add_item(response, value, bytes_left)) break;
  }
  return {};
}

Result<api::ScanResponse> scan_page(Engine& engine, const api::ScanRequest& request, Timestamp at,
                                    const EngineReadOptions& options) {
  txn::ScanRange range;
  range.keyspace = KeyspaceId(request.keyspace_id());
  range.start = request.start();
  range.end = request.end();
  range.reverse = request.reverse();
  range.keys_only = request.keys_only();
  range.limit = request.limit();
  ASSIGN_OR_RETURN(txn::ScanPage page, txn::scan_versions(engine, range, at, options));
  api::ScanResponse response;
  for (txn::ScanEntry& entry : page.entries) {
    api::ScanResponse::Entry* out = response.add_entries();
    out->set_key(std::move(entry.key));
    out->set_value(std::move(entry.value));
    out->set_version(entry.version.packed());
  }
  if (page.rest) {
    response.set_more(true);
    response.set_rest_start(std::move(page.rest->first));
    response.set_rest_end(std::move(page.rest->second));
  }
  return response;
}

}  // namespace

// kWouldBlock.
Result<> ReadPath::read_from_memory(const api::ReadRequest& request, Timestamp at, api::ReadResponse& response) {
  // What is read at or above every applied stamp is the newest there is.
  const bool newest = at >= deps_.machine.state().closed;
  std::size_t bytes_left = most_bytes();
  for (const std::string& key : request.keys()) {
    if (const txn::VersionedValue* cached = deps_.versions.find(key, at); cached != nullptr) {
      if (!add_item(response, *cached, bytes_left)) break;
      continue;
    }
    ASSIGN_OR_RETURN(const txn::VersionedValue value, txn::read_version(deps_.engine, KeyspaceId(request.keyspace_id()),
                                                                        key, at, {.may_block = MayBlock::kNo}));
    if (newest) deps_.versions.learn(key, value);
    if (!add_item(response, value, bytes_left)) break;
  }
  return {};
}

template <class Reply>
void ReadPath::answer_failed(Reply& reply, Error error) {
  if (!is_damage(error.code())) return reply(fail(std::move(error)));
  PROBE("read.met_damage");
  reply(fail(Error(ErrorCode::kUnavailable, fmt::format("node {} cannot read its data", deps_.options.node))
                 .with_cause(error)));
  deps_.damaged(std::move(error));
}

void ReadPath::serve_get(Get get, Timestamp at, MonoTime deadline) {
  api::ReadResponse response;
  *response.mutable_info() = info(at);
  Result<> read = read_from_memory(get.request, at, response);
  if (read) return get.reply(std::move(response));
  if (read.error().code() != ErrorCode::kWouldBlock) return answer_failed(get.reply, std::move(read).error());
  PROBE("read.from_disk");
  // Versions at or below `at` do not change any more; the snapshot keeps them from being collected.
  struct Job {
    Get get;
    api::ReadResponse response;
    std::unique_ptr<EngineSnapshot> snapshot;
    Result<> result;
  };
  response.clear_items();
  auto job = std::make_shared<Job>(Job{std::move(get), std::move(response), deps_.engine.snapshot(), {}});
  blocking_.run({deadline,
                 [job, at, most = most_bytes(), &engine = deps_.engine] {
                   job->result = read_from_disk(engine, job->get.request, at, *job->snapshot, most, job->response);
                 },
                 [this, alive = lifetime_.token(), job](bool ran) {
                   if (!ran) return job->get.reply(fail(too_late()));
                   if (!job->result && alive.expired()) return job->get.reply(fail(job->result.error()));
                   if (!job->result) return answer_failed(job->get.reply, job->result.error());
                   job->get.reply(std::move(job->response));
                 }});
}

void ReadPath::serve_scan(Scan scan, Timestamp at, MonoTime deadline) {
  struct Job {
    Scan scan;
    api::ReadInfo info;
    std::unique_ptr<EngineSnapshot> snapshot;
    std::optional<Result<api::ScanResponse>> result;
  };
  auto job = std::make_shared<Job>(Job{std::move(scan), info(at), deps_.engine.snapshot(), {}});
  blocking_.run({deadline,
                 [job, at, &engine = deps_.engine] {
                   job->result.emplace(scan_page(engine, job->scan.request, at, {.snapshot = job->snapshot.get()}));
                 },
                 [this, alive = lifetime_.token(), job](bool ran) {
                   if (!ran) return job->scan.reply(fail(too_late()));
                   if (!*job->result && alive.expired()) return job->scan.reply(std::move(*job->result));
                   if (!*job->result) return answer_failed(job->scan.reply, job->result->error());
                   *(*job->result)->mutable_info() = std::move(job->info);
                   job->scan.reply(std::move(*job->result));
                 }});
}

api::ReadInfo ReadPath::info(Timestamp at) {
  api::ReadInfo info;
  info.set_timestamp(at.packed());
  info.set_node_id(deps_.options.node.value());
  info.set_region(deps_.options.region);
  info.set_role(deps_.core.is_leader()                                               ? api::LEADER
                : deps_.machine.state().membership.is_learner(deps_.options.replica) ? api::LEARNER
                                                                                     : api::FOLLOWER);
  info.set_cluster_time_us(deps_.clock.told_us());
  return info;
}

void ReadPath::answer_error(Read read, Error error) {
  std::visit([&](auto& what) { what.reply(fail(std::move(error))); }, read.what);
}

void ReadPath::answer_not_leader(Read read) {
  if (auto* get = std::get_if<Get>(&read.what)) {
    api::ReadResponse response;
    *response.mutable_not_leader() = deps_.where();
    return get->reply(std::move(response));
  }
  api::ScanResponse response;
  *response.mutable_not_leader() = deps_.where();
  std::get<Scan>(read.what).reply(std::move(response));
}

// By a clock that is wrong nothing is read as of now (T12). What has been asked of a quorum comes back, and is refused
// then.
void ReadPath::refuse_all(const Error& why) {
  for (std::deque<Read>* reads : {&arrived_, &confirmed_}) {
    if (reads->empty()) continue;
    for (Read& read : std::exchange(*reads, {})) answer_error(std::move(read), why);
  }
}

void ReadPath::shut_down() {
  stopped_ = true;
  for (Read& read : std::exchange(arrived_, {})) answer_not_leader(std::move(read));
}

}  // namespace meridian
