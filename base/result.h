// Result<T>: a value or an Error. Error is one closed ErrorCode, a message for people that names the
// value and the limit, and a chain of causes. No exceptions of ours; those of libraries end at the adapter.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace meridian {

// The numbers travel in messages and never change their meaning; append only.
enum class ErrorCode : std::uint16_t {
  kInvalidArgument = 1,     // the request can never succeed; the message names the value and the limit
  kFailedPrecondition = 2,  // the system is not in a state that allows it (a condition did not hold, ...)
  kNotFound = 3,
  kAlreadyExists = 4,
  kNotLeader = 5,           // routing: ask another replica; the proxy follows it, applications never see it
  kBusy = 6,                // refused early, before anything was queued; see Error::retry_after_ms
  kConflict = 7,            // lost against a concurrent transaction; run the body again
  kUnknownOutcome = 8,      // it may or may not have happened; retry only with the same request id
  kDeadlineExceeded = 9,    // a read, or a write that was certainly not sent
  kCancelled = 10,          // given up by the caller before it was sent
  kUnavailable = 11,        // certainly not executed: no route, or it never left this process
  kConnectionLost = 12,     // transport only: sent, and the connection broke before an answer
  kWouldBlock = 13,         // engine only: not in memory, and the caller asked not to wait
  kIo = 14,                 // a disk or a file failed
  kDiskFull = 15,           // read-only until there is space
  kCorruption = 16,         // stored bytes fail their checksum or cannot be what was written
  kOutOfRange = 17,         // an id or timestamp from the future or from before the retained past
  kUnimplemented = 18,      // unknown method: the peer is of another version
  kInternal = 19,
};

std::string_view to_string(ErrorCode code);

// Did the operation certainly NOT take effect? Only then may a caller report failure or try again
// with a new request id.
bool is_definite(ErrorCode code);

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const Error* cause() const { return cause_.get(); }

  // How long a busy server asks the caller to wait. 0: no advice.
  std::uint32_t retry_after_ms() const { return retry_after_ms_; }

  Error with_cause(Error cause) && {
    cause_ = std::make_shared<const Error>(std::move(cause));
    return std::move(*this);
  }
  Error with_retry_after(std::uint32_t ms) && {
    retry_after_ms_ = ms;
    return std::move(*this);
  }

  // "busy: 65536 requests are waiting: <cause>: <cause>"
  std::string to_string() const;

 private:
  ErrorCode code_;
  std::uint32_t retry_after_ms_ = 0;
  std::string message_;
  std::shared_ptr<const Error> cause_;
};

inline bool is_definite(const Error& error) { return is_definite(error.code()); }

template <class T = void>
using Result = std::expected<T, Error>;

// return fail(ErrorCode::kInvalidArgument, fmt::format("key of {} bytes; the limit is {}", n, limit));
inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected<Error>(std::in_place, code, std::move(message));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace meridian

// RETURN_IF_ERROR(write_header(file));           for Result<>
#define RETURN_IF_ERROR(expression)                                                  \
  do {                                                                               \
    if (auto result_ = (expression); !result_.has_value()) [[unlikely]]              \
      return std::unexpected<::meridian::Error>(std::move(result_).error());         \
  } while (false)

// The same in a coroutine.
#define CO_RETURN_IF_ERROR(expression)                                               \
  do {                                                                               \
    if (auto result_ = (expression); !result_.has_value()) [[unlikely]]              \
      co_return std::unexpected<::meridian::Error>(std::move(result_).error());      \
  } while (false)

// ASSIGN_OR_RETURN(auto header, read_header(file));
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_IMPL_(MERIDIAN_CONCAT_(result_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_IMPL_(result, target, expression)                           \
  auto result = (expression);                                                        \
  if (!result.has_value()) [[unlikely]]                                              \
    return std::unexpected<::meridian::Error>(std::move(result).error());            \
  target = std::move(result).value()
#define MERIDIAN_CONCAT_(a, b) MERIDIAN_CONCAT_IMPL_(a, b)
#define MERIDIAN_CONCAT_IMPL_(a, b) a##b
