#include "base/result.h"

namespace meridian {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid argument";
    case ErrorCode::kFailedPrecondition: return "failed precondition";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kAlreadyExists: return "already exists";
    case ErrorCode::kNotLeader: return "not leader";
    case ErrorCode::kBusy: return "busy";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kUnknownOutcome: return "unknown outcome";
    case ErrorCode::kDeadlineExceeded: return "deadline exceeded";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kConnectionLost: return "connection lost";
    case ErrorCode::kWouldBlock: return "would block";
    case ErrorCode::kIo: return "i/o error";
    case ErrorCode::kDiskFull: return "disk full";
    case ErrorCode::kCorruption: return "corruption";
    case ErrorCode::kOutOfRange: return "out of range";
    case ErrorCode::kUnimplemented: return "unimplemented";
    case ErrorCode::kInternal: return "internal";
  }
  return "unknown error code";
}

bool is_definite(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnknownOutcome:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kInternal:
    case ErrorCode::kIo:
      return false;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kNotLeader:
    case ErrorCode::kBusy:
    case ErrorCode::kConflict:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
    case ErrorCode::kUnavailable:
    case ErrorCode::kWouldBlock:
    case ErrorCode::kDiskFull:
    case ErrorCode::kCorruption:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnimplemented:
      return true;
  }
  return false;  // a code from a newer version: nothing is known
}

std::string Error::to_string() const {
  std::string text(meridian::to_string(code_));
  text += ": ";
  text += message_;
  for (const Error* cause = cause_.get(); cause != nullptr; cause = cause->cause()) {
    text += ": ";
    text += cause->message();
  }
  return text;
}

}  // namespace meridian
