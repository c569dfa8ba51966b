#include "client/core/client_core.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/fault.h"

namespace meridian::client {
namespace {

std::string describe(const PendingCall& call, MonoTime now) {
  return fmt::format("{} gave up after {} {} in {} ms", call.name, call.attempts,
                     call.attempts == 1 ? "attempt" : "attempts", (now - call.started).count() / 1000);
}

// What a line of 16 Mbit/s takes for a request, and for what may be answered: without it a large page or batch on such a
// line would be asked for again while it is still arriving, which makes the line slower yet.
Duration transfer_time(const PendingCall& call, std::size_t request_bytes) {
  constexpr std::size_t kBytesPerSecond = 2u << 20, kLargeAnswer = 4u << 20, kSmall = 64u << 10;
  const bool large_answer = call.method == v1::kScan.id || call.method == v1::kMultiGet.id;
  const std::size_t bytes = request_bytes + (large_answer ? kLargeAnswer : 0);
  return bytes <= kSmall ? Duration(0) : Duration(static_cast<std::int64_t>(bytes * 1'000'000 / kBytesPerSecond));
}

// Of a probe that was given all its time.
bool says_nobody_answers(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kConnectionLost || code == ErrorCode::kUnknownOutcome ||
         code == ErrorCode::kDeadlineExceeded;
}

}  // namespace

ClientCore::ClientCore(Deps deps)
    : runtime_(deps.runtime),
      transport_(deps.transport),
      options_(deps.options),
      proxies_(std::move(deps.proxies), deps.options.proxies),
      throttle_(std::move(deps.throttle)) {}

ClientCore::~ClientCore() = default;

std::uint64_t ClientCore::client_number() {
  while (client_number_ == 0) client_number_ = runtime_.random();
  return client_number_;
}

CallId ClientCore::start(std::unique_ptr<PendingCall> call) {
  const MonoTime now = runtime_.now();
  call->started = now;
  if (call->deadline == MonoTime()) call->deadline = now + options_.default_timeout;
  call->tried.assign(proxies_.size(), false);
  if (shut_down_) return refuse(std::move(call), Error(ErrorCode::kCancelled, "the client is closed"));
  if (call->deadline <= now) {
    return refuse(std::move(call), Error(ErrorCode::kDeadlineExceeded, "the deadline has passed"));
  }
  if (calls_.size() >= options_.max_in_flight) {
    // The number says how fast this client's calls come back only roughly; it spreads the next tries.
    constexpr std::uint32_t kRetryAfterMs = 20;
    return refuse(std::move(call),
                  Error(ErrorCode::kBusy, fmt::format("{} calls are under way in this client; the limit is {}",
                                                      calls_.size(), options_.max_in_flight))
                      .with_retry_after(kRetryAfterMs));
  }
  if (throttled(*call, now)) return refuse(std::move(call), throttle_->refusal());
  if (options_.inject_faults > 0 && inject_fault(*call)) {
    Error error = std::move(*call->injected);
    return refuse(std::move(call), std::move(error));
  }
  const CallId id = ++last_id_;
  calls_.emplace(id, std::move(call));
  attempt(id);
  return id;
}

CallId ClientCore::refuse(std::unique_ptr<PendingCall> call, Error error) {
  std::shared_ptr<PendingCall> shared = std::move(call);
  runtime_.post([shared, error = std::move(error)]() mutable { shared->fail_with(std::move(error)); });
  return 0;
}

// Draws only where it may refuse, so that others see no difference.
bool ClientCore::throttled(const PendingCall& call, MonoTime now) {
  constexpr std::uint64_t kScale = 1 << 20;
  if (!call.fail_when_busy || call.passed_throttle || throttle_->share() == 0) return false;
  return throttle_->refuses(now, static_cast<double>(runtime_.random_below(kScale)) / kScale);
}

// True: the call ends with call.injected and is not made at all.
bool ClientCore::inject_fault(PendingCall& call) {
  constexpr std::uint64_t kScale = 1'000'000;
  if (runtime_.random_below(kScale) >= static_cast<std::uint64_t>(options_.inject_faults * kScale)) return false;
  switch (runtime_.random_below(call.kind == CallKind::kRead ? 2 : 3)) {
    case 0: call.injected.emplace(ErrorCode::kUnavailable, "injected by inject_faults"); return true;
    case 1:
      call.injected.emplace(Error(ErrorCode::kBusy, "injected by inject_faults").with_retry_after(10));
      return true;
    default:
      call.injected.emplace(ErrorCode::kUnknownOutcome, "injected by inject_faults");
      return runtime_.random_below(2) == 0;  // else it is made, and its answer lost
  }
}

void ClientCore::attempt(CallId id) {
  PendingCall& call = *find(id);
  const MonoTime now = runtime_.now();
  if (now >= call.deadline) {
    Error error = call.last_error ? *call.last_error : Error(ErrorCode::kDeadlineExceeded, "the deadline has passed");
    return finish(id, conclusion(call, std::move(error), true));
  }
  // Nobody has seen the id, and when it is received at last it should not be one that is being forgotten.
  if (call.id && call.own_id && !call.maybe_received && clock_.age(*call.id, now) > kRequestWindow / 2) call.id.reset();
  if (call.kind == CallKind::kMutation && !call.id) {
    if (!clock_.known()) return park(id);
    call.id = clock_.next(client_number(), now);
  }
  if (call.kind == CallKind::kMutation && call.attempts > 0 && clock_.known() && DELIBERATE_BUG("new_id_on_retry")) {
    call.id = clock_.next(client_number(), now);
  }
  probe_if_due();
  const ProxySet::Index proxy = proxies_.pick(call.tried, runtime_.random());
  const int doublings = std::min(call.attempts++, 10);
  const int number = ++call.last_attempt;
  call.attempt_under_way = true;
  std::string request = call.encoded(call.id);
  CallOptions options;
  const Duration patience = options_.attempt_timeout + transfer_time(call, request.size());
  options.deadline = std::min(call.deadline, now + patience * (1 << doublings));
  options.trace = call.trace;
  if (options.deadline < call.deadline) {
    options.late_until = call.deadline;
    options.late = lifetime_.guard([this, id, part = call.parts, proxy, now](const std::string& answer) {
      on_late_answer(id, part, proxy, now, answer);
    });
  }
  proxies_.began(proxy);
  inside_transport_ = true;
  transport_.call(proxies_.address(proxy), call.method, std::move(request), std::move(options),
                  lifetime_.guard([this, id, number, proxy, now](Result<std::string> answer) {
                    if (!inside_transport_) return on_answer(id, number, proxy, now, std::move(answer));
                    runtime_.post(lifetime_.guard([this, id, number, proxy, now, answer = std::move(answer)]() mutable {
                      on_answer(id, number, proxy, now, std::move(answer));
                    }));
                  }));
  inside_transport_ = false;
}

void ClientCore::on_answer(CallId id, int attempt, ProxySet::Index proxy, MonoTime sent, Result<std::string> answer) {
  proxies_.ended(proxy);
  note_health(proxy, sent, answer);
  PendingCall* call = find(id);
  if (call == nullptr || call->last_attempt != attempt) return;  // cancelled, or answered by an earlier attempt, meanwhile
  CHECK(call->attempt_under_way);
  call->attempt_under_way = false;
  if (!answer) return on_attempt_failed(id, proxy, std::move(answer).error());
  Result<WallTime> cluster_time = call->accept(*answer);
  if (!cluster_time) {
    // It was carried out, most likely; what is wrong is the answer.
    return on_attempt_failed(
        id, proxy,
        Error(ErrorCode::kInternal, fmt::format("the answer of {} cannot be read", proxies_.address(proxy)))
            .with_cause(std::move(cluster_time).error()));
  }
  accepted(id, *cluster_time, sent);
}

// Another attempt may be under way, or about to be made.
void ClientCore::on_late_answer(CallId id, int part, ProxySet::Index proxy, MonoTime sent, std::string_view answer) {
  proxies_.succeeded(proxy);
  PendingCall* call = find(id);
  if (call == nullptr || call->parts != part) return;
  const Result<WallTime> cluster_time = call->accept(answer);
  if (!cluster_time) return;
  PROBE("client.late_answer_taken");
  accepted(id, *cluster_time, sent);
}

void ClientCore::accepted(CallId id, WallTime cluster_time, MonoTime sent) {
  clock_.learn(cluster_time, sent, runtime_.now());
  PendingCall* call = find(id);
  if (call->wants_rest()) {
    PROBE("client.asks_for_the_rest");
    ++call->parts;
    runtime_.cancel(std::exchange(call->timer, 0));
    call->attempts = call->rounds = 0;
    call->tried.assign(proxies_.size(), false);
    return this->attempt(id);
  }
  if (call->fail_when_busy) throttle_->accepted(runtime_.now());
  if (call->injected) return finish(id, std::move(*call->injected));
  finish(id);
}

void ClientCore::note_health(ProxySet::Index proxy, MonoTime sent, const Result<std::string>& answer) {
  if (answer) return proxies_.succeeded(proxy);
  const MonoTime now = runtime_.now();
  switch (answer.error().code()) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kConnectionLost: return proxies_.failed(proxy, now, runtime_.random());
    case ErrorCode::kUnknownOutcome:
    case ErrorCode::kDeadlineExceeded:
      // A caller in a hurry says nothing about the proxy; silence for a whole attempt does.
      if (now - sent >= options_.attempt_timeout) proxies_.failed(proxy, now, runtime_.random());
      return;
    default: return proxies_.succeeded(proxy);
  }
}

