#include "tools/ctl/arguments.h"

#include <limits>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

// CLI11 reads numbers by strtoull, which takes 010 for 8, -1 for 2^64 - 1 and what is too large for something else.
template <class Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, const std::string& help, Parse parse) {
  return app.add_option_function<std::string>(
                name, [](const std::string&) {}, help)
      ->check(CLI::Validator([parse](std::string& text) { return parse(text); }, ""));
}

}  // namespace

CLI::Option* add_number(CLI::App& app, const std::string& name, std::uint64_t& target, std::uint64_t min,
                        std::uint64_t max, const std::string& help) {
  CLI::Option* option = add_parsed(app, name, help, [&target, min, max](const std::string& text) -> std::string {
    const auto number = parse_decimal(text);
    if (!number || *number < min || *number > max)
      return fmt::format("\"{}\" is not a whole number from {} to {}, in decimal", text, min, max);
    target = *number;
    return {};
  });
  if (target != 0) option->default_str(std::to_string(target));
  return option;
}

CLI::Option* add_number(CLI::App& app, const std::string& name, std::uint64_t& target, const std::string& help) {
  return add_number(app, name, target, 0, std::numeric_limits<std::uint64_t>::max(), help);
}

CLI::Option* add_timestamp(CLI::App& app, const std::string& name, std::uint64_t& target, const std::string& help) {
  constexpr std::uint64_t kLogical = 0xfff;
  return add_parsed(app, name, help,
                    [&target](const std::string& text) -> std::string {
                      const auto number = parse_decimal(text);
                      const auto time = parse_time(text);
                      if (!number && (!time || *time > std::numeric_limits<std::uint64_t>::max() >> 12)) {
                        return fmt::format(
                            "\"{}\" is no timestamp: a whole number from 0 to {}, in decimal, or a time such as {}",
                            text, std::numeric_limits<std::uint64_t>::max(), format_time(1'764'000'000'123'456));
                      }
                      target = number ? *number : *time << 12 | kLogical;
                      return {};
                    })
      ->type_name("TIME");
}

}  // namespace meridian::ctl
