#include "proxy/proxy.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/fault.h"
#include "proxy/parts.h"

namespace meridian {

namespace proxy {

namespace {

template <class Request>
constexpr bool kServedWithoutTopology =
    std::is_same_v<Request, v1::HelloRequest> || std::is_same_v<Request, v1::InitClusterRequest> ||
    std::is_same_v<Request, v1::GetStatusRequest>;

constexpr bool is_admin(MethodId method) { return (method & 0xf00) == 0x200; }

// The answer has a way to go, too: what is known should arrive before the caller stops waiting.
MonoTime effective_deadline(MonoTime asked, MonoTime now, Duration longest) {
  if (asked >= now + longest) return now + longest;
  const Duration left = asked - now;
  return asked - std::clamp(left / 20, Duration(0), Duration(20'000));
}

using Serve = void (*)(Parts&, IncomingCall, MonoTime deadline, Reply);

template <class Request>
void decode_and_serve(Parts& parts, IncomingCall call, MonoTime deadline, Reply reply) {
  Result<Request> request = v1::decode(call.payload, static_cast<Request*>(nullptr));
  if (!request) return reply(fail(std::move(request).error()));
  Meta meta{deadline, std::move(call.trace)};
  if constexpr (!kServedWithoutTopology<Request>) {
    if (!parts.topology.known()) {
      return parts.topology.when_known(deadline, [&parts, request = std::move(*request), meta = std::move(meta),
                                                  reply = std::move(reply)](Result<> known) mutable {
        if (!known) return reply(fail(std::move(known).error()));
        serve(parts, std::move(request), std::move(meta), std::move(reply));
      });
    }
  }
  serve(parts, std::move(*request), std::move(meta), std::move(reply));
}

struct Served {
  MethodId id;
  std::string_view name;
  Serve serve;
};

template <class Request, class Response>
constexpr Served served(const Method<Request, Response>& method) {
  return {method.id, method.name, decode_and_serve<Request>};
}

constexpr Served kServed[] = {served(v1::kGet),         served(v1::kMultiGet),      served(v1::kPut),
                              served(v1::kRemove),      served(v1::kCompareAndSet), served(v1::kScan),
                              served(v1::kWriteBatch),  served(v1::kHello),         served(v1::kInitCluster),
                              served(v1::kGetStatus),   served(v1::kAddNode),       served(v1::kRemoveNode),
                              served(v1::kReplaceNode), served(v1::kTransferLeader)};

// Whoever asks what is wrong, or mends it, does so when data requests have taken every place and none of them ends. So
// these have places of their own; Hello, answered at once, needs none.
constexpr std::uint32_t kControlRetryMs = 100;

std::optional<Error> refusal(const Traffic& all, const ProxyOptions& options, bool data, std::size_t bytes) {
  if (!data) {
    if (all.control < options.max_control_inflight) return std::nullopt;
    return Error(ErrorCode::kBusy, fmt::format("{} requests for status and administration are under way; the limit is {}",
                                               all.control, options.max_control_inflight))
        .with_retry_after(kControlRetryMs);
  }
  if (all.inflight_bytes + bytes > options.max_inflight_bytes && all.inflight > 0) {
    return Error(ErrorCode::kBusy, fmt::format("requests of {} bytes are under way, and this one has {}; the limit is {}",
                                               all.inflight_bytes, bytes, options.max_inflight_bytes))
        .with_retry_after(all.admission.wait_ms(all.inflight));
  }
  if (all.admission.admits(all.inflight) && !BUGGIFY("proxy.busy")) return std::nullopt;
  return Error(ErrorCode::kBusy, fmt::format("{} requests are under way; the limit is {} at the present pace",
                                             all.inflight, all.admission.limit()))
      .with_retry_after(all.admission.wait_ms(all.inflight));
}

void accept(Parts& parts, const Served& method, MethodTraffic& traffic, IncomingCall call) {
  if (parts.draining) return call.respond(fail(ErrorCode::kUnavailable, "this proxy is shutting down"));
  if (method.id != v1::kHello.id) {
    if (std::optional<Error> busy = refusal(*parts.traffic, parts.options, traffic.data, call.payload.size())) {
      parts.traffic->refused.add();
      return call.respond(fail(std::move(*busy)));
    }
  }
  const MonoTime now = parts.runtime.now();
  const Duration longest = is_admin(method.id) ? parts.options.admin_deadline : parts.options.default_deadline;
  const MonoTime deadline = effective_deadline(call.deadline, now, longest);
  Reply reply(parts.traffic, traffic, parts.runtime, call.payload.size(), std::move(call.respond));
  if (deadline <= now) return reply(fail(ErrorCode::kDeadlineExceeded, "the deadline had passed on arrival"));
  method.serve(parts, std::move(call), deadline, std::move(reply));
}

}  // namespace

}  // namespace proxy

Proxy::Proxy(Deps deps, Options options) : parts_(std::make_unique<proxy::Parts>(deps, std::move(options))) {
  proxy::Parts& parts = *parts_;
  Metrics& metrics = deps.metrics != nullptr ? *deps.metrics : *parts.own_metrics;
  for (const proxy::Served& method : proxy::kServed) {
    const MetricLabels labels{{"method", std::string(method.name)}};
    auto [it, inserted] = parts.methods.emplace(
        method.id,
        proxy::MethodTraffic{
            metrics.counter("meridian_proxy_requests_total", "Public requests taken on.", labels),
            metrics.counter("meridian_proxy_errors_total", "Public requests answered with an error.", labels),
            metrics.latency("meridian_proxy_request_seconds", "From arrival to answer.", labels),
            !proxy::is_admin(method.id) && method.id != v1::kHello.id});
    CHECK(inserted);
    deps.transport.handle(method.id, parts.lifetime.guard([&parts, &method, traffic = &it->second](IncomingCall call) {
      proxy::accept(parts, method, *traffic, std::move(call));
    }));
  }
}

Proxy::~Proxy() = default;

void Proxy::start() { parts_->topology.start(); }

bool Proxy::ready() const { return not_ready().empty(); }

std::string Proxy::not_ready() const {
  if (parts_->draining) return "shutting down";
  proxy::TopologyCache& topology = parts_->topology;
  // Where no requests come because of the answer, nothing else would find out that it is no longer true.
  topology.refresh_if_old();
  if (!topology.known() || !topology.any_reachable()) {
    return topology.uninitialised() ? topology.not_initialised().message() : topology.describe_unknown();
  }
  if (topology.leader_answers()) return "";
  topology.refresh();
  return "no leader answers; writes and linearizable reads wait";
}

void Proxy::drain() { parts_->draining = true; }

std::size_t Proxy::in_flight() const { return parts_->traffic->inflight + parts_->traffic->control; }

void Proxy::dispatch(MethodId method, std::string payload, MonoTime deadline, ResponseCallback respond) {
  dispatch(method, IncomingCall{std::move(payload), deadline, {}, Responder(std::move(respond))});
}

void Proxy::dispatch(MethodId method, IncomingCall call) {
  const auto served = std::ranges::find(proxy::kServed, method, &proxy::Served::id);
  if (served == std::end(proxy::kServed)) {
    return call.respond(fail(ErrorCode::kUnimplemented, fmt::format("method {:#x} is not served here", method)));
  }
  proxy::accept(*parts_, *served, parts_->methods.at(method), std::move(call));
}

Proxy::Stats Proxy::stats() const {
  Stats stats;
  for (const auto& [id, method] : parts_->methods) {
    stats.requests += method.requests.value();
    stats.errors += method.errors.value();
  }
  stats.retries = parts_->traffic->retries.value();
  stats.redirects = parts_->traffic->redirects.value();
  stats.unknown_outcomes = parts_->traffic->unknown_outcomes.value();
  return stats;
}

}  // namespace meridian
