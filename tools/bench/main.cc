// meridian-bench: measures a cluster under YCSB's or other loads, closed or open loop. See tools/README.md.

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tools/bench/arguments.h"
#include "tools/bench/load.h"
#include "tools/bench/report.h"
#include "tools/bench/svg.h"
#include "tools/ctl/one_cluster.h"
#include "tools/ctl/progress.h"

namespace meridian::bench {

namespace {

enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kUnreachable = 3 };

// mode: of fopen().
bool write_file(const std::string& path, const char* mode, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), mode);
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

sdk::Result<std::vector<sdk::Client>> connect(const Arguments& arguments) {
  if (auto one = ctl::check_one_cluster(arguments.proxies, std::chrono::seconds(2)); !one)
    return std::move(one).error();
  std::vector<sdk::Client> connections;
  for (std::uint64_t i = 0; i < arguments.connections; ++i) {
    auto client = sdk::Client::connect(sdk::ConnectOptions(arguments.proxies));
    if (!client) return std::move(client).error();
    connections.push_back(std::move(*client));
  }
  return connections;
}

sdk::Result<void> load_phase(const std::vector<sdk::Client>& connections, std::uint64_t keys,
                             std::uint64_t value_bytes) {
  if (keys == 0) return {};
  using Clock = std::chrono::steady_clock;
  const std::uint64_t record_bytes = value_bytes + 15;  // and the key
  ctl::Progress::Options options;
  options.what = "load";
  options.terminal = ctl::is_terminal_stderr();
  options.total = keys * record_bytes;
  options.write = [](const std::string& text) { std::fputs(text.c_str(), stderr); };
  ctl::Progress progress(options, Clock::now());
  auto done = preload(connections, keys, value_bytes,
                      [&](std::uint64_t written) { progress.update(written * record_bytes, written, Clock::now()); });
  // In a log a line now and then says that it goes on; that it has ended, the answer does.
  if (done && options.terminal) {
    progress.finish(keys * record_bytes, keys, Clock::now());
  } else {
    progress.say("");
  }
  return done;
}

int measure(const Arguments& arguments) {
  // Found out before the run rather than after it; a picture that is there stays until there is another.
  if (!arguments.svg_path.empty() && !write_file(arguments.svg_path, "ab", "")) {
    fmt::print(stderr, "meridian-bench: --svg: '{}' cannot be written\n", arguments.svg_path);
    return kUsage;
  }
  const auto connections = connect(arguments);
  if (!connections) {
    fmt::print(stderr, "meridian-bench: --proxy: {}\n", connections.error().to_string());
    return connections.error().code() == sdk::ErrorCode::kInvalidArgument ? kUsage : kUnreachable;
  }
  std::vector<Measured> rows;
  std::string first_error;
  for (LoadOptions& load : arguments.loads()) {
    if (auto done = load_phase(*connections, arguments.preload_of(load), load.value_bytes); !done) {
      fmt::print(stderr, "meridian-bench: --preload: {}\n", done.error().to_string());
      return kFailed;
    }
    LoadResult result = run_load(*connections, load);
    if (first_error.empty()) first_error = result.first_error;
    rows.push_back({std::move(load), std::move(result)});
  }
  std::string text;
  if (arguments.sweeps()) {
    text = arguments.json ? render_sweep_json(rows, arguments.series) : render_sweep_table(rows);
  } else {
    text = arguments.json ? render_json(rows[0], arguments.series) : render_table(rows[0], arguments.series);
  }
  std::fputs(text.c_str(), stdout);
  bool failed = std::fflush(stdout) != 0;
  const std::string& svg_path = arguments.svg_path;
  const std::string title = "meridian-bench: " + describe(rows[0].options);
  if (!svg_path.empty() && !write_file(svg_path, "wb", render_svg(title, rows[0].result.series))) {
    fmt::print(stderr, "meridian-bench: --svg: '{}' cannot be written\n", svg_path);
    failed = true;
  }
  if (!first_error.empty()) fmt::print(stderr, "meridian-bench: the first error: {}\n", first_error);
  return failed || !first_error.empty() ? kFailed : kDone;
}

}  // namespace

}  // namespace meridian::bench

int main(int argc, char** argv) {
  meridian::bench::Arguments arguments;
  if (const auto code = meridian::bench::parse_arguments(argc, argv, arguments)) return *code;
  return meridian::bench::measure(arguments);
}
