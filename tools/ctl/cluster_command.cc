// meridianctl cluster init

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/commands.h"
#include "tools/ctl/table.h"

namespace meridian::ctl {

std::optional<std::pair<std::string, std::string>> parse_node(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t colon = text.rfind(':');
  if (equals == std::string::npos || equals == 0 || colon == std::string::npos || colon < equals + 2)
    return std::nullopt;
  const std::string port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

namespace {

// Until the cluster is healthy, at most as long as one request may take. The last that was heard.
sdk::ClusterStatus wait_for_leader(const Context& context, sdk::Admin& admin) {
  const auto deadline = std::chrono::steady_clock::now() + context.timeout_ms();
  for (;;) {
    const auto status = admin.status(context.call_options());
    if (status && status->healthy) return *status;
    if (std::chrono::steady_clock::now() >= deadline) return status.value_or(sdk::ClusterStatus());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// Somebody answers in a node's place: it is empty, or another cluster's.
bool is_stranger(const sdk::NodeStatus& node) { return !node.reachable && !node.trouble.empty(); }

int init_cluster(const Context& context, const std::vector<std::string>& texts) {
  std::vector<sdk::NodeSpec> nodes;
  for (const std::string& text : texts) {
    const auto node = parse_node(text);
    if (!node) return context.fail_usage(fmt::format("--node \"{}\" is not REGION=HOST:PORT", text));
    nodes.emplace_back(node->second, node->first);
  }
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  sdk::Admin admin(*client);
  auto formed = admin.init_cluster(std::move(nodes), context.call_options());
  if (!formed) return context.fail(formed.error());
  // A cluster that nobody leads is of no use yet, and `status` right behind this would call it unhealthy.
  const sdk::ClusterStatus status = wait_for_leader(context, admin);
  const std::string problems = fmt::format("{}", fmt::join(status.problems, "; "));
  if (!status.healthy && std::ranges::any_of(status.nodes, is_stranger)) {
    return context.fail(
        kExitFailed,
        fmt::format("nothing was formed: this proxy knows cluster {}, and its nodes do not belong to it: {}. "
                    "If they were made anew, start the proxy anew too",
                    hex_id(formed->cluster_id), problems));
  }
  if (context.json()) {
    boost::json::array list;
    for (const sdk::NodeStatus& node : formed->nodes) {
      list.push_back(boost::json::object{{"id", node.id}, {"address", node.address}, {"region", node.region}});
    }
    Context::print_json(boost::json::object{
        {"cluster_id", hex_id(formed->cluster_id)}, {"nodes", std::move(list)}, {"healthy", status.healthy}});
  } else {
    Context::print(fmt::format("cluster {}\n\n", hex_id(formed->cluster_id)));
    Table table({"NODE", "ADDRESS", "REGION"});
    for (const sdk::NodeStatus& node : formed->nodes) table.add({std::to_string(node.id), node.address, node.region});
    Context::print(table.render());
  }
  if (status.healthy) return kExitDone;
  return context.fail(
      kExitStillRunning,
      fmt::format("the cluster is formed, and not healthy after {}: {}. `meridianctl status` says when it is",
                  context.timeout, problems.empty() ? "its status is not known" : problems));
}

}  // namespace

void add_cluster_commands(CLI::App& app, Context& context) {
  CLI::App* cluster = app.add_subcommand("cluster", "Form a cluster");
  cluster->require_subcommand(1);
  CLI::App* init = cluster->add_subcommand(
      "init",
      "Form a cluster of 1 to 9 nodes that are running and empty. Asked again with the same nodes it answers "
      "the same cluster");
  auto nodes = std::make_shared<std::vector<std::string>>();
  init->add_option("--node", *nodes, "A node and where it is; give it once for each")
      ->required()
      ->type_name("REGION=HOST:PORT");
  init->callback([&context, nodes] { context.action = [&context, nodes] { return init_cluster(context, *nodes); }; });
}

}  // namespace meridian::ctl
