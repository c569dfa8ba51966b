// One call of the application, through all its attempts. ClientCore moves it; the typed half knows how
// to encode the request and hand over the response.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/transport.h"
#include "client/core/retry_policy.h"
#include "client/proto/methods.h"

namespace meridian::client {

// What the caller says about one call.
struct Call {
  // Of all attempts together. Zero: the client's default time-out from now.
  MonoTime deadline;
  // Mutations: repeats one begun under this id. Absent: a new one.
  std::optional<v1::RequestId> id;
  std::string trace;  // W3C traceparent, or empty
  // Where every proxy is busy the call ends, instead of waiting.
  bool fail_when_busy = false;
  // Throttle::refuses_early() has let it pass.
  bool passed_throttle = false;
};

template <class Response>
using Done = std::move_only_function<void(Result<Response>)>;

class PendingCall {
 public:
  virtual ~PendingCall() = default;
  virtual std::string encoded(const std::optional<v1::RequestId>& id) = 0;
  // Decodes and keeps an answer, which says the server's clock (0: it does not).
  virtual Result<WallTime> accept(std::string_view answer) = 0;
  // The answer is of a part; encoded() is now the request for the rest.
  virtual bool wants_rest() const { return false; }
  // Exactly one of the two is called, once. Requires for succeed: accept() took an answer.
  virtual void succeed() = 0;
  virtual void fail_with(Error error) = 0;

  MethodId method = 0;
  std::string_view name;
  CallKind kind = CallKind::kOnce;
  MonoTime started;
  MonoTime deadline;
  std::string trace;
  bool fail_when_busy = false;
  bool passed_throttle = false;

  std::optional<v1::RequestId> id;
  bool own_id = true;      // made here, so that another may be made while nothing was received
  bool id_remade = false;  // once is enough

  int attempts = 0;       // of the part of the answer that is asked for now
  int last_attempt = 0;   // of all; counts on
  int parts = 0;          // of the answer, taken
  int rounds = 0;  // of back-off
  bool attempt_under_way = false;
  // Invariant: once true, the call ends with the server's answer or with kUnknownOutcome, nothing else.
  bool maybe_received = false;
  std::vector<bool> tried;  // proxies, in this round
  TimerId timer = 0;        // of a back-off, or of the deadline while the cluster's time is not known
  std::optional<Error> last_error;

  // A fault to answer with instead of what the server says (Options::inject_faults).
  std::optional<Error> injected;
};

template <class Request, class Response>
class TypedCall final : public PendingCall {
 public:
  TypedCall(const Method<Request, Response>& m, Request request, Call call, Done<Response> done)
      : request_(std::move(request)), done_(std::move(done)) {
    method = m.id;
    name = m.name;
    kind = kind_of(m.id);
    deadline = call.deadline;
    trace = std::move(call.trace);
    fail_when_busy = call.fail_when_busy;
    passed_throttle = call.passed_throttle;
    if (call.id) {
      id = std::move(call.id);
      own_id = false;
    } else if constexpr (requires { request_.has_id(); }) {
      if (request_.has_id()) {
        id = request_.id();
        own_id = false;
      }
    }
  }
  std::string encoded(const std::optional<v1::RequestId>& request_id) override {
    if constexpr (requires { request_.mutable_id(); }) {
      if (request_id) *request_.mutable_id() = *request_id;
    }
    return encode(request_);
  }
  Result<WallTime> accept(std::string_view answer) override {
    ASSIGN_OR_RETURN(Response response, decode(answer, static_cast<Response*>(nullptr)));
    std::uint64_t us = 0;
    if constexpr (requires { response.info(); }) {
      us = response.info().cluster_time_us();
    } else if constexpr (requires { response.cluster_time_us(); }) {
      us = response.cluster_time_us();
    }
    if constexpr (kInParts) {
      RETURN_IF_ERROR(take_part(std::move(response)));
    } else {
      response_ = std::move(response);
    }
    return WallTime(static_cast<std::int64_t>(us));
  }
  bool wants_rest() const override {
    if constexpr (kInParts) return request_.keys_size() > 0;
    return false;
  }
  void succeed() override { done_(std::move(response_)); }
  void fail_with(Error error) override { done_(std::unexpected(std::move(error))); }

 private:
  static constexpr bool kInParts = std::is_same_v<Response, v1::MultiGetResponse>;

  // All parts are as of the first one's timestamp.
  Result<> take_part(Response&& part) {
    const int answered = part.items_size(), asked = request_.keys_size();
    if (static_cast<std::int64_t>(answered) + part.rest() != asked || (answered == 0 && asked > 0)) {
      return fail(ErrorCode::kInternal, fmt::format("{} items and {} left, of {} keys", answered, part.rest(), asked));
    }
    if (response_.items_size() == 0) {
      response_ = std::move(part);
      response_.clear_rest();
    } else {
      for (auto& item : *part.mutable_items()) *response_.add_items() = std::move(item);
    }
    request_.mutable_keys()->DeleteSubrange(0, answered);
    request_.mutable_options()->set_at_timestamp(response_.info().timestamp());
    return {};
  }

  Request request_;
  Response response_;
  Done<Response> done_;
};

}  // namespace meridian::client