void ClientCore::probe_if_due() {
  const std::optional<ProxySet::Index> proxy = proxies_.take_probe(runtime_.now());
  if (!proxy) return;
  CallOptions options;
  options.deadline = runtime_.now() + options_.probe_timeout;
  transport_.call(proxies_.address(*proxy), v1::kHello.id, encode(v1::HelloRequest()), std::move(options),
                  lifetime_.guard([this, proxy = *proxy](Result<std::string> answer) {
                    // One that says that it is busy is there.
                    if (answer || !says_nobody_answers(answer.error().code())) return proxies_.succeeded(proxy);
                    proxies_.failed(proxy, runtime_.now(), runtime_.random());
                  }));
}

void ClientCore::on_attempt_failed(CallId id, ProxySet::Index proxy, Error error) {
  PendingCall& call = *find(id);
  const Verdict verdict = judge(error.code());
  if (verdict.maybe_received && call.kind != CallKind::kRead) call.maybe_received = true;
  call.tried[proxy] = true;

  // The cluster's clock was learnt wrong, from a proxy that has since been put right perhaps.
  if (error.code() == ErrorCode::kOutOfRange && call.kind == CallKind::kMutation && call.own_id && !call.id_remade &&
      !call.maybe_received) {
    PROBE("client.request_id_made_again");
    clock_.forget();
    call.id.reset();
    call.id_remade = true;
    call.last_error = std::move(error);
    return attempt(id);
  }
  const bool once_only = call.kind == CallKind::kOnce && call.maybe_received;
  // The cluster no longer remembers the id: it would only repeat that nothing is known.
  const bool forgotten = call.maybe_received && call.id && clock_.age(*call.id, runtime_.now()) > kRequestWindow;
  if (once_only || forgotten || verdict.next == NextStep::kStop) {
    return finish(id, conclusion(call, std::move(error), false));
  }
  if (verdict.next == NextStep::kTryOthers) {
    if (std::ranges::find(call.tried, false) == call.tried.end()) {
      return finish(id, conclusion(call, std::move(error), false));
    }
    call.last_error = std::move(error);
    return attempt(id);
  }
  if (error.code() == ErrorCode::kBusy && call.fail_when_busy) {
    if (!proxies_.has_healthy_untried(call.tried)) {
      throttle_->refused(runtime_.now(), error.retry_after_ms());
      return finish(id, conclusion(call, std::move(error), false));
    }
    call.last_error = std::move(error);
    return attempt(id);
  }
  if (verdict.next == NextStep::kFailOver && proxies_.has_healthy_untried(call.tried) &&
      runtime_.now() < call.deadline) {
    PROBE("client.failed_over");
    call.last_error = std::move(error);
    return attempt(id);
  }
  back_off(id, std::move(error));
}

