// meridian-bench: measures a cluster under a closed loop of puts, gets, or both. See tools/README.md.

#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tools/bench/load.h"
#include "tools/bench/report.h"

namespace meridian::bench {

namespace {

struct Arguments {
  LoadOptions load;
  std::string proxies = "127.0.0.1:7400";
  std::string op = "put";
  std::string distribution = "uniform";
  std::string duration = "10s";
  std::string warmup = "0s";
  std::string output = "table";
  std::uint64_t connections = 1;
  std::uint64_t preload = 0;
};

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> items(1);
  for (const char c : text) {
    if (c == ',') {
      items.emplace_back();
    } else {
      items.back() += c;
    }
  }
  std::erase_if(items, [](const std::string& item) { return item.empty(); });
  return items;
}

// "10s", "500ms", "2m", "10".
bool parse_time(const std::string& text, std::chrono::milliseconds& time) {
  char* rest = nullptr;
  const double value = std::strtod(text.c_str(), &rest);
  const std::string unit = rest;
  const double ms = unit == "ms" ? 1 : unit == "s" || unit.empty() ? 1'000 : unit == "m" ? 60'000 : -1;
  if (rest == text.c_str() || ms < 0 || !(value >= 0 && value * ms <= 86'400'000)) return false;
  time = std::chrono::milliseconds(static_cast<std::int64_t>(value * ms));
  return true;
}

void declare(CLI::App& app, Arguments& arguments) {
  LoadOptions& load = arguments.load;
  app.footer("\nExit codes: 0 done without errors; 1 failed, or some requests did; 2 wrong usage; 3 not reachable.");
  app.add_option("--proxy", arguments.proxies, "Proxies, with commas between")
      ->envname("MERIDIAN_PROXY")
      ->capture_default_str();
  app.add_option("--op", arguments.op, "put, get or mixed")
      ->check(CLI::IsMember({"put", "get", "mixed"}))
      ->capture_default_str();
  app.add_option("--read-ratio", load.read_ratio, "Of mixed: the share of gets")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--clients", load.clients, "Requests in flight")->check(CLI::Range(1, 65'536))->capture_default_str();
  app.add_option("--connections", arguments.connections, "Connections the clients share")
      ->check(CLI::Range(1, 1'024))
      ->capture_default_str();
  app.add_option("--duration", arguments.duration, "How long it is measured")->capture_default_str();
  app.add_option("--warmup", arguments.warmup, "How long it runs before")->capture_default_str();
  app.add_option("--keys", load.keys, "Keys there are")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}))
      ->capture_default_str();
  app.add_option("--value-bytes", load.value_bytes, "Of each value")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--preload", arguments.preload, "Write so many keys first")->capture_default_str();
  app.add_option("--distribution", arguments.distribution, "Of the keys: uniform, or zipf (exponent 0.99)")
      ->check(CLI::IsMember({"uniform", "zipf"}))
      ->capture_default_str();
  app.add_flag("--any-replica", load.any_replica, "Gets from any replica, instead of linearizable ones");
  app.add_option("-o,--output", arguments.output, "table, or json: one line")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

int measure(Arguments& arguments) {
  LoadOptions& load = arguments.load;
  load.op = arguments.op == "put" ? Op::kPut : arguments.op == "get" ? Op::kGet : Op::kMixed;
  load.zipf = arguments.distribution == "zipf";
  if (!parse_time(arguments.duration, load.duration) || !parse_time(arguments.warmup, load.warmup)) {
    fmt::print(stderr, "meridian-bench: --duration and --warmup are durations: 500ms, 10s, 2m\n");
    return 2;
  }
  std::vector<sdk::Client> connections;
  for (std::uint64_t i = 0; i < arguments.connections; ++i) {
    auto client = sdk::Client::connect(sdk::ConnectOptions(split_at_commas(arguments.proxies)));
    if (!client) {
      fmt::print(stderr, "meridian-bench: {}\n", client.error().to_string());
      return client.error().code() == sdk::ErrorCode::kInvalidArgument ? 2 : 3;
    }
    connections.push_back(std::move(*client));
  }
  if (arguments.preload > 0) {
    if (auto done = preload(connections, arguments.preload, load.value_bytes); !done) {
      fmt::print(stderr, "meridian-bench: --preload: {}\n", done.error().to_string());
      return 1;
    }
  }
  const LoadResult result = run_load(connections, load);
  const std::string text = arguments.output == "json" ? render_json(load, result) : render_table(load, result);
  std::fputs(text.c_str(), stdout);
  if (result.errors > 0) fmt::print(stderr, "meridian-bench: the first error: {}\n", result.first_error);
  return result.errors > 0 || std::fflush(stdout) != 0 ? 1 : 0;
}

int run(int argc, char** argv) {
  CLI::App app("Measures a Meridian cluster: so many clients, each with one request in flight.", "meridian-bench");
  Arguments arguments;
  declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return measure(arguments);
}

}  // namespace

}  // namespace meridian::bench

int main(int argc, char** argv) { return meridian::bench::run(argc, argv); }
