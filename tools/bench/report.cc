#include "tools/bench/report.h"

#include <fmt/format.h>

#include "tools/ctl/text.h"

namespace meridian::bench {

namespace {

constexpr std::string_view kHead = "{:>12}{:>10}{:>10}{:>10}{:>10}{:>11}{:>10}{:>9}\n";
constexpr std::string_view kRow = "{:>12.0f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>11.2f}{:>10.2f}{:>9}\n";

double to_ms(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }

std::string head() {
  return fmt::format(fmt::runtime(kHead), "OPS/S", "P50 MS", "P90 MS", "P99 MS", "P99.9 MS", "P99.99 MS", "MAX MS",
                     "ERRORS");
}

std::string row(const Histogram& latency_ns, double seconds, std::uint64_t errors) {
  const auto ms = [&](double p) { return to_ms(latency_ns.percentile(p)); };
  return fmt::format(fmt::runtime(kRow), seconds > 0 ? static_cast<double>(latency_ns.count()) / seconds : 0, ms(50),
                     ms(90), ms(99), ms(99.9), ms(99.99), ms(100), errors);
}

std::string clients_of(const LoadOptions& options) {
  return options.open_loop ? "open" : std::to_string(options.clients);
}

// What the columns have no room for, each on a line and only if there is something to say.
std::string notes(const LoadOptions& options, const LoadResult& result) {
  std::string text;
  if (options.open_loop) {
    const OpenLoop& open = *options.open_loop;
    text += fmt::format("open loop: {:g}/s, {}; sent late by {:.2f} ms (p99)\n", open.per_second,
                        open.arrivals == Arrivals::kPoisson ? "poisson" : "uniform",
                        to_ms(result.send_delay_ns.percentile(99)));
    if (result.dropped > 0) {
      text += fmt::format("not sent, since {} were under way: {}\n", open.max_in_flight, result.dropped);
    }
  }
  for (const auto& [code, count] : result.errors_by_code) {
    text += fmt::format("errors, {}: {}\n", sdk::to_string(code), count);
  }
  if (result.not_found > 0) text += fmt::format("gets that found nothing: {}\n", result.not_found);
  if (result.rmw_retries > 0) text += fmt::format("conflicts of rmw, tried again: {}\n", result.rmw_retries);
  return text;
}

std::string series_table(const std::vector<Second>& series) {
  std::string text = fmt::format("\n{:<10}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "SECOND", "OPS",
                                 "P50 MS", "P99 MS", "P99.9 MS", "MAX MS", "ERRORS", "BUSY", "NOT SENT");
  for (const Second& each : series) {
    text += fmt::format("{:<10}{:>12}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10}{:>10}{:>10}\n", each.second, each.ops,
                        to_ms(each.p50_ns), to_ms(each.p99_ns), to_ms(each.p999_ns), to_ms(each.max_ns), each.errors,
                        each.busy, each.dropped);
  }
  return text;
}

}  // namespace

double operations_per_second(const LoadResult& result) {
  return result.seconds > 0 ? static_cast<double>(result.latency_ns().count()) / result.seconds : 0;
}

std::string describe(const LoadOptions& options) {
  const std::string load = options.open_loop ? fmt::format("{:g} requests/s", options.open_loop->per_second)
                                             : fmt::format("{} clients", ctl::format_count(options.clients));
  return fmt::format("{}, {}, {} keys, values of {}", options.workload.name, load, ctl::format_count(options.keys),
                     ctl::format_bytes(options.value_bytes));
}

std::string render_table(const Measured& measured, bool with_series) {
  const auto& [options, result] = measured;
  std::string text = fmt::format("{:<10}{:>8}{:>9}", "OP", "CLIENTS", "SECONDS") + head();
  text += fmt::format("{:<10}{:>8}{:>9.1f}", options.workload.name, clients_of(options), result.seconds) +
          row(result.latency_ns(), result.seconds, result.errors());
  for (const OpKind kind : kAllKinds) {
    if (options.workload.mix.kinds() < 2 || !options.workload.mix.has(kind)) continue;
    const KindResult& of = result.of(kind);
    text += fmt::format("  {:<8}{:>8}{:>9}", name_of(kind), "", "") + row(of.latency_ns, result.seconds, of.errors);
  }
  text += notes(options, result);
  if (with_series) text += series_table(result.series);
  return text;
}

std::string render_sweep_table(const std::vector<Measured>& rows) {
  std::string text = fmt::format("{:<10}{:>8}{:>12}{:>12}", "OP", "CLIENTS", "KEYS", "VALUE BYTES") + head();
  for (const auto& [options, result] : rows) {
    text += fmt::format("{:<10}{:>8}{:>12}{:>12}", options.workload.name, clients_of(options), options.keys,
                        options.value_bytes) +
            row(result.latency_ns(), result.seconds, result.errors());
  }
  return text;
}

}  // namespace meridian::bench