void ClientCore::back_off(CallId id, Error error) {
  PendingCall& call = *find(id);
  const MonoTime now = runtime_.now();
  const Duration left = call.deadline - now;
  Duration wait = options_.back_off.wait(call.rounds, error.retry_after_ms(), runtime_.random());
  if (wait >= left) {
    // One last try at half of what is left; unless the server knows that it would be too early.
    if (error.retry_after_ms() > 0 || left < 2 * options_.back_off.initial) {
      return finish(id, conclusion(call, std::move(error), true));
    }
    wait = left / 2;
  }
  ++call.rounds;
  if (std::ranges::find(call.tried, false) == call.tried.end()) call.tried.assign(proxies_.size(), false);
  call.last_error = std::move(error);
  call.timer = runtime_.after(wait, lifetime_.guard([this, id] {
    PendingCall* waiting = find(id);
    if (waiting == nullptr) return;
    waiting->timer = 0;
    attempt(id);
  }));
}

// What the caller is told: see the head of client_core.h.
Error ClientCore::conclusion(const PendingCall& call, Error error, bool gave_up) const {
  const MonoTime now = runtime_.now();
  if (call.kind != CallKind::kRead && call.maybe_received) {
    return Error(ErrorCode::kUnknownOutcome, describe(call, now) + "; one of them may have been received")
        .with_cause(std::move(error));
  }
  ErrorCode code = error.code();
  // Of a read these say no more than that no answer came.
  if (code == ErrorCode::kUnknownOutcome || code == ErrorCode::kConnectionLost || code == ErrorCode::kNotLeader) {
    code = now >= call.deadline ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable;
  }
  if (!gave_up && code == error.code()) return error;
  const std::uint32_t retry_after_ms = error.retry_after_ms();
  return Error(code, describe(call, now)).with_cause(std::move(error)).with_retry_after(retry_after_ms);
}

