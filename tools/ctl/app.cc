#include "tools/ctl/app.h"

#include <cstdio>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/commands.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

constexpr const char* kFooter =
    "\nExit codes: 0 done; 1 failed; 2 wrong usage; 3 the cluster is unhealthy or not reachable, or what was asked\n"
    "for is not there; 4 no answer in time, and the work may go on or may have been done.\n"
    "Standard output carries the answer alone (with -o json one JSON document); messages go to standard error.\n"
    "A key or value that begins with a dash is given after \"--\": meridianctl put -- -key -value";

void add_version_command(CLI::App& app, Context& context) {
  CLI::App* version = app.add_subcommand("version", "Print the version");
  version->callback([&context] {
    context.action = [&context] {
      if (context.json()) {
        Context::print_json(boost::json::object{{"version", MERIDIAN_VERSION}});
      } else {
        Context::print("meridianctl " MERIDIAN_VERSION "\n");
      }
      return static_cast<int>(kExitDone);
    };
  });
}

std::string check_duration(const std::string& text) {
  return parse_duration(text) ? std::string() : "\"" + text + "\" is no duration: 500ms, 10s, 2m, 1h";
}

// "" where it is a list of host:port.
std::string check_proxies(const std::string& text) {
  const std::vector<std::string> proxies = split(text, ',');
  if (proxies.empty()) return "no proxy given: host:port[,host:port]";
  for (const std::string& proxy : proxies) {
    const std::size_t colon = proxy.rfind(':');
    const std::string port = colon == std::string::npos ? "" : proxy.substr(colon + 1);
    if (colon == 0 || port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
        std::stoi(port) < 1 || std::stoi(port) > 65535) {
      return "\"" + proxy + "\" is no proxy: host:port";
    }
  }
  return {};
}

}  // namespace

std::shared_ptr<CLI::App> make_app(Context& context) {
  auto app = std::make_shared<CLI::App>("Administers a Meridian cluster and reads and writes its data.", "meridianctl");
  app->require_subcommand(1);
  app->fallthrough();
  app->footer(kFooter);
  app->set_version_flag("--version", std::string("meridianctl ") + MERIDIAN_VERSION);
  app->add_option("--proxy", context.proxies, "Proxies to ask, with commas between")
      ->envname("MERIDIAN_PROXY")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->check(CLI::Validator(check_proxies, "", "proxies"));
  app->add_option("--timeout", context.timeout, "Of each request, with its retries")
      ->type_name("DURATION")
      ->capture_default_str()
      ->check(CLI::Validator(check_duration, "", "duration"));
  app->add_option("-o,--output", context.output, "What standard output looks like")
      ->type_name("table|json")
      ->capture_default_str()
      ->check([](const std::string& text) {
        return text == "table" || text == "json" ? std::string() : "\"" + text + "\" is neither table nor json";
      });
  app->add_option("--keyspace", context.keyspace, "Default: default")->type_name("NAME");

  add_cluster_commands(*app, context);
  add_status_command(*app, context);
  add_get_command(*app, context);
  add_write_commands(*app, context);
  add_scan_command(*app, context);
  add_node_commands(*app, context);
  add_import_command(*app, context);
  add_export_command(*app, context);
  add_completion_command(*app, context);
  add_version_command(*app, context);
  return app;
}

int run(int argc, const char* const* argv) {
  Context context;
  const std::shared_ptr<CLI::App> app = make_app(context);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are answers, and "errors" of code 0.
    if (error.get_exit_code() == 0) return app->exit(error) == 0 ? kExitDone : kExitUsage;
    const CLI::App* at = app.get();
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    std::string command = at->get_name();
    for (const CLI::App* up = at->get_parent(); up != nullptr; up = up->get_parent()) {
      command = up->get_name() + " " + command;
    }
    fmt::print(stderr, "meridianctl: {}\n  `{} --help` says how it is used.\n", error.what(), command);
    return kExitUsage;
  }
  const int code = context.action();
  // A full disk or a closed pipe behind standard output must not look like success.
  if (std::fflush(stdout) != 0 && code == kExitDone) {
    fmt::print(stderr, "meridianctl: standard output could not be written\n");
    return kExitFailed;
  }
  return code;
}

}  // namespace meridian::ctl
