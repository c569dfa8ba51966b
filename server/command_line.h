// The daemon's command line: roles and their flags, which follow from server/config.h.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "server/config.h"

namespace meridian::server {

struct CheckCommand {
  std::string file;
  std::string role;  // empty: as the file says
};

struct Command {
  std::variant<NodeConfig, ProxyConfig, LocalConfig, CheckCommand> what;
  std::optional<int> parent;  // of a child process: ends with it
};

// What to do, or the exit code where that was all (help, version, a mistake: all printed).
std::variant<Command, int> parse_command_line(int argc, char** argv);

std::string version_text();

}  // namespace meridian::server
