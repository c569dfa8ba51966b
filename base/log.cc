#include "base/log.h"

#include <unistd.h>

#include <chrono>
#include <mutex>

#include <fmt/chrono.h>

#include "base/line_output.h"

namespace meridian {

namespace internal {
std::atomic<LogLevel> log_level{LogLevel::kWarning};
std::atomic<std::uint64_t> log_lines_dropped{0};
}  // namespace internal

namespace {

// Set up before threads start, read by all of them; the mutex makes a late change safe too.
struct LogState {
  std::mutex mutex;
  LogFormat format = LogFormat::kText;
  std::uint64_t dropped_untold = 0;
  std::function<void(const LogRecord&)> sink;
  std::function<WallTime()> clock;
};

LogState& state() {
  static LogState* const instance = new LogState;  // never destroyed: other statics may log
  return *instance;
}

std::pair<std::string, std::string>& thread_context() {
  thread_local std::pair<std::string, std::string> context;
  return context;
}

std::string_view short_path(const char* file) {
  const std::string_view path(file);
  const std::size_t name = path.rfind('/');
  if (name == std::string_view::npos) return path;
  const std::size_t folder = path.rfind('/', name - 1);
  return folder == std::string_view::npos ? path : path.substr(folder + 1);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      // Bytes, not text: keys may hold anything, and a log line must stay valid JSON.
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void append_value(std::string& out, const LogValue& value, LogFormat format) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_convertible_v<T, std::string_view>) {
          if (format == LogFormat::kJson || needs_quotes(v)) return append_json_string(out, v);
          out += v;
        } else {
          // NaN and infinity are not JSON numbers.
          const std::string text = fmt::format("{}", v);
          const bool number = text.find_first_of("ni") == std::string::npos || std::is_same_v<T, bool>;
          if (number || format == LogFormat::kText) return void(out += text);
          append_json_string(out, text);
        }
      },
      value.value());
}

std::string format_time(WallTime time) {
  const auto seconds = time.us() / 1'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(static_cast<std::time_t>(seconds)),
                     time.us() - seconds * 1'000'000);
}

std::string format_line(const LogRecord& record, LogFormat format) {
  if (format == LogFormat::kJson) return format_log_json(record) + '\n';
  std::string line = fmt::format("{} {:<7} {} ({}:{})", format_time(record.time), to_string(record.level),
                                 format_log_text(record), short_path(record.file), record.line);
  if (record.level >= LogLevel::kWarning && isatty(STDERR_FILENO) != 0) {
    line = fmt::format("{}{}\x1b[m", record.level == LogLevel::kWarning ? "\x1b[33m" : "\x1b[31m", line);
  }
  return line + '\n';
}

// Requires: state().mutex is held.
void write_line(LogState& log, const LogRecord& record) {
  LineOutput& out = LineOutput::standard_error();
  if (log.dropped_untold > 0) {
    const std::vector<LogField> fields{{"lines", log.dropped_untold}};
    const LogRecord told{LogLevel::kWarning, record.time, "log lines were dropped, for nobody read them", fields, __FILE__, __LINE__};
    if (out.write(format_line(told, log.format))) log.dropped_untold = 0;
  }
  if (log.dropped_untold == 0 && out.write(format_line(record, log.format))) return;
  ++log.dropped_untold;
  internal::log_lines_dropped.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: return "off";
  }
  return "unknown";
}

Result<LogLevel> parse_log_level(std::string_view text) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError, LogLevel::kOff}) {
    if (text == to_string(level)) return level;
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("log level \"{}\"; there are debug, info, warning, error and off", text));
}

std::string format_log_text(const LogRecord& record) {
  std::string out(record.message);
  for (const LogField& field : record.fields) {
    out += ' ';
    out += field.key;
    out += '=';
    append_value(out, field.value, LogFormat::kText);
  }
  return out;
}

std::string format_log_json(const LogRecord& record) {
  std::string out =
      fmt::format(R"({{"time":"{}","level":"{}","message":)", format_time(record.time), to_string(record.level));
  append_json_string(out, record.message);
  for (const LogField& field : record.fields) {
    out += ',';
    append_json_string(out, field.key);
    out += ':';
    append_value(out, field.value, LogFormat::kJson);
  }
  out += R"(,"at":)";
  append_json_string(out, fmt::format("{}:{}", short_path(record.file), record.line));
  out += '}';
  return out;
}

void start_log(LogFormat format, LogLevel level) {
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  log.format = format;
  internal::log_level = level;
}

void set_log_level(LogLevel level) { internal::log_level = level; }

void set_log_sink(std::function<void(const LogRecord&)> sink) {
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  log.sink = std::move(sink);
}

void set_log_clock(std::function<WallTime()> clock) {
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  log.clock = std::move(clock);
}

void set_thread_log_context(std::string key, std::string value) {
  thread_context() = {std::move(key), std::move(value)};
}

namespace internal {

void write_log(LogLevel level, const char* file, int line, std::string_view message,
               std::initializer_list<LogField> fields) {
  std::vector<LogField> all;
  all.reserve(fields.size() + 1);
  if (const auto& [key, value] = thread_context(); !key.empty()) all.push_back({key, value});
  all.insert(all.end(), fields.begin(), fields.end());

  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  const WallTime time =
      log.clock
          ? log.clock()
          : WallTime(std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count());
  const LogRecord record{level, time, message, all, file, line};
  if (log.sink) return log.sink(record);
  write_line(log, record);
}

}  // namespace internal
}  // namespace meridian
