#include "tools/ctl/completion.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace meridian::ctl {

namespace {

std::vector<const CommandShape*> all_commands(const CommandShape& root) {
  std::vector<const CommandShape*> all = {&root};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const CommandShape& command : all[i]->commands) all.push_back(&command);
  }
  return all;
}

std::string last_word(const std::string& path) { return path.substr(path.rfind(' ') + 1); }

// In single quotes for a shell; fish and POSIX differ in how a quote itself is written.
std::string quoted(const std::string& text, std::string_view quote_inside) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += quote_inside;
    } else {
      out += c;
    }
  }
  return out + "'";
}
std::string sh_quoted(const std::string& text) { return quoted(text, "'\\''"); }
std::string fish_quoted(const std::string& text) { return quoted(text, "\\'"); }

std::vector<std::string> words_of(const CommandShape& command) {
  std::vector<std::string> words;
  for (const CommandShape& sub : command.commands) words.push_back(last_word(sub.path));
  words.insert(words.end(), command.choices.begin(), command.choices.end());
  return words;
}

std::vector<std::string> option_names(const CommandShape& command) {
  std::vector<std::string> names;
  for (const auto& option : command.options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

// Options of one kind over all commands, as a pattern of `case`. Names mean the same everywhere they stand.
template <class Predicate>
std::string pattern_of(const CommandShape& root, Predicate wanted) {
  std::vector<std::string> names;
  for (const CommandShape* command : all_commands(root)) {
    for (const auto& option : command->options) {
      if (wanted(option)) names.insert(names.end(), option.names.begin(), option.names.end());
    }
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return fmt::format("{}", fmt::join(names, "|"));
}

}  // namespace

std::string bash_completion(const CommandShape& root) {
  std::string out =
      "# bash completion of meridianctl: source <(meridianctl completion bash)\n"
      "_meridianctl() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev= path=meridianctl skip= word words= files=\n"
      "  ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
      "  COMPREPLY=()\n"
      "  # Which command the words before name: options and their values do not count.\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    if [[ -n $skip ]]; then skip=; continue; fi\n"
      "    case $word in\n";
  out += fmt::format("      {}) skip=1; continue ;;\n", pattern_of(root, [](const auto& o) { return o.takes_value; }));
  out += "      -*) continue ;;\n    esac\n    case \"$path $word\" in\n      ";
  std::vector<std::string> paths;
  for (const CommandShape* command : all_commands(root)) {
    if (command != &root) paths.push_back(sh_quoted(command->path));
  }
  out += fmt::format("{}) path=\"$path $word\" ;;\n    esac\n  done\n", fmt::join(paths, "|"));
  out += "  case $prev in\n";
  for (const CommandShape* command : all_commands(root)) {
    for (const auto& option : command->options) {
      if (option.choices.empty()) continue;
      if (command != &root &&
          std::ranges::any_of(root.options, [&](const auto& o) { return o.names == option.names; })) {
        continue;
      }
      out += fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n",
                         fmt::join(option.names, "|"), fmt::join(option.choices, " "));
    }
  }
  const std::string files = pattern_of(root, [](const auto& o) { return o.file; });
  if (!files.empty()) out += fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", files);
  out += fmt::format("    {}) return ;;\n  esac\n",
                     pattern_of(root, [](const auto& o) { return o.takes_value && !o.file && o.choices.empty(); }));
  out += "  case $path in\n";
  for (const CommandShape* command : all_commands(root)) {
    out += fmt::format("    {})\n      if [[ $cur == -* ]]; then words='{}'; else words='{}'; files={}; fi ;;\n",
                       sh_quoted(command->path), fmt::join(option_names(*command), " "),
                       fmt::join(words_of(*command), " "), command->file_argument ? "1" : "");
  }
  out +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" ${files:+-f} -- \"$cur\"))\n"
      "}\n"
      "complete -F _meridianctl meridianctl\n";
  return out;
}

std::string zsh_completion(const CommandShape& root) {
  std::string out =
      "#compdef meridianctl\n"
      "# zsh completion of meridianctl: meridianctl completion zsh >\"${fpath[1]}/_meridianctl\"\n"
      "_meridianctl() {\n"
      "  local path_=meridianctl skip= word\n"
      "  local -a commands options\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    if [[ -n $skip ]]; then skip=; continue; fi\n"
      "    case $word in\n";
  out += fmt::format("      {}) skip=1; continue ;;\n", pattern_of(root, [](const auto& o) { return o.takes_value; }));
  out += "      -*) continue ;;\n    esac\n    case \"$path_ $word\" in\n      ";
  std::vector<std::string> paths;
  for (const CommandShape* command : all_commands(root)) {
    if (command != &root) paths.push_back(sh_quoted(command->path));
  }
  out += fmt::format("{}) path_=\"$path_ $word\" ;;\n    esac\n  done\n", fmt::join(paths, "|"));
  out += "  case ${words[CURRENT-1]} in\n";
  for (const CommandShape* command : all_commands(root)) {
    for (const auto& option : command->options) {
      if (option.choices.empty()) continue;
      if (command != &root &&
          std::ranges::any_of(root.options, [&](const auto& o) { return o.names == option.names; })) {
        continue;
      }
      out += fmt::format("    {}) compadd -- {}; return ;;\n", fmt::join(option.names, "|"),
                         fmt::join(option.choices, " "));
    }
  }
  const std::string files = pattern_of(root, [](const auto& o) { return o.file; });
  if (!files.empty()) out += fmt::format("    {}) _files; return ;;\n", files);
  out += fmt::format("    {}) return ;;\n  esac\n  case $path_ in\n",
                     pattern_of(root, [](const auto& o) { return o.takes_value && !o.file && o.choices.empty(); }));
  const auto described = [](const std::string& name, const std::string& about) {
    std::string escaped;
    for (const char c : name) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
    return sh_quoted(escaped + ":" + about);
  };
  for (const CommandShape* command : all_commands(root)) {
    out += fmt::format("    {})\n      commands=(", sh_quoted(command->path));
    for (const CommandShape& sub : command->commands) out += described(last_word(sub.path), sub.about) + " ";
    for (const std::string& choice : command->choices) out += described(choice, choice) + " ";
    out += ")\n      options=(";
    for (const auto& option : command->options) {
      for (const std::string& name : option.names) out += described(name, option.about) + " ";
    }
    out += fmt::format(")\n{}      ;;\n", command->file_argument ? "      [[ $PREFIX == -* ]] || _files\n" : "");
  }
  out +=
      "  esac\n"
      "  if [[ $PREFIX == -* ]]; then\n"
      "    _describe -o option options\n"
      "  elif (( ${#commands} )); then\n"
      "    _describe command commands\n"
      "  fi\n"
      "}\n"
      "# Autoloaded from $fpath this file is the function; sourced it only defines it.\n"
      "if [[ $funcstack[1] == _meridianctl ]]; then _meridianctl \"$@\"; else compdef _meridianctl meridianctl; fi\n";
  return out;
}

std::string fish_completion(const CommandShape& root) {
  std::string out =
      "# fish completion of meridianctl: meridianctl completion fish >~/.config/fish/completions/meridianctl.fish\n"
      "complete -c meridianctl -f\n";
  for (const CommandShape* command : all_commands(root)) {
    // Seen: the words of its path; not yet seen: a command below it.
    std::string condition;
    std::string rest = command == &root ? "" : command->path.substr(root.path.size() + 1);
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      condition +=
          fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ", rest.substr(0, end));
      rest = rest.substr(std::min(end + 1, rest.size()));
    }
    std::vector<std::string> below;
    for (const CommandShape& sub : command->commands) below.push_back(last_word(sub.path));
    const std::string here = below.empty() ? condition
                                           : fmt::format("{}{}not __fish_seen_subcommand_from {}", condition,
                                                         condition.empty() ? "" : "; and ", fmt::join(below, " "));
    for (const CommandShape& sub : command->commands) {
      out += fmt::format("complete -c meridianctl -n '{}' -a {} -d {}\n", here, last_word(sub.path),
                         fish_quoted(sub.about));
    }
    for (const std::string& choice : command->choices) {
      out += fmt::format("complete -c meridianctl -n '{}' -a {}\n", here, choice);
    }
    if (command->file_argument) out += fmt::format("complete -c meridianctl -n '{}' -F\n", here);
    for (const auto& option : command->options) {
      const bool global =
          command != &root && std::ranges::any_of(root.options, [&](const auto& o) { return o.names == option.names; });
      if (global) continue;
      out += "complete -c meridianctl";
      if (!condition.empty()) out += fmt::format(" -n '{}'", condition);
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) out += option.file ? " -r -F" : " -x";
      if (!option.choices.empty()) out += fmt::format(" -a '{}'", fmt::join(option.choices, " "));
      out += " -d " + fish_quoted(option.about) + "\n";
    }
  }
  return out;
}

}  // namespace meridian::ctl
