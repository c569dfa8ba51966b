#include "tools/bench/arguments.h"

#include <functional>
#include <utility>

#include <CLI/CLI.hpp>

#include "tools/bench/parse.h"

namespace meridian::bench {

namespace {

constexpr std::uint64_t kMaxKeys = 1'000'000'000;
constexpr std::uint64_t kMaxValueBytes = 1 << 20;
// As many calls as the SDK lets be under way over one connection; it refuses more as busy, unsent.
constexpr std::uint64_t kMaxInFlight = 65'536;
constexpr std::chrono::milliseconds kOneMs(1);

// Texts that say more than one thing together, until all are known.
struct Texts {
  std::string op = "put";
  std::string workload;
  Mix weights;
  double read_ratio = 0.5;
  std::string distribution;
  OpenLoop open_loop;
  std::string busy;
  ScanLength scan_length;
  std::string output = "table";
};

// An option whose text `parse` turns into the target's value. CLI11 names the option before the error's message.
template <class T>
CLI::Option* add(CLI::App& app, const std::string& name, T& target, std::function<Result<T>(std::string_view)> parse,
                 const std::string& help) {
  const auto check = [&target, parse](std::string& text) {
    Result<T> parsed = parse(text);
    if (!parsed) return parsed.error().message();
    target = std::move(*parsed);
    return std::string();
  };
  return app.add_option_function<std::string>(name, [](const std::string&) {}, help)->check(CLI::Validator(check, ""));
}

CLI::Option* add_count(CLI::App& app, const std::string& name, std::uint64_t& target, std::uint64_t min,
                       std::uint64_t max, const std::string& help) {
  return add<std::uint64_t>(
             app, name, target, [=](std::string_view text) { return parse_count(text, min, max); }, help)
      ->default_str(std::to_string(target));
}

CLI::Option* add_time(CLI::App& app, const std::string& name, std::chrono::milliseconds& target,
                      std::chrono::milliseconds min, const std::string& shown, const std::string& help) {
  const auto parse = [=](std::string_view text) { return parse_time(text, min); };
  return add<std::chrono::milliseconds>(app, name, target, parse, help)->default_str(shown);
}

void declare_cluster(CLI::App& app, Arguments& arguments, Texts& texts) {
  const auto proxies = [](std::string_view text) -> Result<std::vector<std::string>> {
    auto items = split_at_commas(text);
    if (items.empty()) return fail(ErrorCode::kInvalidArgument, "no proxy given; at least one HOST:PORT is needed");
    return items;
  };
  arguments.proxies = {"127.0.0.1:7400"};
  add<std::vector<std::string>>(app, "--proxy", arguments.proxies, proxies,
                                "Proxies, HOST:PORT with commas between; the requests go to all of them")
      ->envname("MERIDIAN_PROXY")
      ->default_str("127.0.0.1:7400");
  add_count(app, "--connections", arguments.connections, 1, 1'024, "Connections that the requests share");
  add_time(app, "--timeout", arguments.load.timeout, kOneMs, "10s", "Of a request, with all its retries");
  app.add_option("--busy", texts.busy,
                 "Where the cluster refuses because it has too much to do: wait and retry within the time-out, or fail, "
                 "which counts as busy; default: wait, of an open loop fail")
      ->check(CLI::IsMember({"wait", "fail"}));
}

void declare_workload(CLI::App& app, Arguments& arguments, Texts& texts) {
  LoadOptions& load = arguments.load;
  auto* op = app.add_option("--op", texts.op, "put, get, scan or mixed")
                 ->check(CLI::IsMember({"put", "get", "scan", "mixed"}))
                 ->capture_default_str();
  auto* workload = app.add_option("--workload", texts.workload, "YCSB's a, b, c, d, e or f; loads the keys first")
                       ->transform(CLI::IsMember({"a", "b", "c", "d", "e", "f"}, CLI::ignore_case))
                       ->excludes(op);
  add<Mix>(app, "--weights", texts.weights, parse_weights,
           "A mix of your own: KIND=WEIGHT of get, put, scan, insert (new keys), rmw (read, then compare and set)")
      ->excludes(op)
      ->excludes(workload);
  const auto ratio = [](std::string_view text) { return parse_number(text, 0, 1); };
  add<double>(app, "--read-ratio", texts.read_ratio, ratio, "Of mixed: the share of gets")->default_str("0.5");
  app.add_option("--distribution", texts.distribution,
                 "Of the keys: uniform, zipf (exponent 0.99, scrambled) or latest (zipf from the newest key); default: "
                 "the workload's, or uniform")
      ->check(CLI::IsMember({"uniform", "zipf", "latest"}));
  add<ScanLength>(app, "--scan-length", texts.scan_length, parse_scan_length,
                  "Keys of a scan: N, or A..B for each length between as often")
      ->default_str("1..100");
  auto* keys = add_count(app, "--keys", load.keys, 1, kMaxKeys, "Keys there are");
  auto* value = add_count(app, "--value-bytes", load.value_bytes, 0, kMaxValueBytes, "Of each value");
  app.add_flag("--any-replica", load.any_replica, "Gets and scans from any replica, instead of linearizable ones");
  const auto preload = [](std::string_view text) -> Result<std::optional<std::uint64_t>> {
    ASSIGN_OR_RETURN(const std::uint64_t count, parse_count(text, 0, kMaxKeys));
    return count;
  };
  add<std::optional<std::uint64_t>>(app, "--preload", arguments.preload, preload,
                                    "Load phase: write so many keys first; default: all for --workload and sweeps, "
                                    "else none");
  add<std::vector<std::uint64_t>>(
      app, "--sweep-keys", arguments.sweep_keys, [](std::string_view text) { return parse_counts(text, 1, kMaxKeys); },
      "One load for each of these numbers of keys, with commas between")
      ->excludes(keys);
  add<std::vector<std::uint64_t>>(
      app, "--sweep-value-bytes", arguments.sweep_value_bytes,
      [](std::string_view text) { return parse_counts(text, 0, kMaxValueBytes); },
      "One load for each of these sizes, with commas between")
      ->excludes(value);
}

void declare_loop(CLI::App& app, Arguments& arguments, Texts& texts) {
  LoadOptions& load = arguments.load;
  auto* clients = add_count(app, "--clients", load.clients, 1, kMaxInFlight,
                            "Closed loop: clients, each with one request in flight");
  const auto rate = [](std::string_view text) { return parse_number(text, 0.01, 1e6); };
  auto* open = add<double>(app, "--rate", texts.open_loop.per_second, rate,
                           "Open loop: requests a second, sent whatever becomes of those before; latencies count from "
                           "when each was to be sent")
                   ->excludes(clients);
  const auto arrivals = [](std::string_view text) -> Result<Arrivals> {
    if (text == "uniform") return Arrivals::kUniform;
    if (text == "poisson") return Arrivals::kPoisson;
    return fail(ErrorCode::kInvalidArgument, "'" + std::string(text) + "' is neither uniform nor poisson");
  };
  add<Arrivals>(app, "--arrivals", texts.open_loop.arrivals, arrivals, "Open loop: uniform, or poisson")
      ->default_str("poisson")
      ->needs(open);
  add_count(app, "--max-in-flight", texts.open_loop.max_in_flight, 1, kMaxInFlight,
            "Open loop: requests under way at most; those beyond are counted as not sent")
      ->needs(open);
  add_time(app, "--duration", load.duration, kOneMs, "10s", "How long it is measured");
  add_time(app, "--warmup", load.warmup, std::chrono::milliseconds(0), "0s", "How long it runs before");
}

void declare_output(CLI::App& app, Arguments& arguments, Texts& texts) {
  app.add_option("-o,--output", texts.output, "table, or json: one line")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app.add_flag("--series", arguments.series, "Also what happened in each second (of a sweep: in JSON only)");
  app.add_option("--svg", arguments.svg_path, "Draw throughput and latency over time into this file")
      ->excludes("--sweep-keys")
      ->excludes("--sweep-value-bytes");
}

// Puts together what depends on more than one option.
void settle(Arguments& arguments, const Texts& texts, bool open_loop, bool weights) {
  LoadOptions& load = arguments.load;
  if (!texts.workload.empty()) {
    load.workload = *ycsb_workload(texts.workload);
  } else if (weights) {
    load.workload.name = "weights";
    load.workload.mix = texts.weights;
  } else {
    load.workload = *simple_workload(texts.op, texts.read_ratio);
  }
  if (!texts.distribution.empty()) load.workload.distribution = *distribution_of(texts.distribution);
  load.workload.scan_length = texts.scan_length;
  if (open_loop) load.open_loop = texts.open_loop;
  load.wait_when_busy = texts.busy.empty() ? !open_loop : texts.busy == "wait";
  arguments.preload_by_default = !texts.workload.empty() || arguments.sweeps();
  arguments.json = texts.output == "json";
}

}  // namespace

std::vector<LoadOptions> Arguments::loads() const {
  const auto all_keys = sweep_keys.empty() ? std::vector{load.keys} : sweep_keys;
  const auto all_value_bytes = sweep_value_bytes.empty() ? std::vector{load.value_bytes} : sweep_value_bytes;
  std::vector<LoadOptions> loads;
  for (const std::uint64_t keys : all_keys) {
    for (const std::uint64_t value_bytes : all_value_bytes) {
      LoadOptions& each = loads.emplace_back(load);
      each.keys = keys;
      each.value_bytes = value_bytes;
    }
  }
  return loads;
}

std::uint64_t Arguments::preload_of(const LoadOptions& of) const {
  return preload.value_or(preload_by_default ? of.keys : 0);
}

std::optional<int> parse_arguments(int argc, const char* const* argv, Arguments& arguments) {
  CLI::App app("Measures a Meridian cluster under YCSB's workloads or your own: so many clients, or a rate.",
               "meridian-bench");
  app.footer("\nExit codes: 0 done without errors; 1 failed, or some requests did; 2 wrong usage; 3 not reachable.");
  Texts texts;
  declare_cluster(app, arguments, texts);
  declare_workload(app, arguments, texts);
  declare_loop(app, arguments, texts);
  declare_output(app, arguments, texts);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  settle(arguments, texts, app.count("--rate") > 0, app.count("--weights") > 0);
  return std::nullopt;
}

}  // namespace meridian::bench
