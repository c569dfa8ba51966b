#include "base/hlc.h"

namespace meridian {

std::string Timestamp::to_string() const { return fmt::format("{}.{}", physical().us(), logical()); }

}  // namespace meridian
