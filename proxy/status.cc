// GetStatus: the topology, and every node asked at the same time how it does.

#include <algorithm>
#include <optional>
#include <vector>

#include "proxy/parts.h"

namespace meridian::proxy {

void describe_node(const api::ClusterState& state, const api::NodeDescriptor& from, v1::Node* to) {
  to->set_id(from.id());
  to->set_address(from.address());
  to->set_region(from.region());
  to->set_state(static_cast<v1::NodeState>(from.state()));  // the same numbers
  // Of several replicas on one node the last one stands.
  for (const api::ShardDescriptor& shard : state.shards()) {
    for (const api::ReplicaDescriptor& replica : shard.replicas()) {
      if (replica.node_id() == from.id()) to->set_replica_id(replica.replica_id());
    }
  }
}

static_assert(static_cast<int>(api::JOINING) == static_cast<int>(v1::NODE_STATE_JOINING) &&
              static_cast<int>(api::REMOVED) == static_cast<int>(v1::NODE_STATE_REMOVED));

namespace {

// Answers as they come in, in the order of the topology's nodes.
struct Survey {
  Survey(Parts& p, Reply r) : parts(p), state(p.topology.state()), reply(std::move(r)) {
    for (const api::NodeDescriptor& node : state.nodes()) {
      if (node.state() != api::REMOVED) nodes.push_back(&node);
    }
    statuses.resize(nodes.size());
    strangers.resize(nodes.size());
    outstanding = nodes.size();
  }

  Parts& parts;
  const api::ClusterState state;  // the nodes point into it
  Reply reply;
  std::vector<const api::NodeDescriptor*> nodes;
  std::vector<std::optional<api::NodeStatusResponse>> statuses;
  std::vector<std::string> strangers;  // who answers in a node's place; empty: nobody
  std::size_t outstanding = 0;

