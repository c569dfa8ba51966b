// Structured logging: a fixed message and key=value fields, as text or as one JSON object a line.
//
//   LOG_INFO("election won", {{"term", term}, {"shard", shard}});
//
// Below the level in force it costs one relaxed load; the fields are not even evaluated. Any thread.
// The process has one log; start_log() directs it to standard error, which it never waits for: lines that nobody reads are
// dropped and counted. set_log_sink() directs it to a function
// (the simulator's, which also sets the clock, so that a log is a function of the seed).
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace meridian {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

std::string_view to_string(LogLevel level);
// "debug", "info", "warning", "error", "off".
Result<LogLevel> parse_log_level(std::string_view text);

// A field's value. Strings are borrowed until the end of the logging statement.
class LogValue {
 public:
  using Any = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, std::string>;

  LogValue(bool value) : value_(value) {}
  template <std::signed_integral T>
  LogValue(T value) : value_(static_cast<std::int64_t>(value)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  LogValue(T value) : value_(static_cast<std::uint64_t>(value)) {}
  LogValue(double value) : value_(value) {}
  LogValue(const char* value) : value_(std::string_view(value)) {}
  LogValue(std::string_view value) : value_(value) {}
  LogValue(const std::string& value) : value_(std::string_view(value)) {}
  template <class Tag, class Rep>
  LogValue(Strong<Tag, Rep> value) : value_(static_cast<std::uint64_t>(value.value())) {}
  LogValue(Duration value) : value_(fmt::format("{}us", value.count())) {}
  LogValue(const Error& value) : value_(value.to_string()) {}
  // Whatever fmt can print and nothing above takes.
  template <class T>
    requires(fmt::is_formattable<T>::value && !std::convertible_to<T, std::string_view> && !std::is_arithmetic_v<T>)
  LogValue(const T& value) : value_(fmt::format("{}", value)) {}

  const Any& value() const { return value_; }

 private:
  Any value_;
};

struct LogField {
  std::string_view key;
  LogValue value;
};

struct LogRecord {
  LogLevel level;
  WallTime time;
  std::string_view message;
  const std::vector<LogField>& fields;
  const char* file;
  int line;
};

enum class LogFormat { kText, kJson };

// "election won term=5 shard=1"; values with blanks, quotes or control characters are quoted.
std::string format_log_text(const LogRecord& record);
// {"time":"2026-11-24T08:59:03.000001Z","level":"info","message":"…","term":5,"at":"raft/core.cc:12"}
std::string format_log_json(const LogRecord& record);

// Directs the log to standard error. Call before other threads log. Until then, warnings and errors only.
void start_log(LogFormat format, LogLevel level);
void set_log_level(LogLevel level);
// Lines that standard error did not take; the next one that it takes is preceded by a line that says how many.
std::uint64_t log_lines_dropped();
// Directs the log to a function, called one record at a time; null: back to standard error.
void set_log_sink(std::function<void(const LogRecord&)> sink);
// Where records take their time from; null: the wall clock.
void set_log_clock(std::function<WallTime()> clock);
// A field (such as {"node", "7401"}) that every record of this thread carries from now on; empty key: none.
void set_thread_log_context(std::string key, std::string value);

namespace internal {
extern std::atomic<LogLevel> log_level;
extern std::atomic<std::uint64_t> log_lines_dropped;
void write_log(LogLevel level, const char* file, int line, std::string_view message,
               std::initializer_list<LogField> fields = {});
}  // namespace internal

inline std::uint64_t log_lines_dropped() { return internal::log_lines_dropped.load(std::memory_order_relaxed); }

inline bool log_enabled(LogLevel level) { return level >= internal::log_level.load(std::memory_order_relaxed); }

}  // namespace meridian

#define MERIDIAN_LOG_(level, ...)                                              \
  do {                                                                         \
    if (::meridian::log_enabled(level)) [[unlikely]]                           \
      ::meridian::internal::write_log(level, __FILE__, __LINE__, __VA_ARGS__); \
  } while (false)

#define LOG_DEBUG(...) MERIDIAN_LOG_(::meridian::LogLevel::kDebug, __VA_ARGS__)
#define LOG_INFO(...) MERIDIAN_LOG_(::meridian::LogLevel::kInfo, __VA_ARGS__)
#define LOG_WARNING(...) MERIDIAN_LOG_(::meridian::LogLevel::kWarning, __VA_ARGS__)
#define LOG_ERROR(...) MERIDIAN_LOG_(::meridian::LogLevel::kError, __VA_ARGS__)
