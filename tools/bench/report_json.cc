#include <algorithm>

#include <boost/json.hpp>

#include "tools/bench/report.h"

namespace meridian::bench {

namespace {

namespace json = boost::json;

double to_ms(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }

void add_latencies(json::object& to, const Histogram& latency_ns) {
  to["mean_ms"] = latency_ns.mean() / 1e6;
  to["p50_ms"] = to_ms(latency_ns.percentile(50));
  to["p90_ms"] = to_ms(latency_ns.percentile(90));
  to["p99_ms"] = to_ms(latency_ns.percentile(99));
  to["p999_ms"] = to_ms(latency_ns.percentile(99.9));
  to["p9999_ms"] = to_ms(latency_ns.percentile(99.99));
  to["max_ms"] = to_ms(latency_ns.percentile(100));
}

json::object kinds_of(const Measured& measured) {
  json::object kinds;
  for (const OpKind kind : kAllKinds) {
    if (!measured.options.workload.mix.has(kind)) continue;
    const KindResult& of = measured.result.of(kind);
    json::object each{{"ops", of.latency_ns.count()}, {"errors", of.errors}};
    add_latencies(each, of.latency_ns);
    kinds[name_of(kind)] = std::move(each);
  }
  return kinds;
}

json::object codes_of(const LoadResult& result) {
  json::object codes;
  for (const auto& [code, count] : result.errors_by_code) {
    std::string name(sdk::to_string(code));
    std::ranges::replace(name, ' ', '_');
    codes[name] = count;
  }
  return codes;
}

// A second without answers has no latencies: null, since 0 would look fast.
json::array series_of(const LoadResult& result) {
  json::array series;
  for (const Second& each : result.series) {
    const auto latency = [&](std::uint64_t ns) { return each.ops == 0 ? json::value() : json::value(to_ms(ns)); };
    series.push_back(json::object{{"second", each.second},
                                  {"ops", each.ops},
                                  {"errors", each.errors},
                                  {"busy", each.busy},
                                  {"dropped", each.dropped},
                                  {"p50_ms", latency(each.p50_ns)},
                                  {"p99_ms", latency(each.p99_ns)},
                                  {"p999_ms", latency(each.p999_ns)},
                                  {"max_ms", latency(each.max_ns)}});
  }
  return series;
}

void add_open_loop(json::object& to, const OpenLoop& open, const LoadResult& result) {
  to["rate"] = open.per_second;
  to["arrivals"] = open.arrivals == Arrivals::kPoisson ? "poisson" : "uniform";
  to["max_in_flight"] = open.max_in_flight;
  to["dropped"] = result.dropped;
  to["send_delay_p99_ms"] = to_ms(result.send_delay_ns.percentile(99));
  to["send_delay_max_ms"] = to_ms(result.send_delay_ns.max());
}

json::object object_of(const Measured& measured, bool with_series) {
  const auto& [options, result] = measured;
  const Histogram latency_ns = result.latency_ns();
  json::object line{{"peer", "meridian"},
                    {"op", options.workload.name},
                    {"clients", options.open_loop ? 0 : options.clients},
                    {"seconds", result.seconds},
                    {"ops_per_s", operations_per_second(result)}};
  add_latencies(line, latency_ns);
  line["errors"] = result.errors();
  if (options.workload.name == "mixed") line["read_ratio"] = options.workload.mix.weight(OpKind::kGet);
  if (options.workload.mix.has(OpKind::kBatch)) line["batch_keys"] = options.workload.batch_keys;
  line["ops"] = latency_ns.count();
  line["busy"] = result.busy();
  line["errors_by_code"] = codes_of(result);
  line["not_found"] = result.not_found;
  line["rmw_retries"] = result.rmw_retries;
  line["keys"] = options.keys;
  line["value_bytes"] = options.value_bytes;
  line["distribution"] = name_of(options.workload.distribution);
  line["loop"] = options.open_loop ? "open" : "closed";
  if (options.open_loop) add_open_loop(line, *options.open_loop, result);
  line["kinds"] = kinds_of(measured);
  if (with_series) line["series"] = series_of(result);
  return line;
}

}  // namespace

std::string render_json(const Measured& measured, bool with_series) {
  return json::serialize(object_of(measured, with_series)) + "\n";
}

std::string render_sweep_json(const std::vector<Measured>& rows, bool with_series) {
  json::array sweep;
  for (const Measured& row : rows) sweep.push_back(object_of(row, with_series));
  const json::object line{
      {"peer", "meridian"}, {"op", rows.front().options.workload.name}, {"sweep", std::move(sweep)}};
  return json::serialize(line) + "\n";
}

}  // namespace meridian::bench
