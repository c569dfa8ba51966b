// meridianctl node list|add|remove|replace|transfer-leader

#include <cstdio>
#include <iostream>
#include <limits>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/arguments.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

constexpr std::chrono::seconds kTransferTimeout{5};  // ten election timeouts

constexpr const char* kCameBackEmpty =
    "  If that machine has come back empty, its node is gone for good: `meridianctl node remove ID --force --wait` "
    "with "
    "its number, then `meridianctl node add REGION=HOST:PORT --wait`.";

struct NodeOptions {
  std::uint64_t node_id = 0;
  std::string node;
  bool wait = false;
  std::string wait_timeout = "10m";
  bool force = false;
  bool yes = false;
};

int list_nodes(const Context& context) {
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  auto status = sdk::Admin(*client).status(context.call_options());
  if (!status) return context.fail(status.error());
  if (context.json()) {
    Context::print_json(boost::json::object{{"nodes", nodes_json(*status)}});
  } else {
    Context::print(render_nodes(*status));
  }
  return kExitDone;
}

void print_operation(const Context& context, const sdk::StartedOperation& started, std::string_view state) {
  if (context.json()) {
    Context::print_json(
        boost::json::object{{"operation_id", started.operation_id}, {"node_id", started.node_id}, {"state", state}});
  } else {
    Context::print(fmt::format("operation {}, node {}: {}\n", started.operation_id, started.node_id, state));
  }
}

const sdk::OperationStatus* find_operation(const sdk::ClusterStatus& status, std::uint64_t id) {
  for (const sdk::OperationStatus& operation : status.operations) {
    if (operation.id == id) return &operation;
  }
  return nullptr;
}