  const api::NodeStatusResponse* leader() const {
    const api::NodeStatusResponse* found = nullptr;
    for (const auto& status : statuses) {
      if (status && status->role() == api::LEADER && (found == nullptr || status->term() > found->term()))
        found = &*status;
    }
    return found;
  }
  std::size_t index_of_node(std::uint64_t id) const {
    return static_cast<std::size_t>(std::ranges::find(nodes, id, [](const auto* n) { return n->id(); }) -
                                    nodes.begin());
  }
  const api::NodeStatusResponse* status_of(std::uint64_t node) const {
    const std::size_t i = index_of_node(node);
    return i < statuses.size() && statuses[i] ? &*statuses[i] : nullptr;
  }
  std::uint64_t node_of_replica(std::uint64_t replica) const {
    for (const api::ShardDescriptor& shard : state.shards()) {
      for (const api::ReplicaDescriptor& r : shard.replicas()) {
        if (r.replica_id() == replica) return r.node_id();
      }
    }
    return 0;
  }
};

std::string grouped(std::uint64_t n) {
  std::string text = fmt::format("{}", n);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

std::string progress(const Survey& survey, const api::Operation& operation) {
  if (operation.done()) return "";
  if (operation.kind() == api::Operation::REMOVE) return fmt::format("removing node {}", operation.node_id());
  const api::NodeStatusResponse* leader = survey.leader();
  if (leader == nullptr) return "waiting for a leader";
  const api::NodeStatusResponse* own = survey.status_of(operation.node_id());
  if (own == nullptr) return fmt::format("waiting for node {} to answer", operation.node_id());
  const std::size_t i = survey.index_of_node(operation.node_id());
  if (survey.nodes[i]->state() == api::JOINING) {
    return fmt::format("catching up: {} of {} entries", grouped(own->applied_index()), grouped(leader->commit_index()));
  }
  return operation.kind() == api::Operation::REPLACE ? fmt::format("removing node {}", operation.replaced_node_id())
                                                     : "finishing";
}

void add_operations(const Survey& survey, v1::GetStatusResponse& response) {
  for (const api::Operation& from : survey.state.operations()) {
    v1::Operation& to = *response.add_operations();
    to.set_id(from.id());
    to.set_kind(from.kind() == api::Operation::ADD      ? "add node"
                : from.kind() == api::Operation::REMOVE ? "remove node"
                                                        : "replace node");
    to.set_node_id(from.node_id());
    to.set_replaced_node_id(from.replaced_node_id());
    to.set_progress(progress(survey, from));
    to.set_done(from.done());
    to.set_error(from.error());
  }
}

void add_nodes(const Survey& survey, v1::GetStatusResponse& response) {
  for (std::size_t i = 0; i < survey.nodes.size(); ++i) {
    v1::Node& node = *response.add_nodes();
    describe_node(survey.state, *survey.nodes[i], &node);
    const auto name = [&] { return fmt::format("node {} ({}, {})", node.id(), node.region(), node.address()); };
    const std::optional<api::NodeStatusResponse>& status = survey.statuses[i];
    if (!status) {
      const std::string& stranger = survey.strangers[i];
      node.set_trouble(stranger);
      response.add_problems(name() + (stranger.empty() ? " does not answer" : " " + stranger));
      continue;
    }
    node.set_reachable(true);
    node.set_role(static_cast<v1::ReplicaRole>(status->role()));  // the same numbers
    node.set_term(status->term());
    node.set_last_index(status->last_index());
    node.set_applied_index(status->applied_index());
    node.set_log_bytes(status->log_bytes());
    node.set_data_bytes(status->data_bytes());
    node.set_version(status->version());
    node.set_incarnation(status->incarnation());
    node.set_trouble(status->trouble());
    node.set_closed_timestamp(status->closed_timestamp());
    if (!status->trouble().empty()) response.add_problems(name() + ": " + status->trouble());
    for (const std::string& warning : status->warnings()) response.add_problems(name() + ": " + warning);
  }
}

// A leader that a majority of the voters' nodes stand by.
void judge(const Survey& survey, v1::GetStatusResponse& response) {
  const api::NodeStatusResponse* leader = survey.leader();
  if (leader == nullptr) {
    response.add_problems("no leader is known; writes and linearizable reads wait");
    return;
  }
  response.set_leader_node_id(leader->node_id());
  std::size_t answering = 0;
  for (const std::uint64_t replica : leader->voters()) {
    if (survey.status_of(survey.node_of_replica(replica)) != nullptr) ++answering;
  }
  const auto voters = static_cast<std::size_t>(leader->voters_size());
  response.set_healthy(2 * answering > voters);
  if (!response.healthy()) {
    response.add_problems(fmt::format("only {} of {} voters answer; writes need a majority", answering, voters));
  }
}

void conclude(Survey& survey) {
  v1::GetStatusResponse response;
  response.set_cluster_id(survey.state.cluster_id());
  response.set_topology_version(survey.state.version());
  for (const api::KeyspaceDescriptor& keyspace : survey.state.keyspaces()) response.add_keyspaces(keyspace.name());
  add_nodes(survey, response);
  judge(survey, response);
  add_operations(survey, response);
  if (const api::NodeStatusResponse* leader = survey.leader(); leader != nullptr) {
    const api::NodeDescriptor& node = *survey.nodes[survey.index_of_node(leader->node_id())];
    survey.parts.topology.learn_leader(node.id(), leader->term(), node.address(), true);
  }
  survey.reply(v1::encode(response));
}

// A machine that was made anew, or is another cluster's, must not look like one that is down.
std::string who_else(const api::NodeStatusResponse& answer, const api::ClusterState& expected) {
  if (answer.cluster_id() == 0) return "answers, but is empty: it belongs to no cluster";
  if (answer.cluster_id() == expected.cluster_id()) return fmt::format("answers, but is node {}", answer.node_id());
  return fmt::format("answers, but belongs to cluster {:016x}, not to {:016x}", answer.cluster_id(),
                     expected.cluster_id());
}

void ask_everyone(Parts& parts, MonoTime deadline, Reply reply) {
  auto survey = std::make_shared<Survey>(parts, std::move(reply));
  if (survey->nodes.empty()) return conclude(*survey);
  for (std::size_t i = 0; i < survey->nodes.size(); ++i) {
    CallOptions options;
    options.deadline = std::min(deadline, parts.runtime.now() + parts.options.probe_timeout);
    call(parts.transport, survey->nodes[i]->address(), api::kNodeStatus, api::NodeStatusRequest(), std::move(options),
         parts.lifetime.guard([survey, i](Result<api::NodeStatusResponse> answer) {
           // Another process may listen at that address by now.
           if (answer && answer->cluster_id() == survey->state.cluster_id() &&
               answer->node_id() == survey->nodes[i]->id()) {
             survey->statuses[i] = std::move(*answer);
           } else if (answer) {
             survey->strangers[i] = who_else(*answer, survey->state);
           }
           if (--survey->outstanding == 0) conclude(*survey);
         }));
  }
}

void answer_unknown(Parts& parts, Reply reply) {
  v1::GetStatusResponse response;
  if (parts.topology.uninitialised()) {
    response.add_problems(parts.topology.not_initialised().message());
    for (const Address& address : parts.topology.silent()) response.add_problems(address + " does not answer");
  } else {
    response.add_problems(parts.topology.describe_unknown());
  }
  reply(v1::encode(response));
}

}  // namespace

void serve(Parts& parts, v1::GetStatusRequest, Meta meta, Reply reply) {
  // The topology as it is now, not as it was learnt some time ago: operations may have changed it.
  parts.topology.when_fresh(meta.deadline,
                            [&parts, deadline = meta.deadline, reply = std::move(reply)](Result<>) mutable {
                              if (!parts.topology.known()) return answer_unknown(parts, std::move(reply));
                              ask_everyone(parts, deadline, std::move(reply));
                            });
}

}  // namespace meridian::proxy
