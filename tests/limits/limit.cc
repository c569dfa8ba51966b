#include "tests/limits/limit.h"

#include <cstdio>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "base/posix_file.h"

namespace meridian::limits {

std::optional<int> parse(const char* name, const char* what, OnDisk on_disk, int argc, char** argv,
                         LimitOptions& options) {
  CLI::App app(what, name);
  std::string output = "text";
  const bool disk = on_disk == OnDisk::kYes;
  app.add_option(disk ? "--batch" : "--in-flight", options.batch, disk ? "Puts of a batch" : "Calls in flight")
      ->check(CLI::Range(1, 16'384))
      ->capture_default_str();
  app.add_option("--value-bytes", options.value_bytes, disk ? "Of each value" : "Of each call")
      ->check(CLI::Range(0, 1 << 16))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long it is measured")
      ->check(CLI::Range(0.1, 3'600.0))
      ->capture_default_str();
  if (disk) {
    app.add_option("--directory", options.directory, "A new one, on the disk in question; removed in the end")
        ->required();
  }
  app.add_option("-o,--output", output, "text, or json: one line")->check(CLI::IsMember({"text", "json"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.json = output == "json";
  return std::nullopt;
}

Result<std::unique_ptr<ScratchDirectory>> ScratchDirectory::make(const std::string& path) {
  PosixFileSystem fs;
  ASSIGN_OR_RETURN(const bool exists, fs.exists(path));
  if (exists) return fail(ErrorCode::kAlreadyExists, fmt::format("{} exists; name a new directory", path));
  RETURN_IF_ERROR(fs.create_directories(path));
  return std::unique_ptr<ScratchDirectory>(new ScratchDirectory(path));
}

ScratchDirectory::~ScratchDirectory() {
  if (const Result<> removed = PosixFileSystem().remove_all(path_); !removed) {
    fmt::print(stderr, "{} is left behind: {}\n", path_, removed.error().to_string());
  }
}

int report(const char* limit, const LimitOptions& options, const Figures& figures) {
  const double seconds = static_cast<double>(figures.took.count()) / 1e6;
  const double rate = seconds > 0 ? static_cast<double>(figures.operations) / seconds : 0;
  const auto percentile_ms = [&](double p) { return static_cast<double>(figures.latency_us.percentile(p)) / 1e3; };
  if (options.json) {
    const boost::json::object line{{"limit", limit},
                                   {"batch", options.batch},
                                   {"value_bytes", options.value_bytes},
                                   {"seconds", seconds},
                                   {"ops_per_s", rate},
                                   {"p50_ms", percentile_ms(50)},
                                   {"p99_ms", percentile_ms(99)},
                                   {"errors", figures.failed}};
    fmt::print("{}\n", boost::json::serialize(line));
  } else {
    fmt::print("{}, {} at once: {:.0f}/s in {:.1f} s, p50 {:.3f} ms, p99 {:.3f} ms, {} failed\n", limit, options.batch,
               rate, seconds, percentile_ms(50), percentile_ms(99), figures.failed);
  }
  return figures.failed == 0 ? 0 : 1;
}

int report_failure(const char* program, const Error& error) {
  fmt::print(stderr, "{}: {}\n", program, error.to_string());
  return error.code() == ErrorCode::kAlreadyExists ? 2 : 1;
}

}  // namespace meridian::limits
