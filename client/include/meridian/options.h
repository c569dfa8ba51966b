// How to connect, and what can be said about one call. All setters return *this:
//
//   auto read = client.get("user/7", meridian::CallOptions().timeout(std::chrono::milliseconds(200)).any_replica());
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meridian/config.h>
#include <meridian/result.h>

MERIDIAN_SDK_BEGIN

// Identifies one write across all attempts to make it, also those of a restarted program: the same id
// with the same write takes effect at most once within 10 minutes of the id's making. The SDK makes one
// per write by itself. Store one (to_string) beside your own record of work before you begin it, and a
// restart can repeat the write safely.
//
//   auto id = client.new_request_id();
//   journal.write(id->to_string());
//   client.put("order/17", order, meridian::CallOptions().request_id(*id));
//
// The same id with another write is refused (kInvalidArgument). Older than 10 minutes: kUnknownOutcome.
class RequestId {
 public:
  // time_us: cluster time in microseconds since 1970; client: a random number; sequence: a counter.
  RequestId(std::uint64_t time_us, std::uint64_t client, std::uint64_t sequence)
      : time_us_(time_us), client_(client), sequence_(sequence) {}
  std::uint64_t time_us() const { return time_us_; }
  std::uint64_t client() const { return client_; }
  std::uint64_t sequence() const { return sequence_; }

  // "1764000000123456-9f8e7d6c5b4a3928-42", and back. kInvalidArgument for anything else.
  std::string to_string() const;
  static Result<RequestId> parse(std::string_view text);
  friend bool operator==(const RequestId&, const RequestId&) = default;

 private:
  std::uint64_t time_us_;
  std::uint64_t client_;
  std::uint64_t sequence_;
};

// kLinearizable: the newest acknowledged write, from the leader. kAnyReplica: from any replica,
// preferably a near one, as of the timestamp in the answer (ReadInfo), which may be in the past.
enum class Consistency : std::uint8_t { kLinearizable, kAnyReplica };

namespace detail {
class CancellationState;
}

// Handed to calls; any number of calls may share one. Copies refer to the same source. Thread-safe.
class CancellationToken {
 public:
  CancellationToken() = default;  // never cancelled
  explicit CancellationToken(std::shared_ptr<detail::CancellationState> state) : state_(std::move(state)) {}
  bool is_cancelled() const;
  const std::shared_ptr<detail::CancellationState>& state() const { return state_; }

 private:
  std::shared_ptr<detail::CancellationState> state_;
};

// Gives calls up, from any thread. A read, or a write that was certainly not sent, ends with kCancelled
// (definite); a write that may have been received ends with kUnknownOutcome.
//
//   meridian::CancellationSource stop;
//   auto future = client.get_async("k", meridian::CallOptions().cancellation(stop.token()));
//   stop.cancel();
class CancellationSource {
 public:
  CancellationSource();
  CancellationToken token() const { return CancellationToken(state_); }
  // Calls that carry the token end soon; later ones end at once. May be called more than once.
  void cancel();

 private:
  std::shared_ptr<detail::CancellationState> state_;
};

// Options of one call. What does not apply to a call is ignored (the consistency of a write).
class CallOptions {
 public:
  CallOptions() {}

  // The whole call with all its retries ends within it. Default: ConnectOptions::timeout. At least 1 ms.
  CallOptions& timeout(std::chrono::milliseconds timeout) {
    timeout_ = timeout;
    return *this;
  }
  CallOptions& cancellation(CancellationToken token) {
    cancellation_ = std::move(token);
    return *this;
  }
  // A cluster that has too much to do refuses (ErrorCode::kBusy). By default the call waits as long as it was asked to
  // and tries again, within its time-out. With this it ends at once, after all proxies were asked: for callers who have
  // something better to do, or who must not add to the load. Definite: nothing was done.
  CallOptions& fail_when_busy(bool fail = true) {
    fail_when_busy_ = fail;
    return *this;
  }
  // Reads only; default: Consistency::kLinearizable.
  CallOptions& consistency(Consistency consistency) {
    consistency_ = consistency;
    return *this;
  }
  CallOptions& any_replica() { return consistency(Consistency::kAnyReplica); }
  // Reads only: exactly as of this timestamp (ReadInfo::timestamp of an earlier read). 0: now.
  // kOutOfRange: in the future by more than the maximum clock offset (250 ms), or no longer retained.
  CallOptions& at_timestamp(std::uint64_t timestamp) {
    at_timestamp_ = timestamp;
    return *this;
  }
  // Writes only: repeats a write that was begun with this id. Default: a new one per call.
  CallOptions& request_id(RequestId id) {
    request_id_ = id;
    return *this;
  }
  // Default: "default". kNotFound: there is none of this name.
  CallOptions& keyspace(std::string name) {
    keyspace_ = std::move(name);
    return *this;
  }

  const std::optional<std::chrono::milliseconds>& timeout() const { return timeout_; }
  const CancellationToken& cancellation() const { return cancellation_; }
  bool fail_when_busy() const { return fail_when_busy_; }
  Consistency consistency() const { return consistency_; }
  std::uint64_t at_timestamp() const { return at_timestamp_; }
  const std::optional<RequestId>& request_id() const { return request_id_; }
  const std::string& keyspace() const { return keyspace_; }

 private:
  std::optional<std::chrono::milliseconds> timeout_;
  CancellationToken cancellation_;
  bool fail_when_busy_ = false;
  Consistency consistency_ = Consistency::kLinearizable;
  std::uint64_t at_timestamp_ = 0;
  std::optional<RequestId> request_id_;
  std::string keyspace_;
};

// Where the proxies are, and defaults of the client.
//
//   auto client = meridian::Client::connect(meridian::ConnectOptions{"10.0.0.4:7400", "10.0.0.5:7400"});
class ConnectOptions {
 public:
  // Proxies as "host:port". Calls are balanced over those that answer and fail over between them.
  ConnectOptions(std::initializer_list<std::string> proxies) : proxies_(proxies) {}
  explicit ConnectOptions(std::vector<std::string> proxies) : proxies_(std::move(proxies)) {}

  // Of calls that set none. Default 10 s.
  ConnectOptions& timeout(std::chrono::milliseconds timeout) {
    timeout_ = timeout;
    return *this;
  }
  // How long connect() tries to reach a proxy. Default 5 s. 0: it does not wait; the first call will.
  ConnectOptions& connect_timeout(std::chrono::milliseconds timeout) {
    connect_timeout_ = timeout;
    return *this;
  }
  // Calls that may be under way at once; more are refused at once with kBusy. Default 65,536.
  ConnectOptions& max_in_flight(std::size_t calls) {
    max_in_flight_ = calls;
    return *this;
  }
  // For testing your own code: this share of calls (0 to 1) ends with an error although nothing is
  // wrong: reads with kUnavailable or kBusy; writes also with kUnknownOutcome, half of those done and
  // half not. Default 0.
  ConnectOptions& inject_faults(double probability) {
    inject_faults_ = probability;
    return *this;
  }

  const std::vector<std::string>& proxies() const { return proxies_; }
  std::chrono::milliseconds timeout() const { return timeout_; }
  std::chrono::milliseconds connect_timeout() const { return connect_timeout_; }
  std::size_t max_in_flight() const { return max_in_flight_; }
  double inject_faults() const { return inject_faults_; }

 private:
  std::vector<std::string> proxies_;
  std::chrono::milliseconds timeout_{10'000};
  std::chrono::milliseconds connect_timeout_{5'000};
  std::size_t max_in_flight_ = 65'536;
  double inject_faults_ = 0;
};

MERIDIAN_SDK_END
