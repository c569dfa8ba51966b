// What is behind a Client: one thread with a loop, a gRPC transport and a ClientCore on it. Thread-safe:
// what comes in is posted to the loop. Calls of many threads leave in common batches.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/event_loop.h"
#include "base/grpc/grpc_transport.h"
#include "base/grpc/reactor.h"
#include "client/core/client_core.h"
#include "client/grpc/cancellation.h"
#include "client/grpc/convert.h"
#include "meridian/future.h"
#include "meridian/options.h"

namespace meridian::sdk::detail {

template <class T>
Future<T> ready(Result<T> result) {
  auto state = std::make_shared<FutureState<T>>();
  state->set(std::move(result));
  return Future<T>(std::move(state));
}

class Connection {
 public:
  // Requires: the options were checked.
  explicit Connection(const ConnectOptions& options);
  // Ends what is under way and joins the thread. On the client's own thread, where that can't be, another
  // thread finishes it.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Makes a call (one of client/proto/methods.h); the future is set to translate(Response&&).
  template <class Public, class Request, class Response, class Translate>
  Future<Public> call(const Method<Request, Response>& method, Request request, const CallOptions& options,
                      Translate translate) {
    const bool is_read = client::kind_of(method.id) == client::CallKind::kRead;
    return start<Public, Response>(options, is_read, std::move(translate),
                                   [method, request = std::move(request)](client::ClientCore& core, client::Call call,
                                                                          client::Done<Response> done) mutable {
                                     return core.call(method, std::move(request), std::move(call), std::move(done));
                                   });
  }
  Future<RequestId> new_request_id(const CallOptions& options);

 private:
  // What lives on the loop. A cancelling thread may hold it a moment longer than the Connection.
  struct Loop {
    std::shared_ptr<GrpcReactor> reactor = std::make_shared<GrpcReactor>();
    EventLoop runtime{EventLoop::Options{.name = "meridian-client", .pool = nullptr, .reactor = reactor}};
    std::optional<GrpcTransport> transport;
    std::optional<client::ClientCore> core;
  };

  // Sets the future exactly once, also where the loop drops what it was given.
  template <class Public>
  class Promise {
   public:
    Promise(std::shared_ptr<FutureState<Public>> state, bool is_read) : state_(std::move(state)), is_read_(is_read) {}
    Promise(Promise&&) noexcept = default;
    ~Promise() {
      if (!state_) return;
      set(Error(is_read_ ? ErrorCode::kCancelled : ErrorCode::kUnknownOutcome, "the client was closed"));
    }
    void set(Result<Public> result) { std::exchange(state_, nullptr)->set(std::move(result)); }

   private:
    std::shared_ptr<FutureState<Public>> state_;
    bool is_read_;
  };

  template <class Public, class Response, class Translate, class Start>
  Future<Public> start(const CallOptions& options, bool is_read, Translate translate, Start start) {
    if (options.fail_when_busy() && throttle_->refuses_early(loop_->runtime.now(), draw())) {
      return ready<Public>(to_public(throttle_->refusal(), is_read));
    }
    auto state = std::make_shared<FutureState<Public>>();
    loop_->runtime.post([loop = loop_.get(), weak = std::weak_ptr(loop_), start = std::move(start), is_read,
                         call = call_of(options), token = options.cancellation().state(),
                         translate = std::move(translate), promise = Promise<Public>(state, is_read)]() mutable {
      if (token && token->is_cancelled()) {
        return promise.set(Error(ErrorCode::kCancelled, "cancelled before it was sent"));
      }
      auto registration = token ? std::make_shared<std::uint64_t>(0) : nullptr;
      const client::CallId id =
          start(*loop->core, std::move(call),
                client::Done<Response>([promise = std::move(promise), translate = std::move(translate), token,
                                        registration, is_read](meridian::Result<Response> answer) mutable {
                  if (token) token->remove(*registration);
                  if (!answer) return promise.set(to_public(answer.error(), is_read));
                  promise.set(translate(std::move(*answer)));
                }));
      if (!token) return;
      // Never answered from inside start, so nobody has missed the registration yet.
      const auto cancel = [weak, id] {
        if (const std::shared_ptr<Loop> held = weak.lock()) {
          held->runtime.post([loop = held.get(), id] {
            if (loop->core) loop->core->cancel(id);
          });
        }
      };
      *registration = token->add(cancel);
      if (*registration == 0) cancel();
    });
    return Future<Public>(std::move(state));
  }

  client::Call call_of(const CallOptions& options) const;

  // Uniform in [0, 1).
  static double draw();

  const std::shared_ptr<client::Throttle> throttle_ = std::make_shared<client::Throttle>();
  std::shared_ptr<Loop> loop_;
  const std::chrono::milliseconds default_timeout_;
};

}  // namespace meridian::sdk::detail
