// A proxy in the virtual world, before nodes whose answers a test decides; without a say they keep one shared map.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/proto/methods.h"
#include "proxy/proxy.h"
#include "shard/api/methods.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_transport.h"
#include "tests/sim/sim_world.h"

namespace meridian::proxy {

using namespace std::chrono_literals;

template <class M>
using Respond = std::move_only_function<void(Result<M>)>;

struct FakeCluster;

struct FakeNode {
  FakeNode(FakeCluster& cluster, std::uint64_t id, std::string region);
  ~FakeNode() { crash(true); }
  void start();
  void crash(bool abrupt);
  bool leads() const { return leader == id; }
  api::NotLeader where() const;

  FakeCluster& cluster;
  const std::uint64_t id;
  const std::string region;
  const Address address;
  sim::SimClocks clocks;
  sim::SimDisk disk;
  std::unique_ptr<sim::SimRuntime> runtime;
  std::unique_ptr<sim::SimTransport> transport;

  // What it believes.
  bool initialised = true;
  std::uint64_t leader = 1;
  std::uint64_t term = 5;
  std::optional<api::ClusterState> own_state;  // another than the cluster's
  std::string trouble;

  // Answers instead of the node where they return true.
  std::function<bool(const api::WriteRequest&, Respond<api::WriteResponse>&)> on_write;
  std::function<bool(const api::ReadRequest&, Respond<api::ReadResponse>&)> on_read;
  std::function<bool(const api::ScanRequest&, Respond<api::ScanResponse>&)> on_scan;
  std::function<bool(const api::ChangeRequest&, Respond<api::ChangeResponse>&)> on_change;

  std::vector<api::WriteRequest> writes;
  std::vector<api::ReadRequest> reads;
  std::vector<api::ScanRequest> scans;
  std::vector<api::ChangeRequest> changes;
  std::vector<api::BootstrapRequest> bootstraps;
  int topologies = 0;
  std::vector<Respond<api::WriteResponse>> kept;  // never answered

 private:
  void serve();
};

struct FakeCluster : testing::Test {
  FakeCluster() { make_nodes(3); }
  ~FakeCluster() override { stop_proxy(); }

  void make_nodes(int n) {
    for (int i = 0; i < n; ++i) {
      nodes.push_back(std::make_unique<FakeNode>(*this, nodes.size() + 1, "r" + std::to_string(i)));
      nodes.back()->start();
    }
    write_state();
  }
  void write_state() {
    state.set_cluster_id(0xc1);
    state.set_version(state.version() + 1);
    state.clear_nodes();
    state.clear_shards();
    state.clear_keyspaces();
    state.add_keyspaces()->set_id(api::kDefaultKeyspaceId);
    state.mutable_keyspaces(0)->set_name(std::string(api::kDefaultKeyspace));
    auto* shard = state.add_shards();
    shard->set_id(api::kFirstShardId);
    shard->set_keyspace_id(api::kDefaultKeyspaceId);
    for (const auto& node : nodes) {
      auto* n = state.add_nodes();
      n->set_id(node->id);
      n->set_address(node->address);
      n->set_region(node->region);
      n->set_state(api::ACTIVE);
      auto* r = shard->add_replicas();
      r->set_replica_id(10 + node->id);
      r->set_node_id(node->id);
    }
  }

  FakeNode& node(std::uint64_t id) { return *nodes[id - 1]; }
  void elect(std::uint64_t leader, std::uint64_t term) {
    for (const auto& n : nodes) {
      n->leader = leader;
      n->term = term;
    }
  }
  void later(Duration delay, Callback f) {
    world.at(world.now() + delay.count(), sim::EventKind::kWorld, nullptr, std::move(f));
  }
  void cut_off(std::uint64_t id) {
    for (const Address other : {"p:1", "n1:1", "n2:1", "n3:1"}) {
      network.cut(other, node(id).address);
      network.cut(node(id).address, other);
    }
  }

