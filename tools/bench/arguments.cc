#include "tools/bench/arguments.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "tools/bench/parse.h"

namespace meridian::bench {

namespace {

constexpr std::uint64_t kMaxKeys = 1'000'000'000;
constexpr std::uint64_t kMaxValueBytes = 1 << 20;
// As many calls as the SDK lets be under way over one connection; it refuses more as busy, unsent.
constexpr std::uint64_t kMaxInFlight = 65'536;
// The SDK's limit of a batch, of all keys and values, with some room for what is between.
constexpr std::uint64_t kMaxBatchKeys = 100'000;
constexpr std::uint64_t kMaxBatchBytes = 4 << 20;
constexpr std::uint64_t kBytesPerEntry = 15 + 16;  // the key, and around key and value
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
  std::uint64_t batch_keys = Workload().batch_keys;
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
      ->type_name("COUNT")
      ->default_str(std::to_string(target));
}

// One of these words, which help shows as the option's type.
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& target,
                        const std::vector<std::string>& choices, const std::string& help) {
  const auto parse = [choices](std::string_view text) -> Result<std::string> {
    if (std::ranges::find(choices, text) != choices.end()) return std::string(text);
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is none of {}", text, fmt::join(choices, ", ")));
  };
  return add<std::string>(app, name, target, parse, help)
      ->type_name(fmt::format("{}", fmt::join(choices, "|")))
      ->default_str(target);
}

CLI::Option* add_time(CLI::App& app, const std::string& name, std::chrono::milliseconds& target,
                      std::chrono::milliseconds min, const std::string& shown, const std::string& help) {
  const auto parse = [=](std::string_view text) { return parse_time(text, min); };
  return add<std::chrono::milliseconds>(app, name, target, parse, help)->type_name("DURATION")->default_str(shown);
}

