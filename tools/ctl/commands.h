// The nouns and verbs. Each adds itself to the command line, and sets Context::action when it is chosen.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "tools/ctl/context.h"

namespace CLI {
class App;
}

namespace meridian::ctl {

void add_cluster_commands(CLI::App& app, Context& context);
void add_status_command(CLI::App& app, Context& context);
void add_get_command(CLI::App& app, Context& context);
void add_write_commands(CLI::App& app, Context& context);  // put, del, cas
void add_scan_command(CLI::App& app, Context& context);
void add_node_commands(CLI::App& app, Context& context);
void add_import_command(CLI::App& app, Context& context);
void add_export_command(CLI::App& app, Context& context);
void add_completion_command(CLI::App& app, Context& context);

// --escaped: arguments are written as tables show bytes. nullopt: they are not well written.
std::optional<std::string> argument_bytes(const std::string& text, bool escaped);

// "region=host:port"
std::optional<std::pair<std::string, std::string>> parse_node(const std::string& text);

// One picture of the cluster, as `status` and `node list` show it.
std::string render_status(const sdk::ClusterStatus& status);
std::string render_nodes(const sdk::ClusterStatus& status);
boost::json::object status_json(const sdk::ClusterStatus& status);
boost::json::array nodes_json(const sdk::ClusterStatus& status);

}  // namespace meridian::ctl
