#include "tools/ctl/progress.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {
constexpr int kBarWidth = 24;
constexpr std::string_view kWipe = "\r\x1b[K";
}  // namespace

Progress::Progress(Options options, Time now) : options_(std::move(options)), began_(now), drawn_(now) {}

void Progress::update(std::uint64_t bytes, std::uint64_t records, Time now) {
  if (first_) {
    first_records_ = records;
    first_ = false;
  }
  if (options_.quiet) return;
  const std::chrono::milliseconds gap(options_.terminal ? 100 : 10'000);
  if (now - drawn_ >= gap) draw(bytes, records, now);
}

void Progress::say(const std::string& text) {
  if (on_line_) options_.write(std::string(kWipe));
  on_line_ = false;
  if (!text.empty()) options_.write(text + "\n");
}

void Progress::finish(std::uint64_t bytes, std::uint64_t records, Time now) {
  if (options_.quiet) return;
  draw(bytes, records, now);
  if (on_line_) options_.write("\n");
  on_line_ = false;
}

std::string Progress::line(std::uint64_t bytes, std::uint64_t records, Time now) const {
  const double seconds = std::max(0.001, std::chrono::duration<double>(now - began_).count());
  const double per_second = static_cast<double>(records - std::min(records, first_records_)) / seconds;
  std::string text = options_.what + "  ";
  if (options_.total > 0) {
    const double share = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(options_.total));
    const int filled = static_cast<int>(share * kBarWidth);
    text += fmt::format("[{}{}] {:3.0f} %  {} of {}", std::string(static_cast<std::size_t>(filled), '#'),
                        std::string(static_cast<std::size_t>(kBarWidth - filled), '-'), share * 100,
                        format_bytes(bytes), format_bytes(options_.total));
  } else {
    text += format_bytes(bytes);
  }
  text +=
      fmt::format("  {} records  {}/s", format_count(records), format_count(static_cast<std::uint64_t>(per_second)));
  const double done = static_cast<double>(bytes - std::min(bytes, options_.begun_at));
  if (options_.total > bytes && done > 0) {
    const double left = seconds * static_cast<double>(options_.total - bytes) / done;
    text +=
        fmt::format("  {} left", format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(left * 1000))));
  }
  return text;
}

void Progress::draw(std::uint64_t bytes, std::uint64_t records, Time now) {
  drawn_ = now;
  if (options_.terminal) {
    options_.write(std::string(kWipe) + line(bytes, records, now));
    on_line_ = true;
  } else {
    options_.write(line(bytes, records, now) + "\n");
  }
}

bool is_terminal_stderr() { return ::isatty(STDERR_FILENO) == 1; }
bool is_terminal_stdout() { return ::isatty(STDOUT_FILENO) == 1; }

}  // namespace meridian::ctl
