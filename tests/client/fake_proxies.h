// A transport whose other ends are a script: what each attempt of a client meets is said beforehand, attempt
// by attempt; what is not said succeeds. Lives on a SimRuntime's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/runtime.h"
#include "base/transport.h"
#include "client/proto/methods.h"

namespace meridian::client {

class FakeProxies final : public Transport {
 public:
  struct Attempt {
    Address to;
    MethodId method;
    std::string request;
    MonoTime at;
    MonoTime deadline;
    template <class M>
    M decoded() const {
      return *decode(request, static_cast<M*>(nullptr));
    }
  };

  explicit FakeProxies(Runtime& runtime) : runtime_(runtime) {}

  // The next attempt (Hellos apart) that is not spoken for.
  void will_fail(ErrorCode code, std::string message = "scripted", std::uint32_t retry_after_ms = 0) {
    plan_.push_back(fail(Error(code, std::move(message)).with_retry_after(retry_after_ms)));
  }
  void will_succeed() { plan_.push_back(std::nullopt); }
  template <class M>
  void will_answer(const M& message) {
    plan_.push_back(encode(message));
  }
  void will_answer_bytes(std::string bytes) { plan_.push_back(std::move(bytes)); }
  // After so long, whatever the attempt's deadline.
  template <class M>
  void will_answer_after(Duration time, const M& message) {
    plan_.push_back(fail(Error(ErrorCode::kCancelled, kLate)));
    late_.emplace_back(time, encode(message));
  }
  void will_be_silent() { plan_.push_back(fail(Error(ErrorCode::kCancelled, kSilent))); }

  void forget_plan() { plan_.clear(); }

  // Every call to this address, Hellos included, fails so until it is brought back.
  void take_down(const Address& address, ErrorCode code = ErrorCode::kUnavailable) {
    down_.emplace_back(address, code);
  }
  void bring_back(const Address& address) {
    std::erase_if(down_, [&](const auto& d) { return d.first == address; });
  }

  std::vector<Attempt> attempts;  // Hellos apart
  std::vector<Attempt> hellos;
  // The clocks of all proxies, in microseconds. 0: the runtime's wall clock.
  std::int64_t cluster_time_us = 0;
  std::optional<ErrorCode> hello_error;
  Duration latency = std::chrono::milliseconds(1);
  bool answers_inside_call = false;

  void call(const Address& to, MethodId method, std::string request, CallOptions options,
            ResponseCallback done) override {
    const bool is_hello = method == v1::kHello.id;
    Attempt attempt{to, method, std::move(request), runtime_.now(), options.deadline};
    (is_hello ? hellos : attempts).push_back(attempt);
    Result<std::string> answer = decide(to, method, is_hello);
    const bool late = !answer && answer.error().message() == kLate;
    if (late) {
      auto [time, bytes] = std::move(late_.front());
      late_.pop_front();
      if (options.late && runtime_.now() + time <= options.late_until) {
        runtime_.after(time, [give = options.late, bytes = std::move(bytes)]() mutable { give(std::move(bytes)); });
      }
    }
    if (late || (!answer && answer.error().message() == kSilent)) {
      answer = fail(ErrorCode::kUnknownOutcome, "no answer by the attempt's deadline");
      runtime_.at(options.deadline,
                  [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
      return;
    }
    if (answers_inside_call) return done(std::move(answer));
    runtime_.after(latency,
                   [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
  }
  void send(const Address&, MethodId, std::string, CallOptions) override {}
  void handle(MethodId, CallHandler) override {}
  Address local_address() const override { return "client"; }

  std::uint64_t time() const {
    return static_cast<std::uint64_t>(cluster_time_us != 0 ? cluster_time_us : runtime_.wall_now().us());
  }

 private:
  static constexpr const char* kSilent = "\x01silent";
  static constexpr const char* kLate = "\x01late";

  Result<std::string> decide(const Address& to, MethodId method, bool is_hello) {
    for (const auto& [address, code] : down_) {
      if (address == to) return fail(Error(code, code == ErrorCode::kUnknownOutcome ? kSilent : "down"));
    }
    if (is_hello) {
      if (hello_error) return fail(*hello_error, "scripted hello");
      v1::HelloResponse hello;
      hello.set_cluster_time_us(time());
      return encode(hello);
    }
    if (!plan_.empty()) {
      std::optional<Result<std::string>> planned = std::move(plan_.front());
      plan_.pop_front();
      if (planned) return std::move(*planned);
    }
    return success(method);
  }
  std::string success(MethodId method) const {
    if (method == v1::kGet.id) {
      v1::GetResponse response;
      response.mutable_info()->set_cluster_time_us(time());
      return encode(response);
    }
    if (method == v1::kCompareAndSet.id) {
      v1::CompareAndSetResponse response;
      response.set_succeeded(true);
      response.set_cluster_time_us(time());
      return encode(response);
    }
    if (method == v1::kScan.id || method == v1::kMultiGet.id) return {};
    if (method < 0x200) {
      v1::WriteResponse response;
      response.set_version(7);
      response.set_cluster_time_us(time());
      return encode(response);
    }
    return {};
  }

  Runtime& runtime_;
  std::deque<std::optional<Result<std::string>>> plan_;
  std::deque<std::pair<Duration, std::string>> late_;
  std::vector<std::pair<Address, ErrorCode>> down_;
};

}  // namespace meridian::client
