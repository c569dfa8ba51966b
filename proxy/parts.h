// What the ways through the proxy share, and the ways: one overload of serve() per public call. On the loop.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "client/proto/methods.h"
#include "proxy/proxy.h"
#include "proxy/router.h"
#include "proxy/topology_cache.h"
#include "proxy/traffic.h"

namespace meridian::proxy {

struct Parts {
  Parts(Proxy::Deps deps, ProxyOptions o)
      : runtime(deps.runtime),
        transport(deps.transport),
        options(std::move(o)),
        own_metrics(deps.metrics == nullptr ? std::make_shared<Metrics>() : nullptr),
        traffic(std::make_shared<Traffic>(
            own_metrics, deps.metrics == nullptr ? *own_metrics : *deps.metrics,
            Admission::Options{options.min_inflight, options.max_inflight, options.queueing})),
        topology(runtime, transport, clock, options),
        router(runtime, transport, topology, clock, *traffic, options) {}

  Runtime& runtime;
  Transport& transport;
  const ProxyOptions options;
  const std::shared_ptr<Metrics> own_metrics;
  const std::shared_ptr<Traffic> traffic;
  std::map<MethodId, MethodTraffic> methods;
  ClusterClock clock;
  TopologyCache topology;
  Router router;
  // Of the ids that the proxy makes for requests without one.
  std::uint64_t client_number = 0;
  std::uint64_t sequence = 0;
  bool draining = false;
  Lifetime lifetime;  // last: dies first
};

// The descriptor's part of a public node; what the node itself says is not filled in.
void describe_node(const api::ClusterState& state, const api::NodeDescriptor& from, v1::Node* to);

// What came with a request.
struct Meta {
  MonoTime deadline;
  std::string trace;
};

// Data: the topology is known.
void serve(Parts& parts, v1::GetRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::MultiGetRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::PutRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::RemoveRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::CompareAndSetRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::ScanRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::WriteBatchRequest request, Meta meta, Reply reply);

// Administration, and what a client asks first: also before there is a cluster.
void serve(Parts& parts, v1::HelloRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::InitClusterRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::GetStatusRequest request, Meta meta, Reply reply);

// Changes of the cluster: the topology is known.
void serve(Parts& parts, v1::AddNodeRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::RemoveNodeRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::ReplaceNodeRequest request, Meta meta, Reply reply);
void serve(Parts& parts, v1::TransferLeaderRequest request, Meta meta, Reply reply);

}  // namespace meridian::proxy
