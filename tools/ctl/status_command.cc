// meridianctl status

#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/commands.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

struct StatusOptions {
  bool watch = false;
  std::string interval = "2s";
};

int show_status(const Context& context, sdk::Admin& admin) {
  auto status = admin.status(context.call_options());
  if (!status) return context.fail(status.error());
  if (context.json()) {
    Context::print_json(status_json(*status));
  } else {
    Context::print(render_status(*status));
  }
  return status->healthy ? kExitDone : kExitUnhealthy;
}

int status_once_or_watch(const Context& context, const StatusOptions& options) {
  const auto interval = parse_duration(options.interval);
  if (!interval)
    return context.fail_usage(fmt::format("--interval \"{}\" is no duration: 500ms, 2s", options.interval));
  auto client = context.connect();
  if (!client) {
    const int code = context.fail(client.error());
    return code == kExitUsage ? code : kExitUnhealthy;
  }
  sdk::Admin admin(*client);
  if (!options.watch) return show_status(context, admin);
  // Until interrupted. On a terminal each picture replaces the last; JSON is one document a line.
  for (;;) {
    if (!context.json() && is_terminal_stdout()) Context::print("\x1b[H\x1b[2J");
    show_status(context, admin);
    if (!context.json() && !is_terminal_stdout()) Context::print("\n");
    if (std::fflush(stdout) != 0) return kExitFailed;
    std::this_thread::sleep_for(*interval);
  }
}

}  // namespace

void add_status_command(CLI::App& app, Context& context) {
  CLI::App* status = app.add_subcommand("status",
                                        "Show the cluster's health, nodes and running changes; exit code 3 if "
                                        "it is not healthy");
  auto options = std::make_shared<StatusOptions>();
  status->add_flag("--watch", options->watch, "Show it again and again until interrupted");
  status->add_option("--interval", options->interval, "With --watch: how often")
      ->type_name("DURATION")
      ->capture_default_str();
  status->callback([&context, options] {
    context.action = [&context, options] { return status_once_or_watch(context, *options); };
  });
}

}  // namespace meridian::ctl
