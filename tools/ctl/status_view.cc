// The cluster's status as tables and JSON.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "tools/ctl/commands.h"
#include "tools/ctl/table.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

std::string render_nodes(const sdk::ClusterStatus& status) {
  Table table({"NODE", "ADDRESS", "REGION", "STATE", "ROLE", "TERM", "LOG INDEX", "APPLIED", "LOG", "DATA", "VERSION",
               "TROUBLE"});
  for (const sdk::NodeStatus& node : status.nodes) {
    const auto known = [&](std::string text) { return node.reachable ? std::move(text) : std::string("-"); };
    const std::string trouble = node.reachable || !node.trouble.empty() ? node.trouble : "does not answer";
    table.add({std::to_string(node.id), escape(node.address), escape(node.region),
               std::string(sdk::to_string(node.state)), known(std::string(sdk::to_string(node.role))),
               known(std::to_string(node.term)), known(std::to_string(node.last_index)),
               known(std::to_string(node.applied_index)), known(format_bytes(node.log_bytes)),
               known(format_bytes(node.data_bytes)), known(escape(node.version)), escape(trouble)});
  }
  return table.render();
}

namespace {

// The proxy knows of no cluster. That alone is no reason to form one: where nodes are silent they may well be one, and
// a second would come to stand beside it.
std::string render_no_cluster(const sdk::ClusterStatus& status) {
  const bool all_are_empty =
      status.problems.size() == 1 && status.problems[0].find("has not been initialised") != std::string::npos;
  if (all_are_empty) {
    return "the proxy answers, but is empty: its nodes belong to no cluster yet\n\n"
           "Form one of them: meridianctl cluster init --node REGION=HOST:PORT ...\n";
  }
  std::string out =
      "the proxy answers, but no node tells it of a cluster: which one it is cannot be said\n\nproblems\n";
  for (const std::string& problem : status.problems) out += "  " + escape(problem) + "\n";
  return out;
}

}  // namespace

std::string render_status(const sdk::ClusterStatus& status) {
  if (status.cluster_id == 0) return render_no_cluster(status);
  const auto leader =
      status.leader_node_id == 0 ? std::string("none known") : fmt::format("node {}", status.leader_node_id);
  std::string out = render_fields({{"cluster", hex_id(status.cluster_id)},
                                   {"health", status.healthy ? "healthy" : "UNHEALTHY"},
                                   {"leader", leader},
                                   {"keyspaces", escape(fmt::format("{}", fmt::join(status.keyspaces, ", ")))}});
  out += "\n" + render_nodes(status);
  if (!status.operations.empty()) {
    Table table({"OPERATION", "WHAT", "NODE", "STATE", "PROGRESS"});
    for (const sdk::OperationStatus& operation : status.operations) {
      table.add({std::to_string(operation.id), operation.kind, std::to_string(operation.node_id),
                 !operation.error.empty() ? "failed"
                 : operation.done         ? "done"
                                          : "running",
                 escape(operation.error.empty() ? operation.progress : operation.error)});
    }
    out += "\n" + table.render();
  }
  if (!status.problems.empty()) {
    out += "\nproblems\n";
    for (const std::string& problem : status.problems) out += "  " + escape(problem) + "\n";
  }
  return out;
}

boost::json::array nodes_json(const sdk::ClusterStatus& status) {
  boost::json::array nodes;
  for (const sdk::NodeStatus& node : status.nodes) {
    nodes.push_back(boost::json::object{{"id", node.id},
                                        {"address", node.address},
                                        {"region", node.region},
                                        {"state", sdk::to_string(node.state)},
                                        {"replica_id", node.replica_id},
                                        {"reachable", node.reachable},
                                        {"role", sdk::to_string(node.role)},
                                        {"term", node.term},
                                        {"last_index", node.last_index},
                                        {"applied_index", node.applied_index},
                                        {"log_bytes", node.log_bytes},
                                        {"data_bytes", node.data_bytes},
                                        {"version", node.version},
                                        {"incarnation", json_u64(node.incarnation)},
                                        {"trouble", node.trouble},
                                        {"closed_timestamp", json_u64(node.closed_timestamp)}});
  }
  return nodes;
}

boost::json::object status_json(const sdk::ClusterStatus& status) {
  boost::json::array operations;
  for (const sdk::OperationStatus& operation : status.operations) {
    operations.push_back(boost::json::object{{"id", operation.id},
                                             {"kind", operation.kind},
                                             {"node_id", operation.node_id},
                                             {"replaced_node_id", operation.replaced_node_id},
                                             {"progress", operation.progress},
                                             {"done", operation.done},
                                             {"error", operation.error}});
  }
  return {{"cluster_id",
           status.cluster_id == 0 ? boost::json::value(nullptr) : boost::json::value(hex_id(status.cluster_id))},
          {"healthy", status.healthy},
          {"leader_node_id", status.leader_node_id},
          {"topology_version", status.topology_version},
          {"nodes", nodes_json(status)},
          {"operations", std::move(operations)},
          {"problems", boost::json::array(status.problems.begin(), status.problems.end())},
          {"keyspaces", boost::json::array(status.keyspaces.begin(), status.keyspaces.end())}};
}

}  // namespace meridian::ctl
