#include "tests/proxy/fake_node.h"

#include <algorithm>

#include "tests/proxy/fake_cluster.h"

namespace meridian::proxy {

FakeNode::FakeNode(FakeCluster& c, std::uint64_t i, std::string r)
    : cluster(c), id(i), region(std::move(r)), address("n" + std::to_string(i) + ":1"), clocks(c.world, i, {}) {
  c.network.set_region(address, region);
}

void FakeNode::start() {
  runtime = std::make_unique<sim::SimRuntime>(cluster.world, address, clocks, disk);
  transport = std::make_unique<sim::SimTransport>(cluster.network, *runtime, address);
  serve_topology();
  serve_writes();
  serve_reads();
  serve_scans();
  serve_admin();
}

void FakeNode::crash(bool abrupt) {
  if (runtime == nullptr) return;
  runtime->kill();
  transport->kill(abrupt);
  kept.clear();
  transport.reset();
  runtime.reset();
}

api::NotLeader FakeNode::where() const {
  api::NotLeader hint;
  hint.set_term(term);
  hint.set_leader_node_id(leader);
  if (leader != 0) hint.set_leader_address(cluster.node(leader).address);
  return hint;
}

void FakeNode::serve_topology() {
  handle(*transport, api::kTopology, [this](api::TopologyRequest, MonoTime, Respond<api::TopologyResponse> reply) {
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
}

void FakeNode::serve_writes() {
  handle(*transport, api::kWrite, [this](api::WriteRequest request, MonoTime, Respond<api::WriteResponse> reply) {
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
}

void FakeNode::serve_reads() {
  handle(*transport, api::kRead, [this](api::ReadRequest request, MonoTime, Respond<api::ReadResponse> reply) {
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
}

void FakeNode::serve_scans() {
  handle(*transport, api::kScan, [this](api::ScanRequest request, MonoTime, Respond<api::ScanResponse> reply) {
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
}

void FakeNode::serve_admin() {
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

void FakeNode::fill(api::ReadInfo* info, std::uint64_t at) const {
  info->set_timestamp(at != 0 ? at : cluster.clock);
  info->set_node_id(id);
  info->set_region(region);
  info->set_role(leads() ? api::LEADER : api::FOLLOWER);
  info->set_cluster_time_us(time());
}

}  // namespace meridian::proxy
