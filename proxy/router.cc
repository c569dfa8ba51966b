#include "proxy/router.h"

#include <algorithm>
#include <utility>

#include "base/fault.h"

namespace meridian::proxy {

namespace {

// Redirects followed without a wait.
constexpr int kMaxHops = 3;
// A node that says that it is broken is asked again so often: leadership may move away from it.
constexpr int kMaxBroken = 5;

// What it certainly would be answered again, by any node.
bool is_final(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnimplemented: return true;
    default: return false;
  }
}

bool is_broken(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kUnknownOutcome:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kBusy:
    case ErrorCode::kNotLeader: return false;
    default: return true;
  }
}

}  // namespace

Router::Router(Runtime& runtime, Transport& transport, TopologyCache& topology, ClusterClock& clock, Traffic& traffic,
               const ProxyOptions& options)
    : runtime_(runtime),
      transport_(transport),
      topology_(topology),
      clock_(clock),
      traffic_(traffic),
      options_(options) {
  topology_.on_leader([this] { wake_for_leader(); });
}

void Router::start(Call call) {
  topology_.refresh_if_old();
  go(std::move(call));
}

void Router::go(Call call) {
  if (runtime_.now() >= call->deadline) return give_up(std::move(call));
  if (call->target == Target::kNearest) {
    if (const TopologyCache::Node* node = topology_.nearest(call->tried); node != nullptr) {
      return send(std::move(call), {node->id, 0, node->address});
    }
    // Every replica was tried; what is broken everywhere does not heal while the caller waits.
    if (call->last_error && is_broken(call->last_error->code())) return give_up(std::move(call));
    call->tried.clear();
    topology_.refresh();
    return wait(std::move(call), false);
  }
  if (std::optional<TopologyCache::Route> leader = topology_.leader()) return send(std::move(call), std::move(*leader));
  topology_.refresh();
  wait(std::move(call), true);
}

void Router::send(Call call, TopologyCache::Route to) {
  const MonoTime now = runtime_.now();
  if (call->attempts++ > 0) traffic_.retries.add();
  CallOptions options;
  constexpr int kMaxDoublings = 4;
  options.deadline =
      std::min(call->deadline, now + call->attempt_timeout * (1 << std::min(call->silences, kMaxDoublings)));
  options.trace = call->trace;
  std::string request = call->encode();
  const MethodId method = call->method;
  const Address address = to.address;
  transport_.call(
      address, method, std::move(request), std::move(options),
      lifetime_.guard([this, call = std::move(call), to = std::move(to), now](Result<std::string> answer) mutable {
        on_answer(std::move(call), std::move(to), now, std::move(answer));
      }));
}

void Router::on_answer(Call call, TopologyCache::Route from, MonoTime sent, Result<std::string> answer) {
  if (!answer) return on_error(std::move(call), from, sent, std::move(answer).error());
  topology_.answered(from.address, runtime_.now() - sent);
  switch (call->take(*answer)) {
    case RoutedCall::Taken::kAnswered: clock_.learn(call->cluster_time_us, sent, runtime_.now()); return;
    case RoutedCall::Taken::kNotLeader: return on_not_leader(std::move(call), from);
    case RoutedCall::Taken::kUnreadable:
      return on_error(std::move(call), from, sent,
                      Error(ErrorCode::kInternal, fmt::format("the answer of {} cannot be read", from.address)));
  }
}

void Router::on_not_leader(Call call, const TopologyCache::Route& from) {
  PROBE("proxy.redirected");
  traffic_.redirects.add();
  // A read at a timestamp that is not closed there yet is one for the leader.
  call->target = Target::kLeader;
  const api::NotLeader hint = std::exchange(call->elsewhere, api::NotLeader());
  // Unless it became the leader since it said so.
  const std::uint64_t term = topology_.last_leader().term;
  if (hint.term() == 0 || hint.term() >= term) topology_.suspect_leader(from.node, term);
  if (hint.leader_node_id() != from.node) topology_.learn_leader(hint);
  call->last_error = Error(ErrorCode::kNotLeader, fmt::format("{} does not lead", from.address));
  std::optional<TopologyCache::Route> leader = topology_.leader();
  if (leader && leader->node != from.node && call->hops < kMaxHops && runtime_.now() < call->deadline) {
    ++call->hops;
    return send(std::move(call), std::move(*leader));
  }
  call->hops = 0;
  if (!leader) topology_.refresh();
  wait(std::move(call), !leader);
}

void Router::on_error(Call call, const TopologyCache::Route& from, MonoTime sent, Error error) {
  const ErrorCode code = error.code();
  const bool maybe_received = !is_definite(code);
  if (maybe_received && call->repeat != Repeat::kFreely) call->maybe_received = true;
  if (code == ErrorCode::kNotLeader) {
    call->elsewhere.Clear();
    return on_not_leader(std::move(call), from);
  }
  call->last_error = std::move(error);
  call->hops = 0;
  const bool once_only = call->repeat == Repeat::kOnce && call->maybe_received;
  if (is_final(code) || once_only || (maybe_received && forgotten(*call))) return give_up(std::move(call));
  const bool broken_leader = call->target == Target::kLeader && is_broken(code);
  if (broken_leader && ++call->broken > kMaxBroken) return give_up(std::move(call));

  if (code == ErrorCode::kUnavailable || code == ErrorCode::kConnectionLost || code == ErrorCode::kUnknownOutcome ||
      code == ErrorCode::kDeadlineExceeded) {
    return on_silence(std::move(call), from, sent, code);
  }
  if (call->target == Target::kNearest) {
    call->tried.push_back(from.node);
    return go(std::move(call));
  }
  topology_.refresh();  // whoever is overloaded or broken may have handed over
  wait(std::move(call), false);
}