void declare_cluster(CLI::App& app, Arguments& arguments, Texts& texts) {
  const auto proxies = [](std::string_view text) -> Result<std::vector<std::string>> {
    auto items = split_at_commas(text);
    if (items.empty()) return fail(ErrorCode::kInvalidArgument, "no proxy given; at least one HOST:PORT is needed");
    return items;
  };
  arguments.proxies = {"127.0.0.1:7400"};
  add<std::vector<std::string>>(app, "--proxy", arguments.proxies, proxies,
                                "Proxies, with commas between; the requests go to all of them")
      ->type_name("HOST:PORT")
      ->envname("MERIDIAN_PROXY")
      ->default_str("127.0.0.1:7400");
  add_count(app, "--connections", arguments.connections, 1, 1'024, "Connections that the requests share");
  add_time(app, "--timeout", arguments.load.timeout, kOneMs, "10s", "Of a request, with all its retries");
  add_choice(app, "--busy", texts.busy, {"wait", "fail"},
             "Where the cluster refuses because it has too much to do: wait and retry within the time-out, or fail, "
             "which counts as busy; default: wait, of an open loop fail");
}

void declare_workload(CLI::App& app, Arguments& arguments, Texts& texts) {
  LoadOptions& load = arguments.load;
  auto* op = add_choice(app, "--op", texts.op, {"put", "get", "scan", "batch", "mixed"},
                        "One kind of operation, or gets and puts");
  const auto letter = [](std::string_view text) -> Result<std::string> {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (ycsb_workload(lower)) return lower;
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is none of YCSB's a to f", text));
  };
  auto* workload = add<std::string>(app, "--workload", texts.workload, letter, "YCSB's; loads the keys first")
                       ->type_name("a|b|c|d|e|f")
                       ->excludes(op);
  add<Mix>(app, "--weights", texts.weights, parse_weights,
           "A mix of your own, of get, put, scan, insert (new keys), rmw (read, then compare and set), batch")
      ->type_name("KIND=WEIGHT,...")
      ->excludes(op)
      ->excludes(workload);
  const auto ratio = [](std::string_view text) { return parse_number(text, 0, 1); };
  add<double>(app, "--read-ratio", texts.read_ratio, ratio, "Of mixed: the share of gets")
      ->type_name("SHARE")
      ->default_str("0.5");
  add_choice(
      app, "--distribution", texts.distribution, {"uniform", "zipf", "latest"},
      "Of the keys; zipf has the exponent 0.99 and is scrambled, latest is zipf from the newest key; default: the "
      "workload's, or uniform");
  add<ScanLength>(app, "--scan-length", texts.scan_length, parse_scan_length,
                  "Keys of a scan: N, or A..B for each length between as often")
      ->type_name("N|A..B")
      ->default_str("1..100");
  add_count(app, "--batch", texts.batch_keys, 1, kMaxBatchKeys, "Keys of a batch, put all or nothing");
  auto* keys = add_count(app, "--keys", load.keys, 1, kMaxKeys, "Keys there are");
  auto* value = add_count(app, "--value-bytes", load.value_bytes, 0, kMaxValueBytes, "Of each value");
  app.add_flag("--any-replica", load.any_replica, "Gets and scans from any replica, instead of linearizable ones");
  const auto preload = [](std::string_view text) -> Result<std::optional<std::uint64_t>> {
    ASSIGN_OR_RETURN(const std::uint64_t count, parse_count(text, 0, kMaxKeys));
    return count;
  };
  add<std::optional<std::uint64_t>>(app, "--preload", arguments.preload, preload,
                                    "Load phase: write so many keys first; default: all for --workload and sweeps, "
                                    "else none")
      ->type_name("COUNT");
  add<std::vector<std::uint64_t>>(
      app, "--sweep-keys", arguments.sweep_keys, [](std::string_view text) { return parse_counts(text, 1, kMaxKeys); },
      "One load for each of these numbers of keys, with commas between")
      ->type_name("COUNT,...")
      ->excludes(keys);
  add<std::vector<std::uint64_t>>(
      app, "--sweep-value-bytes", arguments.sweep_value_bytes,
      [](std::string_view text) { return parse_counts(text, 0, kMaxValueBytes); },
      "One load for each of these sizes, with commas between")
      ->type_name("COUNT,...")
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
                   ->type_name("PER_SECOND")
                   ->excludes(clients);
  const auto arrivals = [](std::string_view text) -> Result<Arrivals> {
    if (text == "uniform") return Arrivals::kUniform;
    if (text == "poisson") return Arrivals::kPoisson;
    return fail(ErrorCode::kInvalidArgument, "'" + std::string(text) + "' is neither uniform nor poisson");
  };
  add<Arrivals>(app, "--arrivals", texts.open_loop.arrivals, arrivals, "Open loop: when requests are due")
      ->type_name("poisson|uniform")
      ->default_str("poisson")
      ->needs(open);
  add_count(app, "--max-in-flight", texts.open_loop.max_in_flight, 1, kMaxInFlight,
            "Open loop: requests under way at most; those beyond are counted as not sent")
      ->needs(open);
  add_time(app, "--duration", load.duration, kOneMs, "10s", "How long it is measured");
  add_time(app, "--warmup", load.warmup, std::chrono::milliseconds(0), "0s", "How long it runs before");
}

void declare_output(CLI::App& app, Arguments& arguments, Texts& texts) {
  add_choice(app, "-o,--output", texts.output, {"table", "json"}, "What standard output looks like; json is one line");
  app.add_flag("--series", arguments.series, "Also what happened in each second (of a sweep: in JSON only)");
  app.add_option("--svg", arguments.svg_path, "Draw throughput and latency over time into this file")
      ->type_name("FILE")
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
  load.workload.batch_keys = texts.batch_keys;
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

std::string Arguments::contradiction() const {
  if (!load.workload.mix.has(OpKind::kBatch)) return {};
  const std::uint64_t batch = load.workload.batch_keys;
  for (const LoadOptions& each : loads()) {
    if (batch > each.keys) return fmt::format("--batch: {} keys at once of {} that there are", batch, each.keys);
    if (const std::uint64_t bytes = batch * (each.value_bytes + kBytesPerEntry); bytes > kMaxBatchBytes) {
      return fmt::format("--batch: {} values of {} bytes are {} bytes with their keys; a batch has at most {}", batch,
                         each.value_bytes, bytes, kMaxBatchBytes);
    }
  }
  return {};
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
  if (const std::string wrong = arguments.contradiction(); !wrong.empty()) {
    fmt::print(stderr, "{}\nRun with --help for more information.\n", wrong);
    return 2;
  }
  return std::nullopt;
}

}  // namespace meridian::bench
