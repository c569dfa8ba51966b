#include "base/metrics.h"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <variant>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "base/check.h"

namespace meridian {

namespace {

using Cell = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<MetricHistogram>>;

struct Family {
  std::string help;
  std::map<MetricLabels, Cell> cells;
};

void check_name(const std::string& name, std::initializer_list<std::string_view> suffixes) {
  CHECK_F(name.starts_with("meridian_"), "metric {} does not start with meridian_", name);
  CHECK_F(
      std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }),
      "metric {}", name);
  CHECK_F(suffixes.size() == 0 || std::ranges::any_of(suffixes, [&](std::string_view s) { return name.ends_with(s); }),
          "metric {} lacks its unit", name);
}

// 1, 2, 5, 10, ... from first up to last.
std::vector<std::uint64_t> decades(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> bounds;
  for (std::uint64_t decade = 1; decade <= last; decade *= 10) {
    for (const std::uint64_t step : {1, 2, 5}) {
      if (const std::uint64_t bound = decade * step; bound >= first && bound <= last) bounds.push_back(bound);
    }
  }
  return bounds;
}

prometheus::ClientMetric to_prometheus(const Cell& cell) {
  prometheus::ClientMetric metric;
  if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&cell)) {
    metric.counter.value = static_cast<double>((*counter)->value());
  } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&cell)) {
    metric.gauge.value = (*gauge)->value();
  } else {
    const MetricHistogram& histogram = **std::get_if<std::unique_ptr<MetricHistogram>>(&cell);
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
      cumulative += histogram.bucket(i);
      const double bound = i < histogram.bounds().size()
                               ? static_cast<double>(histogram.bounds()[i]) * histogram.scale()
                               : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({.cumulative_count = cumulative, .upper_bound = bound});
    }
    metric.histogram.sample_count = cumulative;
    metric.histogram.sample_sum = static_cast<double>(histogram.sum()) * histogram.scale();
  }
  return metric;
}

prometheus::MetricType type_of(const Cell& cell) {
  switch (cell.index()) {
    case 0: return prometheus::MetricType::Counter;
    case 1: return prometheus::MetricType::Gauge;
    default: return prometheus::MetricType::Histogram;
  }
}

}  // namespace

struct Metrics::State {
  explicit State(MetricLabels labels) : common(std::move(labels)) {}

  const MetricLabels common;
  std::mutex mutex;  // families; taken inside refresh_mutex, never around it
  std::map<std::string, Family> families;
  std::mutex refresh_mutex;  // held while refreshing, so that dropping a token waits
  std::list<std::function<void()>> refreshers;

  template <class T, class Make>
  T& find_or_make(const std::string& name, const std::string& help, MetricLabels labels, Make make) {
    const std::lock_guard lock(mutex);
    std::ranges::sort(labels);
    Family& family = families[name];
    if (family.help.empty()) family.help = help;
    CHECK_F(family.cells.empty() || std::holds_alternative<std::unique_ptr<T>>(family.cells.begin()->second),
            "metric {} is registered with two types", name);
    auto it = family.cells.find(labels);
    if (it == family.cells.end()) it = family.cells.emplace(std::move(labels), make()).first;
    return *std::get<std::unique_ptr<T>>(it->second);
  }
};

MetricHistogram::MetricHistogram(std::vector<std::uint64_t> bounds, double scale)
    : bounds_(std::move(bounds)), scale_(scale), buckets_(bounds_.size() + 1) {}

void MetricHistogram::record(std::uint64_t value) {
  const auto bucket = static_cast<std::size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

Metrics::Metrics(MetricLabels common) : state_(std::make_shared<State>(std::move(common))) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(const std::string& name, const std::string& help, MetricLabels labels) {
  check_name(name, {"_total"});
  return state_->find_or_make<Counter>(name, help, std::move(labels), [] { return std::make_unique<Counter>(); });
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, MetricLabels labels) {
  check_name(name, {});
  CHECK_F(!name.ends_with("_total"), "gauge {} is named like a counter", name);
  return state_->find_or_make<Gauge>(name, help, std::move(labels), [] { return std::make_unique<Gauge>(); });
}

MetricHistogram& Metrics::latency(const std::string& name, const std::string& help, MetricLabels labels) {
  check_name(name, {"_seconds"});
  return state_->find_or_make<MetricHistogram>(
      name, help, std::move(labels), [] { return std::make_unique<MetricHistogram>(decades(50, 30'000'000), 1e-6); });
}

MetricHistogram& Metrics::sizes(const std::string& name, const std::string& help, MetricLabels labels) {
  check_name(name, {"_bytes"});
  return state_->find_or_make<MetricHistogram>(name, help, std::move(labels), [] {
    std::vector<std::uint64_t> bounds;
    for (std::uint64_t bound = 64; bound <= (64 << 20); bound *= 4) bounds.push_back(bound);
    return std::make_unique<MetricHistogram>(std::move(bounds), 1);
  });
}

std::shared_ptr<void> Metrics::on_scrape(std::function<void()> refresh) {
  const std::lock_guard lock(state_->refresh_mutex);
  const auto it = state_->refreshers.insert(state_->refreshers.end(), std::move(refresh));
  return std::shared_ptr<void>(nullptr, [state = state_, it](void*) {
    const std::lock_guard guard(state->refresh_mutex);
    state->refreshers.erase(it);
  });
}

std::string Metrics::serialize() const {
  {
    const std::lock_guard lock(state_->refresh_mutex);
    for (const auto& refresh : state_->refreshers) refresh();
  }
  std::vector<prometheus::MetricFamily> out;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [name, family] : state_->families) {
    prometheus::MetricFamily& to = out.emplace_back();
    to.name = name;
    to.help = family.help;
    to.type = type_of(family.cells.begin()->second);
    for (const auto& [labels, cell] : family.cells) {
      prometheus::ClientMetric& metric = to.metric.emplace_back(to_prometheus(cell));
      for (const MetricLabels* part : {&state_->common, &labels}) {
        for (const auto& [key, value] : *part) metric.label.push_back({key, value});
      }
    }
  }
  return prometheus::TextSerializer().Serialize(out);
}

}  // namespace meridian
