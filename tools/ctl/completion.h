// Completion scripts for shells, made from the command line's own description. Pure.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace meridian::ctl {

// What completion needs to know of one command.
struct CommandShape {
  struct Option {
    std::vector<std::string> names;  // "-o", "--output"
    std::string about;
    bool takes_value = false;
    bool file = false;                 // its value is a file
    std::vector<std::string> choices;  // its values; empty: any
  };
  std::string path;  // "meridianctl node add"
  std::string about;
  std::vector<Option> options;  // the global ones too
  std::vector<CommandShape> commands;
  std::vector<std::string> choices;  // of its positional arguments
  bool file_argument = false;
};
CommandShape describe_commands(const CLI::App& app);

std::string bash_completion(const CommandShape& root);
std::string zsh_completion(const CommandShape& root);
std::string fish_completion(const CommandShape& root);

}  // namespace meridian::ctl
