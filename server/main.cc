// The daemon `meridian`. The main thread parses, starts the parts, sleeps until a signal and ends them.

#include <unistd.h>

#include <cstdio>

#include "base/grpc/grpc_log.h"
#include "base/log.h"
#include "server/command_line.h"
#include "server/ending.h"
#include "server/local.h"
#include "server/parts.h"
#include "server/process.h"

namespace meridian::server {

namespace {

void prepare(const LogConfig& log) {
  take_over_signals();
  start_log(log.parsed_format(), log.parsed_level());
  take_over_grpc_log();
  raise_file_limit();
}

template <class PartPtr>
int serve_until_told(Result<PartPtr> part, const std::string& role, Duration bound) {
  if (!part) {
    std::fprintf(stderr, "meridian %s: %s\n", role.c_str(), part.error().to_string().c_str());
    return kExitFailed;
  }
  for (ProcessEvent event; (event = wait_for_event(std::nullopt)) != ProcessEvent::kTerminate;) {
    // Log rotation's way to ask for files to be opened anew, and a closed terminal's of saying so.
    if (event == ProcessEvent::kHangUp) LOG_INFO("SIGHUP: the log goes to standard error, there is nothing to open anew");
  }
  LOG_INFO("ending", {{"role", role}});
  return end_orderly(
      [&]() -> Result<> {
        Result<> ended = (*part)->shut_down(bound, true);
        part->reset();
        return ended;
      },
      bound + bound / 2);
}

int run(const NodeConfig& config) {
  prepare(config.log);
  return serve_until_told(start_node(config, std::make_shared<BlockingPool>()), "node", config.shutdown_timeout);
}

int run(const ProxyConfig& config) {
  prepare(config.log);
  return serve_until_told(start_proxy(config, std::make_shared<BlockingPool>(1)), "proxy", config.shutdown_timeout);
}

int run(const LocalConfig& config) {
  prepare(config.log);
  return run_local(config);
}

int run(const CheckCommand& check) {
  const Result<std::string> checked = check_config_file(check.file, check.role);
  if (!checked) {
    std::fprintf(stderr, "%s\n", checked.error().message().c_str());
    return kExitUsage;
  }
  std::fputs(checked->c_str(), stdout);
  return kExitOk;
}

}  // namespace

}  // namespace meridian::server

int main(int argc, char** argv) {
  using namespace meridian::server;
  const auto parsed = parse_command_line(argc, argv);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  const Command& command = std::get<Command>(parsed);
  if (command.parent) end_with_parent(*command.parent);
  return std::visit([](const auto& what) { return run(what); }, command.what);
}
