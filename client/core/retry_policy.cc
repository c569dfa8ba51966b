#include "client/core/retry_policy.h"

#include <algorithm>

#include "client/proto/methods.h"

namespace meridian::client {

CallKind kind_of(MethodId method) {
  switch (method) {
    case v1::kGet.id:
    case v1::kMultiGet.id:
    case v1::kScan.id:
    case v1::kHello.id:
    case v1::kGetStatus.id: return CallKind::kRead;
    case v1::kPut.id:
    case v1::kRemove.id:
    case v1::kCompareAndSet.id:
    case v1::kWriteBatch.id: return CallKind::kMutation;
    // Forming the same cluster again answers the same cluster; the second transfer finds it done.
    case v1::kInitCluster.id:
    case v1::kTransferLeader.id: return CallKind::kIdempotent;
    default: return CallKind::kOnce;
  }
}

Verdict judge(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kNotLeader:
    case ErrorCode::kDeadlineExceeded: return {.maybe_received = false, .next = NextStep::kFailOver};
    case ErrorCode::kConnectionLost:
    case ErrorCode::kUnknownOutcome: return {.maybe_received = true, .next = NextStep::kFailOver};
    case ErrorCode::kBusy:
    case ErrorCode::kWouldBlock: return {.maybe_received = false, .next = NextStep::kBackOff};
    case ErrorCode::kIo:
    case ErrorCode::kInternal: return {.maybe_received = true, .next = NextStep::kTryOthers};
    case ErrorCode::kDiskFull:
    case ErrorCode::kCorruption:
    case ErrorCode::kUnimplemented: return {.maybe_received = false, .next = NextStep::kTryOthers};
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled:
    case ErrorCode::kOutOfRange: return {.maybe_received = false, .next = NextStep::kStop};
  }
  return {.maybe_received = true, .next = NextStep::kStop};  // a code of a newer version: nothing is known
}

Duration BackOff::wait(int round, std::uint32_t retry_after_ms, std::uint64_t random) const {
  const Duration full = std::min(max, initial * (1 << std::clamp(round, 0, 20)));
  const auto jitter = [&](Duration bound) {
    return Duration(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(bound.count() + 1)));
  };
  const Duration own = full / 2 + jitter(full / 2);
  if (retry_after_ms == 0) return own;
  // Spread over half as much again, or all who were refused together come back together.
  const Duration asked = std::chrono::milliseconds(retry_after_ms);
  return std::max(own, asked + jitter(asked / 2));
}

}  // namespace meridian::client
