#include "tools/ctl/app.h"

#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/commands.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

constexpr const char* kFooter =
    "\nExit codes: 0 done; 1 failed; 2 wrong usage or bad data; 3 the cluster is unhealthy or not reachable, or what "
    "was\n"
    "asked for is not there; 4 no answer in time, and the work may go on or may have been done.\n"
    "Standard output carries the answer alone (with -o json one JSON document); errors and messages go to standard\n"
    "error (with -o json one JSON document a line).\n"
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

// Arguments are called by their names; that they are text goes without saying.
class Help : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string opts = CLI::Formatter::make_option_opts(option);
    if (option->nonpositional()) return opts;
    for (const std::string& type : {" " + option->get_name(true), std::string(" TEXT")}) {
      if (opts.starts_with(type)) return opts.substr(type.size());
    }
    return opts;
  }
};

bool asks_for_json(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") return false;
    if (word == "-ojson" || word == "-o=json" || word == "--output=json") return true;
    if ((word == "-o" || word == "--output") && i + 1 < argc && std::string_view(argv[i + 1]) == "json") return true;
  }
  return false;
}

std::string describe_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::string command = at->get_name();
  for (const CLI::App* up = at->get_parent(); up != nullptr; up = up->get_parent()) {
    command = up->get_name() + " " + command;
  }
  std::string what = error.what();
  const std::vector<std::string> words = app.remaining(true);
  if (error.get_name() == "RequiredError" && !words.empty()) {
    // CLI11 misses the command, and says nothing of the word in its place.
    std::vector<std::string> names;
    for (const CLI::App* each : at->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(each->get_name());
    }
    what = words[0].starts_with("-")
               ? fmt::format("there is no option {}", escape(words[0]))
               : fmt::format("there is no command \"{}\"; there are: {}", escape(words[0]), fmt::join(names, ", "));
  }
  return fmt::format("{}\n  `{} --help` says how it is used.", what, command);
}

}  // namespace

std::shared_ptr<CLI::App> make_app(Context& context) {
  auto app = std::make_shared<CLI::App>("Administers a Meridian cluster and reads and writes its data.", "meridianctl");
  app->formatter(std::make_shared<Help>());
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
    // The line may have been given up before its -o was looked at.
    if (asks_for_json(argc, argv)) context.output = "json";
    return context.fail_usage(describe_parse_error(*app, error));
  }
  const int code = context.action();
  // A full disk or a closed pipe behind standard output must not look like success.
  if (std::fflush(stdout) != 0 && code == kExitDone) {
    return context.fail(kExitFailed, "standard output could not be written");
  }
  return code;
}

}  // namespace meridian::ctl