// Watches the operation until it has ended, at most so long.
int wait_for_operation(const Context& context, sdk::Admin& admin, const sdk::StartedOperation& started,
                       std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::string said;
  for (;;) {
    auto status = admin.status(context.call_options());
    const sdk::OperationStatus* operation = status ? find_operation(*status, started.operation_id) : nullptr;
    // Ended ones are forgotten after many others: then only the list of nodes can tell.
    const bool forgotten = status && operation == nullptr;
    if (operation != nullptr && operation->done) {
      if (operation->error.empty()) {
        print_operation(context, started, "done");
        return kExitDone;
      }
      print_operation(context, started, "failed");
      return context.fail(kExitFailed, fmt::format("{} failed: {}", operation->kind, operation->error));
    }
    std::string now = forgotten ? "not listed any more" : status ? operation->progress : status.error().to_string();
    if (now != said) context.warn(fmt::format("operation {}: {}", started.operation_id, escape(now)));
    said = std::move(now);
    if (forgotten) {
      return context.fail(kExitFailed,
                          "it has ended, and the cluster no longer knows how: look at `meridianctl node list`");
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      print_operation(context, started, "running");
      return context.fail(kExitStillRunning, "it goes on; `meridianctl status` shows how far it is");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

int finish_change(const Context& context, sdk::Admin& admin, const sdk::Result<sdk::StartedOperation>& started,
                  const NodeOptions& options) {
  if (!started) {
    const int code = context.fail(started.error());
    if (started.error().code() == sdk::ErrorCode::kAlreadyExists) context.warn(kCameBackEmpty);
    return code;
  }
  if (options.wait) {
    return wait_for_operation(context, admin, *started,
                              parse_duration(options.wait_timeout).value_or(std::chrono::minutes(10)));
  }
  print_operation(context, *started, "running");
  return kExitDone;
}

int check_wait(const Context& context, const NodeOptions& options) {
  if (parse_duration(options.wait_timeout)) return kExitDone;
  return context.fail_usage(fmt::format("--wait-timeout \"{}\" is no duration: 30s, 10m", options.wait_timeout));
}

int add_node(const Context& context, const NodeOptions& options) {
  const auto node = parse_node(options.node);
  if (!node) return context.fail_usage(fmt::format("\"{}\" is not REGION=HOST:PORT", options.node));
  if (const int code = check_wait(context, options)) return code;
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  sdk::Admin admin(*client);
  return finish_change(context, admin, admin.add_node({node->second, node->first}, context.call_options()), options);
}

// True: the person typed the number of the node, or said --yes.
bool confirmed(const Context& context, const NodeOptions& options, const std::string& what) {
  if (options.yes) return true;
  fmt::print(stderr, "{}\nThis cannot be undone. Type the node's number to go on: ", what);
  std::fflush(stderr);
  std::string typed;
  std::getline(std::cin, typed);
  if (typed == std::to_string(options.node_id)) return true;
  context.fail(kExitFailed, "not confirmed, nothing was done (scripts say --yes)");
  return false;
}

int remove_node(const Context& context, const NodeOptions& options) {
  if (const int code = check_wait(context, options)) return code;
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  sdk::Admin admin(*client);
  if (!confirmed(context, options,
                 fmt::format("Node {} is going to leave the cluster, and its data is of no use afterwards.",
                             options.node_id))) {
    return kExitFailed;
  }
  return finish_change(context, admin, admin.remove_node(options.node_id, options.force, context.call_options()),
                       options);
}

int replace_node(const Context& context, const NodeOptions& options) {
  const auto node = parse_node(options.node);
  if (!node) return context.fail_usage(fmt::format("\"{}\" is not REGION=HOST:PORT", options.node));
  if (const int code = check_wait(context, options)) return code;
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  sdk::Admin admin(*client);
  if (!confirmed(
          context, options,
          fmt::format("Node {} is going to leave the cluster once {} holds everything, and its data is of no use "
                      "afterwards.",
                      options.node_id, node->second))) {
    return kExitFailed;
  }
  return finish_change(context, admin,
                       admin.replace_node(options.node_id, {node->second, node->first}, context.call_options()),
                       options);
}

int transfer_leader(const Context& context, const NodeOptions& options) {
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  sdk::Admin admin(*client);
  auto done = admin.transfer_leader(options.node_id, context.call_options());
  if (!done) return context.fail(done.error());
  // Answered when the hand-over begins. It takes a round trip, or it does not happen: a leader whose successor stays
  // silent goes on after an election timeout.
  const auto deadline = std::chrono::steady_clock::now() + kTransferTimeout;
  std::uint64_t leader = 0;
  while (leader != options.node_id && std::chrono::steady_clock::now() < deadline) {
    const auto status = admin.status(context.call_options());
    if (status) leader = status->leader_node_id;
    if (leader != options.node_id) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (context.json()) {
    Context::print_json(boost::json::object{{"leader_node_id", leader}});
  } else {
    Context::print(leader == 0 ? "no node leads\n" : fmt::format("node {} leads\n", leader));
  }
  if (leader == options.node_id) return kExitDone;
  return context.fail(kExitFailed,
                      fmt::format("node {} has not taken over; is it up, and has it caught up? See `meridianctl "
                                  "status`, and try again",
                                  options.node_id));
}

void add_wait(CLI::App* command, NodeOptions& options) {
  command->add_flag("--wait", options.wait, "Until it has ended; exit code 4 if it goes on after --wait-timeout");
  command->add_option("--wait-timeout", options.wait_timeout, "How long --wait waits")
      ->type_name("DURATION")
      ->capture_default_str();
}

void add_node_id(CLI::App& command, NodeOptions& options, const std::string& help) {
  add_number(command, "ID", options.node_id, 1, std::numeric_limits<std::uint64_t>::max(), help)->required();
}

}  // namespace

void add_node_commands(CLI::App& app, Context& context) {
  CLI::App* node = app.add_subcommand("node", "List and change the nodes of the cluster");
  node->require_subcommand(1);
  auto options = std::make_shared<NodeOptions>();
  const auto does = [&context, options](CLI::App* command, int (*action)(const Context&, const NodeOptions&)) {
    command->callback([&context, options, action] {
      context.action = [&context, options, action] { return action(context, *options); };
    });
  };

  CLI::App* list = node->add_subcommand("list", "Show the nodes");
  list->callback([&context] { context.action = [&context] { return list_nodes(context); }; });

  CLI::App* add = node->add_subcommand("add", "Take in a node that is running, empty and reachable");
  add->add_option("NODE", options->node, "Its region and where it is: REGION=HOST:PORT")->required();
  add_wait(add, *options);
  does(add, add_node);

  CLI::App* remove = node->add_subcommand("remove", "Remove a node; asks first");
  add_node_id(*remove, *options, "The node's number");
  remove->add_flag("--force", options->force, "Also where too few would remain to keep the data safe");
  remove->add_flag("--yes", options->yes, "Do not ask");
  add_wait(remove, *options);
  does(remove, remove_node);

  CLI::App* replace = node->add_subcommand("replace", "Put a new node in an old one's place; asks first");
  add_node_id(*replace, *options, "The old node's number");
  replace->add_option("NODE", options->node, "The new node: REGION=HOST:PORT")->required();
  replace->add_flag("--yes", options->yes, "Do not ask");
  add_wait(replace, *options);
  does(replace, replace_node);

  CLI::App* transfer = node->add_subcommand("transfer-leader", "Hand leadership to a node");
  add_node_id(*transfer, *options, "The node's number");
  does(transfer, transfer_leader);
}

}  // namespace meridian::ctl
