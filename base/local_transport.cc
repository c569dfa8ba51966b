#include "base/local_transport.h"

#include <atomic>
#include <mutex>
#include <utility>

#include <fmt/format.h>

namespace meridian {

// One transport, as the others see it. The loop's side is reached through post() only.
struct LocalNetwork::End {
  // False: it has left; the callback is destroyed here. So it is where the loop has stopped, and then it may answer
  // somebody, through another end: not while this one is locked.
  bool post(Callback callback) {
    const auto kept = std::make_shared<Callback>(std::move(callback));
    const std::lock_guard lock(mutex);
    if (transport == nullptr) return false;
    runtime.post([kept] {
      Callback moved = std::move(*kept);
      moved();
    });
    return true;
  }

  Runtime& runtime;
  std::atomic<std::size_t> queued_bytes{0};
  std::mutex mutex;
  LocalTransport* transport;                 // guarded by mutex; null: it has left. Stable on the loop while it is not
  std::map<MethodId, CallHandler> handlers;  // the loop's
};

class LocalNetwork::Ends {
 public:
  std::shared_ptr<End> find(const Address& address) const {
    const std::lock_guard lock(mutex_);
    const auto it = ends_.find(address);
    return it == ends_.end() ? nullptr : it->second;
  }
  void join(const Address& address, std::shared_ptr<End> end) {
    const std::lock_guard lock(mutex_);
    ends_[address] = std::move(end);
  }
  void leave(const Address& address, const End* end) {
    const std::lock_guard lock(mutex_);
    const auto it = ends_.find(address);
    if (it != ends_.end() && it->second.get() == end) ends_.erase(it);
  }

