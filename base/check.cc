#include "base/check.h"

#include <cstdlib>

#include <fmt/format.h>

#include "base/line_output.h"

namespace meridian::internal {

// Whoever must stop does not wait for somebody to read why.
void check_failed(const char* file, int line, const char* expression, const std::string& message) {
  LineOutput::standard_error().write(
      fmt::format("{}:{}: CHECK failed: {}{}{}\n", file, line, expression, message.empty() ? "" : ": ", message));
  std::abort();
}

}  // namespace meridian::internal
