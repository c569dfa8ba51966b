// Metrics: counters, gauges and histograms that cost one relaxed atomic operation where they are
// counted, and are turned into Prometheus's model and text (prometheus-cpp) only when scraped.
//
// One Metrics per node or proxy, handed down by reference; there are no globals. Names are
// meridian_<subsystem>_<what>: counters end in _total, histograms in _seconds or _bytes. What is
// registered lives as long as the Metrics; asking twice for a name and labels answers the same cell.
// Registering and scraping: any thread. Cells: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"

namespace meridian {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Buckets are fixed when it is registered; what is counted is integers (microseconds, or bytes).
class MetricHistogram {
 public:
  MetricHistogram(std::vector<std::uint64_t> bounds, double scale);
  void record(std::uint64_t value);
  void record(Duration duration) { record(duration.count() < 0 ? 0 : static_cast<std::uint64_t>(duration.count())); }

  const std::vector<std::uint64_t>& bounds() const { return bounds_; }  // inclusive upper bounds, ascending
  double scale() const { return scale_; }                               // of the unit exposed, per unit counted
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }
  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<std::uint64_t> bounds_;
  double scale_;
  std::vector<std::atomic<std::uint64_t>> buckets_;  // one more than bounds_: the rest
  std::atomic<std::uint64_t> sum_{0};
};

class Metrics {
 public:
  // The labels are added to every metric.
  explicit Metrics(MetricLabels common = {});
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter& counter(const std::string& name, const std::string& help, MetricLabels labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, MetricLabels labels = {});
  // Of durations: microseconds counted, seconds exposed; 50 us to 30 s.
  MetricHistogram& latency(const std::string& name, const std::string& help, MetricLabels labels = {});
  // Of sizes, 64 B to 64 MiB.
  MetricHistogram& sizes(const std::string& name, const std::string& help, MetricLabels labels = {});

  // Called before each scrape, on the scraping thread, to bring gauges up to date; until the returned
  // token is destroyed (which waits for a call under way).
  [[nodiscard]] std::shared_ptr<void> on_scrape(std::function<void()> refresh);

  // Everything in Prometheus's text format, version 0.0.4.
  std::string serialize() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace meridian
