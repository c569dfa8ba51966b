// CHECK: a broken invariant ends the process, in release builds too. A replica that no longer
// knows what it holds must stop talking; nothing that can happen in the world belongs here (use Result).
#pragma once

#include <string>

#include <fmt/format.h>

namespace meridian::internal {

[[noreturn]] void check_failed(const char* file, int line, const char* expression, const std::string& message);

}  // namespace meridian::internal

#define CHECK(condition)                                                                   \
  do {                                                                                     \
    if (!(condition)) [[unlikely]]                                                         \
      ::meridian::internal::check_failed(__FILE__, __LINE__, #condition, std::string());   \
  } while (false)

// CHECK_F(applied <= commit, "applied {} passes commit {}", applied, commit);
#define CHECK_F(condition, ...)                                                                   \
  do {                                                                                            \
    if (!(condition)) [[unlikely]]                                                                \
      ::meridian::internal::check_failed(__FILE__, __LINE__, #condition, fmt::format(__VA_ARGS__)); \
  } while (false)
