// Result<T>: what every call answers, a value or an Error. The SDK throws no exceptions of its own.
//
//   meridian::Result<meridian::ReadResult> read = client.get("user/7");
//   if (!read) {
//     std::cerr << read.error().to_string() << "\n";
//   } else if (read->found) {
//     std::cout << read->value << "\n";
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <meridian/config.h>

MERIDIAN_SDK_BEGIN

// What went wrong. The numbers are those of the protocol and never change; new ones may be added, so
// treat a code you do not know as one you cannot handle.
enum class ErrorCode : std::uint16_t {
  kInvalidArgument = 1,     // can never succeed as it is; the message names the value and the limit
  kFailedPrecondition = 2,  // the system is not in a state that allows it
  kNotFound = 3,            // no such keyspace, node, ... (a key that is not there is no error)
  kAlreadyExists = 4,
  kBusy = 6,              // refused early, nothing was done; see Error::retry_after()
  kConflict = 7,          // lost against a concurrent transaction; run it again from its reads
  kUnknownOutcome = 8,    // the write may or may not have happened; see Error::is_definite()
  kDeadlineExceeded = 9,  // no answer in time; of a write: it was certainly not done
  kCancelled = 10,        // given up by you; of a write: it was certainly not done
  kUnavailable = 11,      // no proxy could be reached, or none could reach the data; nothing was done
  kIo = 14,               // a disk failed
  kDiskFull = 15,         // read-only until there is space
  kCorruption = 16,       // stored bytes failed their checksum
  kOutOfRange = 17,       // a timestamp or request id from the future, or from before the retained past
  kUnimplemented = 18,    // client and server are of versions that do not fit
  kInternal = 19,         // a fault of Meridian
};

// "busy", "unknown outcome", ...
std::string_view to_string(ErrorCode code);

// Why a call failed. Immutable; cheap to move.
class [[nodiscard]] Error {
 public:
  // An error of your own making, for instance to return from a Task.
  Error(ErrorCode code, std::string message);
  // definite: see is_definite(). causes: outermost first. retry_after: 0 is no advice.
  Error(ErrorCode code, std::string message, bool definite, std::vector<std::string> causes,
        std::chrono::milliseconds retry_after);

  ErrorCode code() const { return code_; }

  // For people; names the value and the limit where one was passed.
  const std::string& message() const { return message_; }

  // What led to it, outermost first: "3 attempts by the deadline", "connection to 10.0.0.4:7400 broke", ...
  const std::vector<std::string>& causes() const { return causes_; }

  // True: the operation certainly did not take effect, and will not later. False: it may have, or still
  // may. Then make the same call again with the same CallOptions::request_id (it takes effect at most
  // once), or read what is there; doing it again without that id may do it twice.
  bool is_definite() const { return definite_; }

  // With kBusy: how long the server asks you to wait. 0: no advice.
  std::chrono::milliseconds retry_after() const { return retry_after_; }

  // "busy: 65536 requests are waiting: <cause>: <cause>"
  std::string to_string() const;

 private:
  ErrorCode code_;
  bool definite_;
  std::chrono::milliseconds retry_after_{0};
  std::string message_;
  std::vector<std::string> causes_;
};

namespace detail {
// Prints the error and ends the process: value() without a value, error() without an error.
[[noreturn]] void bad_result_access(const Error* error);
}  // namespace detail

// A value or an Error. Reading the wrong one is a bug in the program and ends it with a message.
// Not thread-safe, like any value.
template <class T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    require_value();
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    require_value();
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    require_value();
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  template <class U>
  T value_or(U&& otherwise) const& {
    return ok() ? value() : static_cast<T>(std::forward<U>(otherwise));
  }
  template <class U>
  T value_or(U&& otherwise) && {
    return ok() ? std::move(*this).value() : static_cast<T>(std::forward<U>(otherwise));
  }

  const Error& error() const& {
    if (ok()) detail::bad_result_access(nullptr);
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    if (ok()) detail::bad_result_access(nullptr);
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  void require_value() const {
    if (!ok()) detail::bad_result_access(std::get_if<1>(&state_));
  }
  std::variant<T, Error> state_;
};

// Done, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const {
    if (error_) detail::bad_result_access(&*error_);
  }
  const Error& error() const& {
    if (!error_) detail::bad_result_access(nullptr);
    return *error_;
  }
  Error&& error() && {
    if (!error_) detail::bad_result_access(nullptr);
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

MERIDIAN_SDK_END