 private:
  mutable std::mutex mutex_;
  std::map<Address, std::shared_ptr<End>> ends_;  // guarded by mutex_
};

LocalNetwork::LocalNetwork() : ends_(std::make_shared<Ends>()) {}
LocalNetwork::~LocalNetwork() = default;

LocalTransport::LocalTransport(Runtime& runtime, std::shared_ptr<LocalNetwork> network, Transport& outside,
                               LocalTransportOptions options)
    : runtime_(runtime),
      network_(std::move(network)),
      outside_(outside),
      options_(std::move(options)),
      self_(new LocalNetwork::End{runtime, {}, {}, this, {}}) {
  network_->ends_->join(local_address(), self_);
}

LocalTransport::~LocalTransport() {
  network_->ends_->leave(local_address(), self_.get());
  {
    const std::lock_guard lock(self_->mutex);
    self_->transport = nullptr;
  }
  self_->handlers.clear();
}

void LocalTransport::handle(MethodId method, CallHandler handler) {
  self_->handlers[method] = handler;
  outside_.handle(method, std::move(handler));
}

std::optional<Error> LocalTransport::refusal(const LocalNetwork::End& to, std::size_t bytes) const {
  if (bytes > options_.frame_bytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a message of {} bytes; the limit is {}", bytes, options_.frame_bytes));
  }
  const std::size_t queued = to.queued_bytes.load(std::memory_order_relaxed);
  if (queued + bytes > options_.queue_bytes) {
    return Error(ErrorCode::kBusy,
                 fmt::format("{} bytes are on their way there; the limit is {}", queued, options_.queue_bytes));
  }
  return std::nullopt;
}

// Counted until it has arrived, or was destroyed on the way.
void LocalTransport::deliver(std::shared_ptr<LocalNetwork::End> to, const Address& address, std::size_t bytes,
                             Callback arrive) {
  to->queued_bytes.fetch_add(bytes, std::memory_order_relaxed);
  std::shared_ptr<LocalNetwork::End> counted(
      to.get(), [to, bytes](LocalNetwork::End* end) { end->queued_bytes.fetch_sub(bytes, std::memory_order_relaxed); });
  Callback hand_over = [counted = std::move(counted), arrive = std::move(arrive)]() mutable {
    counted.reset();
    arrive();
  };
  const Duration delay = options_.request_delay ? options_.request_delay(address) : Duration(0);
  if (delay == Duration(0)) {
    (void)to->post(std::move(hand_over));
    return;
  }
  runtime_.after(delay, [to, hand_over = std::move(hand_over)]() mutable { (void)to->post(std::move(hand_over)); });
}

void LocalTransport::call(const Address& to, MethodId method, std::string request, CallOptions options,
                          ResponseCallback done) {
  std::shared_ptr<LocalNetwork::End> end = network_->ends_->find(to);
  if (end == nullptr) return outside_.call(to, method, std::move(request), std::move(options), std::move(done));
  std::optional<Error> refused = refusal(*end, request.size());
  if (!refused && options.deadline <= runtime_.now()) {
    refused = Error(ErrorCode::kDeadlineExceeded, "the deadline passed before the call began");
  }
  if (refused) {
    return runtime_.post(lifetime_.guard(
        [done = std::move(done), refused = std::move(*refused)]() mutable { done(fail(std::move(refused))); }));
  }
  const std::uint64_t id = ++next_id_;
  Pending& pending = pending_[id];
  pending.done = std::move(done);
  if (options.deadline != MonoTime::max()) {
    pending.timer = runtime_.at(options.deadline, lifetime_.guard([this, id] {
      answered(id, fail(ErrorCode::kUnknownOutcome, "no answer came by the deadline"));
    }));
  }
  // Any thread; what it posts runs on our loop.
  auto report = [this, alive = lifetime_.token(), caller = self_, id](Result<std::string> answer) {
    (void)caller->post([this, alive, id, answer = std::move(answer)]() mutable {
      if (!alive.expired()) answered(id, std::move(answer));
    });
  };
  // Destroyed before it has arrived, the call was certainly not received.
  Responder lost(
      [report](const Result<std::string>&) { report(fail(ErrorCode::kUnavailable, "the other end has left")); });
  IncomingCall call{std::move(request), options.deadline, std::move(options.trace), {}};
  const std::size_t bytes = call.payload.size();
  deliver(end, to, bytes,
          [end, method, report, zone = options_.zone, call = std::move(call), lost = std::move(lost)]() mutable {
            if (end->transport == nullptr) return;
            lost.cancel();
            end->transport->receive(method, std::move(call), zone, std::move(report));
          });
}

void LocalTransport::receive(MethodId method, IncomingCall call, const std::string& zone,
                             std::function<void(Result<std::string>)> report) {
  const Duration delay = options_.answer_delay ? options_.answer_delay(zone) : Duration(0);
  call.respond = Responder([report = std::move(report), delay, limit = options_.frame_bytes,
                            &runtime = runtime_](Result<std::string> answer) mutable {
    if (answer && answer->size() > limit) {
      answer = fail(ErrorCode::kInternal, fmt::format("an answer of {} bytes; the limit is {}", answer->size(), limit));
    }
    if (delay == Duration(0)) return report(std::move(answer));
    runtime.after(delay,
                  [report = std::move(report), answer = std::move(answer)]() mutable { report(std::move(answer)); });
  });
  const auto handler = self_->handlers.find(method);
  if (handler == self_->handlers.end()) {
    return call.respond(fail(ErrorCode::kUnimplemented, fmt::format("no method {:#x} is served here", method)));
  }
  handler->second(std::move(call));
}

void LocalTransport::send(const Address& to, MethodId method, std::string message, CallOptions options) {
  std::shared_ptr<LocalNetwork::End> end = network_->ends_->find(to);
  if (end == nullptr) return outside_.send(to, method, std::move(message), std::move(options));
  if (refusal(*end, message.size())) return;
  const std::size_t bytes = message.size();
  IncomingCall call{std::move(message), options.deadline, std::move(options.trace), {}};
  deliver(end, to, bytes, [end, method, call = std::move(call)]() mutable {
    const auto handler = end->handlers.find(method);
    if (handler != end->handlers.end()) handler->second(std::move(call));
  });
}

void LocalTransport::answered(std::uint64_t id, Result<std::string> answer) {
  const auto it = pending_.find(id);
  if (it == pending_.end()) return;  // it came after the deadline
  Pending pending = std::move(it->second);
  pending_.erase(it);
  if (pending.timer != 0) runtime_.cancel(pending.timer);
  pending.done(std::move(answer));
}

}  // namespace meridian
