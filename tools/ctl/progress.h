// Says on standard error how far long work has come. On a terminal one line is drawn over and over (\r);
// elsewhere a line is written now and then, so that a log stays readable. The time is given by the caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace meridian::ctl {

class Progress {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Options {
    std::string what;  // "import"
    bool terminal = false;
    bool quiet = false;          // finish() alone says something, and only where it must
    std::uint64_t total = 0;     // bytes; 0: not known
    std::uint64_t begun_at = 0;  // bytes done by an earlier run, which say nothing about the speed of this one
    std::function<void(const std::string&)> write;
  };
  Progress(Options options, Time now);

  // Draws if the last time was long enough ago: 100 ms on a terminal, else 10 s.
  void update(std::uint64_t bytes, std::uint64_t records, Time now);
  // A line between: the drawing is wiped first. Empty: it is wiped only.
  void say(const std::string& line);
  // The last drawing, and its line's end.
  void finish(std::uint64_t bytes, std::uint64_t records, Time now);

  // "import  [#####-----]  50 %  12.0 MiB of 24.0 MiB  1,000 records  500/s  2.0 s left"
  std::string line(std::uint64_t bytes, std::uint64_t records, Time now) const;

 private:
  void draw(std::uint64_t bytes, std::uint64_t records, Time now);
  Options options_;
  Time began_;
  Time drawn_;
  bool on_line_ = false;  // the cursor stands behind a drawing
  std::uint64_t first_records_ = 0;
  bool first_ = true;
};

// Standard error is a terminal.
bool is_terminal_stderr();
// Standard output is a terminal.
bool is_terminal_stdout();

}  // namespace meridian::ctl
