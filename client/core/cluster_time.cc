// How a client learns the cluster's time: mutations wait until one Hello has been answered.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "client/core/client_core.h"

namespace meridian::client {

void ClientCore::park(CallId id) {
  PendingCall& call = *find(id);
  parked_.push_back(id);
  call.timer = runtime_.at(call.deadline, lifetime_.guard([this, id] { on_parked_too_long(id); }));
  if (hello_ == 0) learn_time();
}

void ClientCore::learn_time() {
  auto hello = std::make_unique<TypedCall<v1::HelloRequest, v1::HelloResponse>>(
      v1::kHello, v1::HelloRequest(), Call{},
      Done<v1::HelloResponse>(
          lifetime_.guard([this](Result<v1::HelloResponse> answer) { on_time_learnt(std::move(answer)); })));
  hello->started = runtime_.now();
  hello->deadline = hello->started + options_.hello_timeout;
  hello->tried.assign(proxies_.size(), false);
  hello_ = ++last_id_;
  calls_.emplace(hello_, std::move(hello));
  attempt(hello_);
}

void ClientCore::on_time_learnt(Result<v1::HelloResponse> hello) {
  hello_ = 0;
  std::vector<CallId> waiting;
  for (const CallId id : std::exchange(parked_, {})) {
    if (find(id) != nullptr) waiting.push_back(id);
  }
  if (shut_down_ || waiting.empty()) return;
  if (!hello && judge(hello.error().code()).next != NextStep::kStop) {
    parked_ = std::move(waiting);
    return learn_time();
  }
  // What cannot be helped by asking again ends them all.
  std::optional<Error> error;
  if (!hello) {
    error = hello.error();
  } else if (!clock_.known()) {
    error.emplace(ErrorCode::kUnavailable, "the proxy does not say the cluster's time");
  }
  for (const CallId id : waiting) {
    PendingCall* call = find(id);
    if (call == nullptr) continue;  // ended by the callback of one before it
    runtime_.cancel(std::exchange(call->timer, 0));
    if (error) {
      finish(id, conclusion(*call, *error, true));
    } else {
      attempt(id);
    }
  }
}

void ClientCore::on_parked_too_long(CallId id) {
  PendingCall* call = find(id);
  if (call == nullptr) return;
  call->timer = 0;
  std::erase(parked_, id);
  const PendingCall* hello = find(hello_);
  Error error(ErrorCode::kDeadlineExceeded, "no proxy said the cluster's time");
  if (hello != nullptr && hello->last_error) error = *hello->last_error;
  // Nothing of this call was sent, whatever became of the Hello.
  if (!is_definite(error)) error = Error(ErrorCode::kDeadlineExceeded, "no answer").with_cause(std::move(error));
  finish(id, conclusion(*call, std::move(error), true));
}

CallId ClientCore::new_request_id(Call options, Done<v1::RequestId> done) {
  if (clock_.known()) {
    runtime_.post(
        [id = clock_.next(client_number(), runtime_.now()), done = std::move(done)]() mutable { done(std::move(id)); });
    return 0;
  }
  return hello(v1::HelloRequest(), std::move(options),
               [this, alive = lifetime_.token(), done = std::move(done)](Result<v1::HelloResponse> answer) mutable {
                 if (!answer) return done(std::unexpected(std::move(answer).error()));
                 if (alive.expired()) return done(fail(ErrorCode::kCancelled, "the client is closed"));
                 if (!clock_.known()) {
                   return done(fail(ErrorCode::kUnavailable, "the proxy does not say the cluster's time"));
                 }
                 done(clock_.next(client_number(), runtime_.now()));
               });
}

}  // namespace meridian::client
