// meridianctl completion, and the walk over the command line behind it.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/commands.h"
#include "tools/ctl/completion.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

// A type "a|b|c" names the values there are.
std::vector<std::string> choices_of(const std::string& type) {
  return type.find('|') == std::string::npos ? std::vector<std::string>() : split(type, '|');
}

void describe_options(const CLI::App& app, CommandShape& shape) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() && option->get_lnames().empty() && option->get_snames().empty()) {
      const auto choices = choices_of(option->get_type_name());
      shape.choices.insert(shape.choices.end(), choices.begin(), choices.end());
      shape.file_argument |= option->get_type_name() == "FILE";
      continue;
    }
    CommandShape::Option described;
    for (const std::string& name : option->get_snames()) described.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) described.names.push_back("--" + name);
    described.about = option->get_description();
    described.takes_value = option->get_items_expected_max() > 0;
    described.file = option->get_type_name() == "FILE";
    described.choices = choices_of(option->get_type_name());
    shape.options.push_back(std::move(described));
  }
}

CommandShape describe_command(const CLI::App& app, const std::string& path, const CLI::App& root) {
  CommandShape shape;
  shape.path = path;
  shape.about = app.get_description();
  describe_options(app, shape);
  if (&app != &root) {
    // Global options are taken everywhere; of --help and --version each command has its own, or none.
    CommandShape global;
    describe_options(root, global);
    for (CommandShape::Option& option : global.options) {
      if (option.takes_value) shape.options.push_back(std::move(option));
    }
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    shape.commands.push_back(describe_command(*command, path + " " + command->get_name(), root));
  }
  return shape;
}

}  // namespace

CommandShape describe_commands(const CLI::App& app) { return describe_command(app, app.get_name(), app); }

void add_completion_command(CLI::App& app, Context& context) {
  CLI::App* completion = app.add_subcommand(
      "completion",
      "Print a completion script: source <(meridianctl completion bash); for zsh as a file _meridianctl "
      "in $fpath; for fish in ~/.config/fish/completions/meridianctl.fish");
  auto shell = std::make_shared<std::string>();
  completion->add_option("SHELL", *shell, "bash, zsh or fish")->required()->type_name("bash|zsh|fish");
  completion->callback([&app, &context, shell] {
    context.action = [&app, &context, shell]() -> int {
      const CommandShape root = describe_commands(app);
      std::string script;
      if (*shell == "bash") {
        script = bash_completion(root);
      } else if (*shell == "zsh") {
        script = zsh_completion(root);
      } else if (*shell == "fish") {
        script = fish_completion(root);
      } else {
        return context.fail_usage("\"" + *shell + "\" is none of bash, zsh and fish");
      }
      if (context.json()) {
        Context::print_json(boost::json::object{{"shell", *shell}, {"script", script}});
      } else {
        Context::print(script);
      }
      return kExitDone;
    };
  });
}

}  // namespace meridian::ctl
