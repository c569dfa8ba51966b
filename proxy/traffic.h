// What the proxy counts, and Reply, which answers one public call once and counts that. On the loop; the counters may
// be read from any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "base/metrics.h"
#include "base/runtime.h"
#include "base/transport.h"
#include "proxy/admission.h"

namespace meridian::proxy {

struct MethodTraffic {
  Counter& requests;
  Counter& errors;
  MetricHistogram& latency;
  bool data;  // else it has an admission of its own, and says nothing of how fast the cluster is
};

// Shared by the proxy and the replies that outlive it.
struct Traffic {
  Traffic(std::shared_ptr<Metrics> own, Metrics& m, const Admission::Options& limits)
      : own_metrics(std::move(own)),
        admission(limits),
        retries(m.counter("meridian_proxy_retries_total", "Attempts at a node after a request's first.")),
        redirects(m.counter("meridian_proxy_redirects_total", "Answers of nodes that they are not the leader.")),
        unknown_outcomes(m.counter("meridian_proxy_unknown_outcomes_total", "Writes answered 'unknown outcome'.")),
        refused(m.counter("meridian_proxy_refused_total", "Requests refused because too many were under way.")),
        inflight_gauge(m.gauge("meridian_proxy_requests_in_flight", "Data requests under way.")),
        control_gauge(m.gauge("meridian_proxy_control_requests_in_flight",
                              "Status and administration under way; data does not get in their way.")),
        limit_gauge(m.gauge("meridian_proxy_requests_limit", "Requests under way from which on more are refused.")) {}
  const std::shared_ptr<Metrics> own_metrics;  // what the counters below are part of, where it is the proxy's
  Admission admission;
  Counter& retries;
  Counter& redirects;
  Counter& unknown_outcomes;
  Counter& refused;
  Gauge& inflight_gauge;
  Gauge& control_gauge;
  Gauge& limit_gauge;
  std::size_t inflight = 0;        // data
  std::size_t inflight_bytes = 0;  // of it
  std::size_t control = 0;   // all else

  void count(bool data, int change, std::size_t bytes) {
    std::size_t& under_way = data ? inflight : control;
    if (data) change > 0 ? inflight_bytes += bytes : inflight_bytes -= bytes;
    under_way += static_cast<std::size_t>(change);
    (data ? inflight_gauge : control_gauge).set(static_cast<double>(under_way));
  }
  void ended(MonoTime now, Duration took) {
    admission.ended(now, took);
    limit_gauge.set(static_cast<double>(admission.limit()));
  }
};

class Reply {
 public:
  Reply(std::shared_ptr<Traffic> traffic, MethodTraffic& method, Runtime& runtime, std::size_t request_bytes, Responder respond)
      : traffic_(std::move(traffic)),
        method_(&method),
        data_(method.data),
        bytes_(request_bytes),
        runtime_(&runtime),
        arrived_(runtime.now()),
        respond_(std::move(respond)) {
    traffic_->count(data_, +1, bytes_);
    method_->requests.add();
  }
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (traffic_) traffic_->count(data_, -1, bytes_);
  }

  void operator()(Result<std::string> response) {
    if (!traffic_) return;
    const MonoTime now = runtime_->now();
    method_->latency.record(now - arrived_);
    if (data_) traffic_->ended(now, now - arrived_);
    if (!response) {
      method_->errors.add();
      if (response.error().code() == ErrorCode::kUnknownOutcome) traffic_->unknown_outcomes.add();
    }
    traffic_->count(data_, -1, bytes_);
    traffic_.reset();
    respond_(std::move(response));
  }

 private:
  std::shared_ptr<Traffic> traffic_;  // null: answered
  MethodTraffic* method_;  // the proxy's, which a reply that is not given may outlive
  bool data_;
  std::size_t bytes_;
  Runtime* runtime_;
  MonoTime arrived_;
  Responder respond_;
};

}  // namespace meridian::proxy
