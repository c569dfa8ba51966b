// A disk that failed, or gave back other than was stored: nothing on it may be trusted any more.
#pragma once

#include "base/result.h"

namespace meridian {

inline bool is_damage(ErrorCode code) { return code == ErrorCode::kCorruption || code == ErrorCode::kIo; }

}  // namespace meridian