// Nobody answered, or nobody who could.
void Router::on_silence(Call call, const TopologyCache::Route& from, MonoTime sent, ErrorCode code) {
  const bool timed_out = code == ErrorCode::kUnknownOutcome || code == ErrorCode::kDeadlineExceeded;
  // A caller in a hurry says nothing about the node; silence for a whole attempt does.
  const bool whole_attempt = runtime_.now() - sent >= call->attempt_timeout;
  if (!timed_out || whole_attempt) {
    PROBE("proxy.node_suspected");
    topology_.failed(from.address);
    topology_.suspect_leader(from.node, from.term);
    if (timed_out) ++call->silences;
  }
  if (call->target == Target::kNearest) {
    call->tried.push_back(from.node);
    return go(std::move(call));
  }
  topology_.refresh();
  wait(std::move(call), true);
}

// The cluster no longer remembers the id: it would only repeat that nothing is known.
bool Router::forgotten(const RoutedCall& call) const {
  if (call.id_time_us == 0) return false;
  const WallTime now = clock_.estimate(runtime_.now(), runtime_.wall_now());
  return WallTime(static_cast<std::int64_t>(call.id_time_us)) < now - options_.request_window;
}

// Exponential, then between half of it and the whole; never less than what the node asked for, spread over half as
// much again, or all who were refused together come back together.
Duration Router::back_off(int round, std::uint32_t retry_after_ms) {
  const auto jitter = [this](Duration bound) {
    return Duration(static_cast<std::int64_t>(runtime_.random_below(static_cast<std::uint64_t>(bound.count()) + 1)));
  };
  const Duration full = std::min(options_.backoff_max, options_.backoff_min * (1 << std::min(round, 10)));
  const Duration own = full / 2 + jitter(full / 2);
  const Duration asked = std::chrono::milliseconds(retry_after_ms);
  return std::max(own, asked == Duration(0) ? asked : asked + jitter(asked / 2));
}

void Router::wait(Call call, bool for_leader) {
  const MonoTime now = runtime_.now();
  const Duration left = call->deadline - now;
  const bool busy = call->last_error && call->last_error->code() == ErrorCode::kBusy;
  Duration pause = back_off(call->rounds++, busy ? call->last_error->retry_after_ms() : 0);
  if (pause >= left) {
    // It knows that it would be too early; and the caller can still go elsewhere.
    if (busy || left < options_.backoff_min) return give_up(std::move(call));
    pause = left / 2;
  }
  waiting_.emplace(now + pause, Waiting{std::move(call), for_leader});
  arm_timer();
}

void Router::wake_for_leader() {
  std::vector<Call> woken;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.for_leader) {
      woken.push_back(std::move(it->second.call));
      it = waiting_.erase(it);
    } else {
      ++it;
    }
  }
  for (Call& call : woken) go(std::move(call));
}

void Router::arm_timer() {
  if (waiting_.empty()) return;
  const MonoTime first = waiting_.begin()->first;
  if (timer_ != 0 && timer_at_ <= first) return;
  runtime_.cancel(std::exchange(timer_, 0));
  timer_at_ = first;
  timer_ = runtime_.at(first, lifetime_.guard([this] { on_timer(); }));
}

void Router::on_timer() {
  timer_ = 0;
  const MonoTime now = runtime_.now();
  std::vector<Call> due;
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    due.push_back(std::move(waiting_.begin()->second.call));
    waiting_.erase(waiting_.begin());
  }
  for (Call& call : due) go(std::move(call));
  arm_timer();
}

void Router::give_up(Call call) {
  Error error = conclusion(*call);
  call->fail(std::move(error));
}

Error Router::conclusion(const RoutedCall& call) const {
  const bool late = runtime_.now() >= call.deadline || !call.last_error;
  const std::string story =
      fmt::format("{} ended after {} {}", call.name, call.attempts, call.attempts == 1 ? "attempt" : "attempts");
  if (call.maybe_received) {
    Error unknown(ErrorCode::kUnknownOutcome, story + "; one of them may have been received");
    return call.last_error ? std::move(unknown).with_cause(*call.last_error) : unknown;
  }
  if (!call.last_error) {
    return Error(ErrorCode::kDeadlineExceeded,
                 topology_.leader() ? story : story + "; no leader was known before the deadline");
  }
  const Error& last = *call.last_error;
  ErrorCode code = last.code();
  // Of a read these say no more than that no answer came.
  if (!is_definite(code) && (code == ErrorCode::kUnknownOutcome || code == ErrorCode::kConnectionLost)) {
    code = late ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable;
  }
  if (code == ErrorCode::kNotLeader) code = ErrorCode::kUnavailable;
  if (code == last.code() && is_final(code)) return last;
  return Error(code, story).with_cause(last).with_retry_after(last.retry_after_ms());
}

}  // namespace meridian::proxy
