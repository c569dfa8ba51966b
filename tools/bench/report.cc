#include "tools/bench/report.h"

#include <fmt/format.h>
#include <boost/json.hpp>

namespace meridian::bench {

namespace {
double percentile_ms(const LoadResult& result, double p) {
  return static_cast<double>(result.latency_ns.percentile(p)) / 1e6;
}
double operations_per_second(const LoadResult& result) {
  return result.seconds > 0 ? static_cast<double>(result.latency_ns.count()) / result.seconds : 0;
}
}  // namespace

std::string op_name(Op op) {
  switch (op) {
    case Op::kPut: return "put";
    case Op::kGet: return "get";
    case Op::kMixed: return "mixed";
  }
  return "";
}

std::string render_json(const LoadOptions& options, const LoadResult& result) {
  boost::json::object line{{"peer", "meridian"},
                           {"op", op_name(options.op)},
                           {"clients", options.clients},
                           {"seconds", result.seconds},
                           {"ops_per_s", operations_per_second(result)},
                           {"p50_ms", percentile_ms(result, 50)},
                           {"p99_ms", percentile_ms(result, 99)},
                           {"p999_ms", percentile_ms(result, 99.9)},
                           {"max_ms", percentile_ms(result, 100)},
                           {"errors", result.errors}};
  if (options.op == Op::kMixed) line["read_ratio"] = options.read_ratio;
  return boost::json::serialize(line) + "\n";
}

std::string render_table(const LoadOptions& options, const LoadResult& result) {
  return fmt::format(
      "{:<10}{:>10}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}\n"
      "{:<10}{:>10}{:>12.1f}{:>12.0f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10}\n",
      "OP", "CLIENTS", "SECONDS", "OPS/S", "P50 MS", "P99 MS", "P99.9 MS", "MAX MS", "ERRORS", op_name(options.op),
      options.clients, result.seconds, operations_per_second(result), percentile_ms(result, 50),
      percentile_ms(result, 99), percentile_ms(result, 99.9), percentile_ms(result, 100), result.errors);
}

}  // namespace meridian::bench
