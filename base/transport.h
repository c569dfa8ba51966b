// The port between processes: bytes with a method, an id, a deadline and a trace. Messages between the
// same two ends with the same priority leave in the order they were given, in batches of whatever
// gathered while the last batch was being written; answers come back in any order.
// Implementations: base/grpc (sockets) and the simulator's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/runtime.h"

namespace meridian {

using MethodId = std::uint32_t;
using Address = std::string;  // "host:port"

enum class Priority : std::uint8_t { kHigh, kNormal, kBulk };  // consensus; requests; snapshots

struct CallOptions {
  MonoTime deadline = MonoTime::max();
  Priority priority = Priority::kNormal;
  std::string trace;  // W3C traceparent, or empty
  // On a slow line an answer comes after all: one that arrives past the deadline, when `done` has been told that there is
  // none, and before late_until, is given here. Answers only, no errors; a transport may leave it out.
  std::function<void(std::string answer)> late;
  MonoTime late_until;
};

using ResponseCallback = std::move_only_function<void(Result<std::string>)>;

// Answers one call, exactly once, from the loop. Dropped unanswered, the caller gets kUnknownOutcome.
class Responder {
 public:
  Responder() = default;
  explicit Responder(ResponseCallback callback) : callback_(std::move(callback)) {}
  Responder(Responder&& other) noexcept : callback_(std::exchange(other.callback_, nullptr)) {}
  Responder& operator=(Responder&& other) noexcept {
    std::swap(callback_, other.callback_);
    return *this;
  }
  ~Responder() {
    if (callback_) callback_(fail(ErrorCode::kUnknownOutcome, "the server dropped the request"));
  }
  void operator()(Result<std::string> response) {
    auto callback = std::exchange(callback_, nullptr);
    if (callback) callback(std::move(response));
  }
  // Nobody is answered any more, by whoever passes the duty on.
  void cancel() { callback_ = nullptr; }

 private:
  ResponseCallback callback_;
};

struct IncomingCall {
  std::string payload;
  MonoTime deadline = MonoTime::max();  // on this machine's clock
  std::string trace;
  Responder respond;  // of a one-way message: answering does nothing
};

using CallHandler = std::function<void(IncomingCall)>;

class Transport {
 public:
  virtual ~Transport() = default;

  // done is called on the loop exactly once (never, if the incarnation dies): the answer, the error the
  // peer answered, or
  //   kUnavailable       it certainly never left this process
  //   kDeadlineExceeded  likewise
  //   kUnknownOutcome    it may have been received, and no answer came by the deadline
  //   kConnectionLost    it may have been received, and the connection broke.
  virtual void call(const Address& to, MethodId method, std::string request, CallOptions options,
                    ResponseCallback done) = 0;
  // One way: may be lost, never duplicated or reordered within one connection.
  virtual void send(const Address& to, MethodId method, std::string message, CallOptions options) = 0;

  // Handlers run on the loop. Unknown methods are answered kUnimplemented.
  virtual void handle(MethodId method, CallHandler handler) = 0;

  // The address others reach this end at.
  virtual Address local_address() const = 0;
};

// A typed call: its id, its name for logs and metrics, and the codec of its two messages. For each
// message type there are `std::string encode(const M&)` and `Result<M> decode(std::string_view, M*)`,
// found by ADL (the pointer selects the type and is never read).
template <class Request, class Response>
struct Method {
  using request_type = Request;
  using response_type = Response;
  MethodId id;
  std::string_view name;
};

// done: std::move_only_function<void(Result<Response>)>
template <class Request, class Response, class Done>
void call(Transport& transport, const Address& to, const Method<Request, Response>& method, const Request& request,
          CallOptions options, Done done) {
  transport.call(to, method.id, encode(request), std::move(options),
                 [done = std::move(done)](Result<std::string> bytes) mutable {
                   if (!bytes) return done(Result<Response>(std::unexpect, std::move(bytes).error()));
                   done(decode(*bytes, static_cast<Response*>(nullptr)));
                 });
}

// handler: void(Request, MonoTime deadline, std::move_only_function<void(Result<Response>)> respond).
// A message that cannot be decoded is answered with the decoder's error.
template <class Request, class Response, class Handler>
void handle(Transport& transport, const Method<Request, Response>& method, Handler handler) {
  transport.handle(method.id, [handler = std::move(handler)](IncomingCall call) mutable {
    Result<Request> request = decode(call.payload, static_cast<Request*>(nullptr));
    if (!request) return call.respond(fail(std::move(request).error()));
    handler(std::move(*request), call.deadline,
            std::move_only_function<void(Result<Response>)>(
                [respond = std::move(call.respond)](Result<Response> response) mutable {
                  if (!response) return respond(fail(std::move(response).error()));
                  respond(encode(*response));
                }));
  });
}

}  // namespace meridian