void ClientCore::cancel(CallId id) {
  PendingCall* call = find(id);
  if (call == nullptr) return;
  const bool maybe_received = call->kind != CallKind::kRead && (call->maybe_received || call->attempt_under_way);
  Error error = maybe_received ? Error(ErrorCode::kUnknownOutcome,
                                       fmt::format("{} was cancelled after it may have been received", call->name))
                               : Error(ErrorCode::kCancelled, fmt::format("{} was cancelled", call->name));
  refuse(take(id), std::move(error));
}

void ClientCore::shut_down() {
  shut_down_ = true;
  while (!calls_.empty()) cancel(calls_.begin()->first);
}

PendingCall* ClientCore::find(CallId id) {
  const auto it = calls_.find(id);
  return it == calls_.end() ? nullptr : it->second.get();
}

std::unique_ptr<PendingCall> ClientCore::take(CallId id) {
  const auto it = calls_.find(id);
  CHECK(it != calls_.end());
  std::unique_ptr<PendingCall> call = std::move(it->second);
  calls_.erase(it);
  if (call->timer != 0) runtime_.cancel(call->timer);
  return call;
}

void ClientCore::finish(CallId id, Error error) { take(id)->fail_with(std::move(error)); }
void ClientCore::finish(CallId id) { take(id)->succeed(); }

}  // namespace meridian::client
