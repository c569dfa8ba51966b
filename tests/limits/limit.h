// What the limit programs share: their command line and the line that they print.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/histogram.h"
#include "base/result.h"
#include "base/types.h"

namespace meridian::limits {

// What a run on disks needs; without it --directory is not an option.
enum class OnDisk : bool { kNo, kYes };

struct LimitOptions {
  std::uint64_t batch = 256;  // puts of a batch, or calls in flight
  std::uint64_t value_bytes = 256;
  double seconds = 5;
  std::string directory;  // a new one, made and removed
  bool json = false;

  Duration duration() const { return Duration(static_cast<std::int64_t>(seconds * 1e6)); }
};

struct Figures {
  std::uint64_t operations = 0;
  Duration took{0};
  Histogram latency_us;  // of a batch, or of a call
  std::uint64_t failed = 0;
};

// Answers an exit code if the program ends here: 0 after --help, 2 for wrong usage (said on standard error).
std::optional<int> parse(const char* name, const char* what, OnDisk on_disk, int argc, char** argv,
                         LimitOptions& options);

// A directory that goes away with this.
class ScratchDirectory {
 public:
  // kAlreadyExists: there is something of that name, which is somebody's.
  static Result<std::unique_ptr<ScratchDirectory>> make(const std::string& path);
  ~ScratchDirectory();

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// With -o json one line: limit, batch, value_bytes, seconds, ops_per_s, p50_ms, p99_ms, errors. Answers the exit code.
int report(const char* limit, const LimitOptions& options, const Figures& figures);
int report_failure(const char* program, const Error& error);

}  // namespace meridian::limits
