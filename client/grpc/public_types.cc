// What the public headers declare and need not inline.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/result.h"
#include "client/grpc/cancellation.h"
#include "meridian/admin.h"

namespace meridian::sdk {

std::string_view to_string(ErrorCode code) { return meridian::to_string(static_cast<meridian::ErrorCode>(code)); }

Error::Error(ErrorCode code, std::string message)
    : code_(code),
      definite_(meridian::is_definite(static_cast<meridian::ErrorCode>(code))),
      message_(std::move(message)) {}

Error::Error(ErrorCode code, std::string message, bool definite, std::vector<std::string> causes,
             std::chrono::milliseconds retry_after)
    : code_(code),
      definite_(definite),
      retry_after_(retry_after),
      message_(std::move(message)),
      causes_(std::move(causes)) {}

std::string Error::to_string() const {
  std::string text(sdk::to_string(code_));
  text += ": ";
  text += message_;
  for (const std::string& cause : causes_) {
    text += ": ";
    text += cause;
  }
  return text;
}

void detail::bad_result_access(const Error* error) {
  std::fprintf(stderr, "meridian: %s\n",
               error != nullptr ? ("the value of a failed Result was read: " + error->to_string()).c_str()
                                : "the error of a Result that holds a value was read");
  std::abort();
}

std::string RequestId::to_string() const { return fmt::format("{}-{:016x}-{}", time_us_, client_, sequence_); }

Result<RequestId> RequestId::parse(std::string_view text) {
  std::uint64_t part[3];
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int i = 0; i < 3; ++i) {
    const auto [next, error] = std::from_chars(at, end, part[i], i == 1 ? 16 : 10);
    const bool separated = i == 2 ? next == end : next != end && *next == '-';
    if (error != std::errc() || !separated) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a request id: time-client-sequence", text));
    }
    at = next + 1;
  }
  return RequestId(part[0], part[1], part[2]);
}

bool CancellationToken::is_cancelled() const { return state_ && state_->is_cancelled(); }

CancellationSource::CancellationSource() : state_(std::make_shared<detail::CancellationState>()) {}
void CancellationSource::cancel() { state_->cancel(); }

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kLeader: return "leader";
    case Role::kFollower: return "follower";
    case Role::kLearner: return "learner";
    case Role::kUnknown: break;
  }
  return "unknown";
}

std::string_view to_string(NodeState state) {
  switch (state) {
    case NodeState::kJoining: return "joining";
    case NodeState::kActive: return "active";
    case NodeState::kLeaving: return "leaving";
    case NodeState::kRemoved: return "removed";
    case NodeState::kUnknown: break;
  }
  return "unknown";
}

}  // namespace meridian::sdk
