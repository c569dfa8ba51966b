// A proxy in the virtual world before nodes whose answers a test decides (fake_node.h), and a client of it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/proto/methods.h"
#include "proxy/proxy.h"
#include "tests/proxy/fake_node.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_transport.h"
#include "tests/sim/sim_world.h"

namespace meridian::proxy {

using namespace std::chrono_literals;

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

}  // namespace meridian::proxy