  void start_proxy(ProxyOptions options = {}) {
    network.set_region("p:1", "r1");
    network.set_region("c:1", "r1");
    if (options.nodes.empty()) {
      for (const auto& n : nodes) options.nodes.push_back(n->address);
    }
    options.region = "r1";
    options.version = "test";
    proxy_runtime = std::make_unique<sim::SimRuntime>(world, "proxy", proxy_clocks, disk);
    proxy_transport = std::make_unique<sim::SimTransport>(network, *proxy_runtime, "p:1");
    proxy = std::make_unique<Proxy>(Proxy::Deps{*proxy_runtime, *proxy_transport}, options);
    client_runtime = std::make_unique<sim::SimRuntime>(world, "client", client_clocks, disk);
    client_transport = std::make_unique<sim::SimTransport>(network, *client_runtime, "c:1");
    proxy_runtime->post([this] { proxy->start(); });
    world.run_for(20'000);
  }
  void stop_proxy() {
    if (proxy_runtime == nullptr) return;
    proxy_runtime->kill();
    client_runtime->kill();
    proxy_transport->kill(true);
    client_transport->kill(true);
    proxy.reset();
    proxy_transport.reset();
    client_transport.reset();
    proxy_runtime.reset();
    client_runtime.reset();
  }

  // As a client would, over the network. elapsed says how long it took.
  template <class Request, class Response>
  Result<Response> call(const Method<Request, Response>& method, const Request& request, Duration timeout = 5s) {
    Result<std::string> bytes = call_bytes(method.id, v1::encode(request), timeout);
    if (!bytes) return fail(bytes.error());
    return v1::decode(*bytes, static_cast<Response*>(nullptr));
  }
  Result<std::string> call_bytes(MethodId method, std::string payload, Duration timeout = 5s) {
    std::optional<Result<std::string>> answer;
    const std::int64_t began = world.now();
    client_runtime->post([&] {
      client_transport->call("p:1", method, std::move(payload), {.deadline = client_runtime->now() + timeout},
                             [&](Result<std::string> result) { answer = std::move(result); });
    });
    world.run_until([&] { return answer.has_value(); }, world.now() + 100'000'000);
    elapsed = Duration(world.now() - began);
    if (!answer) return fail(ErrorCode::kInternal, "never answered");
    return *answer;
  }
  Result<v1::WriteResponse> put(const std::string& key, const std::string& value, Duration timeout = 5s) {
    v1::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    return call(v1::kPut, request, timeout);
  }
  Result<v1::GetResponse> get(const std::string& key, v1::Consistency consistency = v1::CONSISTENCY_LINEARIZABLE,
                              std::uint64_t at = 0, Duration timeout = 5s) {
    v1::GetRequest request;
    request.set_key(key);
    request.mutable_options()->set_consistency(consistency);
    request.mutable_options()->set_at_timestamp(at);
    return call(v1::kGet, request, timeout);
  }

  sim::SimWorld world{7};
  sim::SimNetwork network{world, {}};
  sim::SimClocks proxy_clocks{world, 100, {}}, client_clocks{world, 101, {}};
  sim::SimDisk disk;
  api::ClusterState state;
  std::vector<std::unique_ptr<FakeNode>> nodes;
  // The shard's contents: whoever leads writes, everybody reads.
  std::map<std::string, std::string> data;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> outcomes;  // by request id
  int applied = 0;
  std::uint64_t clock = 1'000'000;

  std::unique_ptr<sim::SimRuntime> proxy_runtime, client_runtime;
  std::unique_ptr<sim::SimTransport> proxy_transport, client_transport;
  std::unique_ptr<Proxy> proxy;
  Duration elapsed{0};
};

inline FakeNode::FakeNode(FakeCluster& c, std::uint64_t i, std::string r)
    : cluster(c), id(i), region(std::move(r)), address("n" + std::to_string(i) + ":1"), clocks(c.world, i, {}) {
  c.network.set_region(address, region);
}

inline void FakeNode::start() {
  runtime = std::make_unique<sim::SimRuntime>(cluster.world, address, clocks, disk);
  transport = std::make_unique<sim::SimTransport>(cluster.network, *runtime, address);
  serve();
}

inline void FakeNode::crash(bool abrupt) {
  if (runtime == nullptr) return;
  runtime->kill();
  transport->kill(abrupt);
  kept.clear();
  transport.reset();
  runtime.reset();
}

inline api::NotLeader FakeNode::where() const {
  api::NotLeader hint;
  hint.set_term(term);
  hint.set_leader_node_id(leader);
  if (leader != 0) hint.set_leader_address(cluster.node(leader).address);
  return hint;
}

inline void FakeNode::serve() {
  const auto time = [this] { return static_cast<std::uint64_t>(runtime->wall_now().us()); };
  handle(*transport, api::kTopology,
         [this, time](api::TopologyRequest, MonoTime, Respond<api::TopologyResponse> reply) {
           ++topologies;
           api::TopologyResponse response;
           response.set_initialised(initialised);
           if (initialised) {
             *response.mutable_state() = own_state ? *own_state : cluster.state;
             response.set_leader_node_id(leader);
             response.set_leader_term(term);
           }
           response.set_node_id(id);
           response.set_cluster_time_us(time());
           reply(std::move(response));
         });
  handle(*transport, api::kWrite, [this, time](api::WriteRequest request, MonoTime, Respond<api::WriteResponse> reply) {
    writes.push_back(request);
    if (on_write && on_write(request, reply)) return;
    api::WriteResponse response;
    if (!leads()) {
      *response.mutable_not_leader() = where();
      return reply(std::move(response));
    }
    auto [it, fresh] =
        cluster.outcomes.try_emplace({request.id().client(), request.id().sequence()}, cluster.clock + 1);
    if (fresh) {
      ++cluster.clock;
      ++cluster.applied;
      for (const auto& m : request.mutations()) {
        m.remove() ? void(cluster.data.erase(m.key())) : void(cluster.data[m.key()] = m.value());
      }
    }
    response.set_applied(true);
    response.set_version(it->second);
    response.set_cluster_time_us(time());
    reply(std::move(response));
  });
  const auto fill = [this, time](api::ReadInfo* info, std::uint64_t at) {
    info->set_timestamp(at != 0 ? at : cluster.clock);
    info->set_node_id(id);
    info->set_region(region);
    info->set_role(leads() ? api::LEADER : api::FOLLOWER);
    info->set_cluster_time_us(time());
  };
  handle(*transport, api::kRead, [this, fill](api::ReadRequest request, MonoTime, Respond<api::ReadResponse> reply) {
    reads.push_back(request);
    if (on_read && on_read(request, reply)) return;
    api::ReadResponse response;
    if (!leads() && request.consistency() == api::LINEARIZABLE) {
      *response.mutable_not_leader() = where();
      return reply(std::move(response));
    }
    for (const std::string& key : request.keys()) {
      auto* item = response.add_items();
      const auto it = cluster.data.find(key);
      item->set_found(it != cluster.data.end());
      if (item->found()) item->set_value(it->second);
    }
    fill(response.mutable_info(), request.at_timestamp());
    reply(std::move(response));
  });
  handle(*transport, api::kScan, [this, fill](api::ScanRequest request, MonoTime, Respond<api::ScanResponse> reply) {
    scans.push_back(request);
    if (on_scan && on_scan(request, reply)) return;
    api::ScanResponse response;
    if (!leads() && request.consistency() == api::LINEARIZABLE) {
      *response.mutable_not_leader() = where();
      return reply(std::move(response));
    }
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& [key, value] : cluster.data) {
      if (key >= request.start() && (request.end().empty() || key < request.end())) rows.emplace_back(key, value);
    }
    if (request.reverse()) std::reverse(rows.begin(), rows.end());
    for (const auto& [key, value] : rows) {
      if (static_cast<std::uint32_t>(response.entries_size()) == request.limit()) {
        response.set_more(true);
        response.set_rest_start(request.reverse() ? request.start() : key);
        response.set_rest_end(request.reverse() ? key + '\0' : request.end());
        break;
      }
      auto* entry = response.add_entries();
      entry->set_key(key);
      if (!request.keys_only()) entry->set_value(value);
    }
    fill(response.mutable_info(), request.at_timestamp());
    reply(std::move(response));
  });
  handle(*transport, api::kNodeStatus,
         [this](api::NodeStatusRequest, MonoTime, Respond<api::NodeStatusResponse> reply) {
           api::NodeStatusResponse response;
           response.set_node_id(id);
           response.set_cluster_id(cluster.state.cluster_id());
           response.set_role(leads() ? api::LEADER : api::FOLLOWER);
           response.set_term(term);
           response.set_commit_index(61'004);
           response.set_applied_index(leads() ? 61'004 : 3'120);
           response.set_trouble(trouble);
           for (const auto& n : cluster.nodes) response.add_voters(10 + n->id);
           reply(std::move(response));
         });
  handle(*transport, api::kChange, [this](api::ChangeRequest request, MonoTime, Respond<api::ChangeResponse> reply) {
    changes.push_back(request);
    if (on_change && on_change(request, reply)) return;
    api::ChangeResponse response;
    if (!leads()) {
      *response.mutable_not_leader() = where();
    } else {
      response.set_operation_id(7);
      response.set_node_id(4);
    }
    reply(std::move(response));
  });
  handle(*transport, api::kBootstrap,
         [this](api::BootstrapRequest request, MonoTime, Respond<api::BootstrapResponse> reply) {
           bootstraps.push_back(request);
           for (const auto& n : cluster.nodes) n->initialised = true;
           api::BootstrapResponse response;
           *response.mutable_state() = cluster.state;
           reply(std::move(response));
         });
}

}  // namespace meridian::proxy
