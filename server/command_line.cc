#include "server/command_line.h"

#include <cstdio>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>

#include "server/process.h"

namespace meridian::server {

namespace {

// One role: a subcommand whose flags are the settings of its Config.
template <class Config>
class Role {
 public:
  Role(CLI::App& app, const std::string& name, const std::string& about) : app_(app.add_subcommand(name, about)) {
    config_.declare(settings_);
    app_->add_option("-c,--config", file_, "TOML file; flags and MERIDIAN_ variables win over it")->type_name("FILE");
    for (const Settings::Description& d : settings_.describe()) {
      if (d.key == "role") continue;
      const std::string help = fmt::format("{} [{}]", d.help, d.value);
      if (d.is_bool) {
        app_->add_flag_function(d.flag + "{true}", [this, key = d.key](std::int64_t on) { given_[key] = on > 0 ? "true" : "false"; }, help);
      } else {
        app_->add_option_function<std::string>(
            d.flag, [this, key = d.key](const std::string& text) { given_[key] = text; }, help);
      }
    }
  }

  bool chosen() const { return app_->parsed(); }

  Result<Config> finish() {
    for (const auto& [key, text] : given_) RETURN_IF_ERROR(settings_.set(key, text));
    RETURN_IF_ERROR(load_settings(settings_, file_));
    RETURN_IF_ERROR(config_.check());
    return config_;
  }

 private:
  CLI::App* app_;
  Config config_;
  Settings settings_;
  std::string file_;
  std::map<std::string, std::string> given_;
};

template <class Config>
std::variant<Command, int> finish(Role<Config>& role, std::optional<int> parent) {
  Result<Config> config = role.finish();
  if (config) return Command{std::move(*config), parent};
  fmt::print(stderr, "meridian: {}\n", config.error().message());
  return kExitUsage;
}

}  // namespace

std::string version_text() { return MERIDIAN_VERSION; }

std::variant<Command, int> parse_command_line(int argc, char** argv) {
  CLI::App app("Meridian, a geo-replicated transactional key-value database.", "meridian");
  app.require_subcommand(1);
  app.set_version_flag("--version", version_text());
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.");
  std::optional<int> parent;
  app.add_option("--parent", parent, "end when this process does")->group("");

  Role<NodeConfig> node(app, "node", "Run one node of a cluster");
  Role<ProxyConfig> proxy(app, "proxy", "Run a proxy, which clients talk to");
  Role<LocalConfig> local(app, "local", "Run a whole cluster on this machine");
  CLI::App* config = app.add_subcommand("config", "Look at configuration files");
  config->require_subcommand(1);
  CLI::App* check = config->add_subcommand("check", "Check a file and print the settings it leads to");
  CheckCommand check_command;
  check->add_option("FILE", check_command.file, "the file")->required();
  check->add_option("--role", check_command.role, "node, proxy or local; default: the file's role, or node");
  CLI::App* version = app.add_subcommand("version", "Print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (version->parsed()) {
    fmt::print("meridian {}\n", version_text());
    return kExitOk;
  }
  if (node.chosen()) return finish(node, parent);
  if (proxy.chosen()) return finish(proxy, parent);
  if (local.chosen()) return finish(local, parent);
  return Command{check_command, parent};
}

}  // namespace meridian::server
