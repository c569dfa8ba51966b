#include "base/config.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <toml++/toml.h>

#include "base/check.h"

namespace meridian {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> kDurationUnits{
    {{"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}, {"us", 1}}};
constexpr std::array<Unit, 4> kByteUnits{{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}};

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number<std::uint64_t>(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name != text.substr(digits)) continue;
    if (*number > INT64_MAX / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format_with_unit(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return fmt::format("{}{}", value, value == 0 ? units[N - 2].name : units[N - 1].name);
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {  // TOML takes no control character as it is
      out += fmt::format("\\u{:04X}", byte);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

template <class T>
std::string out_of_range(const T& min, const T& max) {
  return fmt::format("is out of range: from {} to {} is allowed", min, max);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return out;
}

std::string transformed(std::string_view key, char separator, bool upper) {
  std::string out(key);
  for (char& c : out) {
    if (c == '.' || c == '_') {
      c = separator;
    } else if (upper) {
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

std::string flag_of(std::string_view key) { return "--" + transformed(key, '-', false); }

}  // namespace

std::string format_duration(Duration duration) {
  return format_with_unit(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}
std::string format_bytes(std::uint64_t bytes) { return format_with_unit(bytes, kByteUnits); }
std::optional<Duration> parse_duration(std::string_view text) {
  const auto us = parse_with_unit(text, kDurationUnits);
  return us ? std::optional(Duration(static_cast<std::int64_t>(*us))) : std::nullopt;
}
std::optional<std::uint64_t> parse_bytes(std::string_view text) { return parse_with_unit(text, kByteUnits); }

std::string check_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return "is not host:port";
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (!bracketed && host.find(':') != std::string_view::npos) return "is not host:port (an IPv6 host goes in brackets)";
  const auto port = parse_number<std::uint32_t>(text.substr(colon + 1));
  if (!port) return "is not host:port";
  if (*port > 65535) return fmt::format("has port {}: from 0 to 65535 is allowed", *port);
  return "";
}

Settings::Setting& Settings::declare(std::string key, std::string help, Parse parse,
                                     std::function<std::string()> show) {
  CHECK_F(find(key) == nullptr, "setting {} is declared twice", key);
  settings_.push_back({std::move(key), std::move(help), std::move(parse), std::move(show)});
  return settings_.back();
}

void Settings::add(std::string key, std::string help, bool* target) {
  auto parse = [target](const Value& value) -> std::expected<Apply, std::string> {
    std::optional<bool> parsed;
    if (const bool* flag = std::get_if<bool>(&value.data)) parsed = *flag;
    if (const auto* text = std::get_if<std::string>(&value.data); text != nullptr && value.text) {
      if (*text == "true" || *text == "1") parsed = true;
      if (*text == "false" || *text == "0") parsed = false;
    }
    if (!parsed) return std::unexpected("is neither true nor false");
    return [target, parsed] { *target = *parsed; };
  };
  declare(std::move(key), std::move(help), parse, [target] { return *target ? "true" : "false"; }).is_bool = true;
}

void Settings::add(std::string key, std::string help, std::int64_t* target, std::int64_t min, std::int64_t max) {
  auto parse = [=](const Value& value) -> std::expected<Apply, std::string> {
    std::optional<std::int64_t> parsed;
    if (const auto* number = std::get_if<std::int64_t>(&value.data)) parsed = *number;
    if (const auto* text = std::get_if<std::string>(&value.data); text != nullptr && value.text) {
      parsed = parse_number<std::int64_t>(*text);
    }
    if (!parsed) return std::unexpected("is not an integer");
    if (*parsed < min || *parsed > max) return std::unexpected(out_of_range(min, max));
    return [target, parsed] { *target = *parsed; };
  };
  declare(std::move(key), std::move(help), parse, [target] { return fmt::format("{}", *target); });
}

void Settings::add(std::string key, std::string help, double* target, double min, double max) {
  auto parse = [=](const Value& value) -> std::expected<Apply, std::string> {
    std::optional<double> parsed;
    if (const auto* number = std::get_if<double>(&value.data)) parsed = *number;
    if (const auto* number = std::get_if<std::int64_t>(&value.data)) parsed = static_cast<double>(*number);
    if (const auto* text = std::get_if<std::string>(&value.data); text != nullptr && value.text) {
      parsed = parse_number<double>(*text);
    }
    if (!parsed) return std::unexpected("is not a number");
    if (!(*parsed >= min && *parsed <= max)) return std::unexpected(out_of_range(min, max));
    return [target, parsed] { *target = *parsed; };
  };
  declare(std::move(key), std::move(help), parse, [target] { return fmt::format("{}", *target); });
}

void Settings::add(std::string key, std::string help, Duration* target, Duration min, Duration max) {
  auto parse = [=](const Value& value) -> std::expected<Apply, std::string> {
    const auto* text = std::get_if<std::string>(&value.data);
    const auto parsed = text != nullptr ? parse_duration(*text) : std::nullopt;
    if (!parsed) return std::unexpected("is not a duration such as \"250us\", \"500ms\", \"2s\", \"5m\" or \"1h\"");
    if (*parsed < min || *parsed > max)
      return std::unexpected(out_of_range(format_duration(min), format_duration(max)));
    return [target, parsed] { *target = *parsed; };
  };
  declare(std::move(key), std::move(help), parse, [target] { return quote(format_duration(*target)); });
}

void Settings::add_bytes(std::string key, std::string help, std::uint64_t* target, std::uint64_t min,
                         std::uint64_t max) {
  auto parse = [=](const Value& value) -> std::expected<Apply, std::string> {
    std::optional<std::uint64_t> parsed;
    if (const auto* text = std::get_if<std::string>(&value.data)) parsed = parse_bytes(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value.data); number != nullptr && *number >= 0) {
      parsed = static_cast<std::uint64_t>(*number);
    }
    if (!parsed) return std::unexpected("is not a size such as 4096, \"64KiB\", \"1MiB\" or \"2GiB\"");
    if (*parsed < min || *parsed > max) return std::unexpected(out_of_range(format_bytes(min), format_bytes(max)));
    return [target, parsed] { *target = *parsed; };
  };
  declare(std::move(key), std::move(help), parse, [target] { return quote(format_bytes(*target)); });
}

void Settings::add(std::string key, std::string help, std::string* target,
                   std::function<std::string(std::string_view)> check) {
  auto parse = [target, check = std::move(check)](const Value& value) -> std::expected<Apply, std::string> {
    const auto* text = std::get_if<std::string>(&value.data);
    if (text == nullptr) return std::unexpected("is not a string");
    if (check) {
      if (std::string wrong = check(*text); !wrong.empty()) return std::unexpected(std::move(wrong));
    }
    return [target, parsed = *text] { *target = parsed; };
  };
  declare(std::move(key), std::move(help), parse, [target] { return quote(*target); });
}

void Settings::add_choice(std::string key, std::string help, std::string* target, std::vector<std::string> choices) {
  add(std::move(key), std::move(help), target, [choices = std::move(choices)](std::string_view text) -> std::string {
    if (std::ranges::find(choices, text) != choices.end()) return "";
    return fmt::format("is none of {}", fmt::join(choices, ", "));
  });
}

void Settings::add(std::string key, std::string help, std::vector<std::string>* target) {
  auto parse = [target](const Value& value) -> std::expected<Apply, std::string> {
    std::optional<std::vector<std::string>> parsed;
    if (const auto* list = std::get_if<std::vector<std::string>>(&value.data)) parsed = *list;
    if (const auto* text = std::get_if<std::string>(&value.data); text != nullptr && value.text) {
      parsed = split_list(*text);
    }
    if (!parsed) return std::unexpected("is not a list of strings");
    return [target, parsed] { *target = *parsed; };
  };
  declare(std::move(key), std::move(help), parse, [target] {
    std::vector<std::string> quoted;
    for (const std::string& item : *target) quoted.push_back(quote(item));
    return fmt::format("[{}]", fmt::join(quoted, ", "));
  }).is_list = true;
}

Settings::Setting* Settings::find(std::string_view key) {
  const auto it = std::ranges::find(settings_, key, &Setting::key);
  return it == settings_.end() ? nullptr : &*it;
}

std::string Settings::unknown_key(std::string_view key) const {
  std::vector<std::string> keys;
  for (const Setting& setting : settings_) keys.push_back(setting.key);
  std::ranges::sort(keys);
  return fmt::format("unknown key {}; there are {}", key, fmt::join(keys, ", "));
}

std::optional<std::string> Settings::assign(Setting& setting, const Value& value, Origin origin) {
  auto apply = setting.parse(value);
  if (!apply) return std::move(apply).error();
  if (origin < setting.origin) return std::nullopt;  // valid, but something stronger has spoken
  (*apply)();
  setting.origin = origin;
  return std::nullopt;
}

// Walks the file's tables depth first and gathers every mistake.
struct Settings::TomlWalk {
  Settings& settings;
  const std::string& file_name;
  std::vector<std::string> mistakes;

  static std::optional<Value> to_value(const toml::node& node) {
    if (const auto* v = node.as_boolean()) return Value{.data = v->get()};
    if (const auto* v = node.as_integer()) return Value{.data = v->get()};
    if (const auto* v = node.as_floating_point()) return Value{.data = v->get()};
    if (const auto* v = node.as_string()) return Value{.data = v->get()};
    const auto* array = node.as_array();
    if (array == nullptr) return std::nullopt;
    std::vector<std::string> items;
    for (const toml::node& item : *array) {
      if (!item.is_string()) return std::nullopt;
      items.push_back(item.as_string()->get());
    }
    return Value{.data = std::move(items)};
  }

  static std::string show(const toml::node& node) {
    std::ostringstream out;
    node.visit([&](const auto& concrete) { out << concrete; });
    return out.str();
  }

  void walk(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string path = prefix + std::string(key.str());
      const std::string place = fmt::format("{}:{}: ", file_name, key.source().begin.line);
      Setting* const setting = settings.find(path);
      if (const toml::table* child = node.as_table(); child != nullptr && setting == nullptr) {
        const bool known =
            std::ranges::any_of(settings.settings_, [&](const Setting& s) { return s.key.starts_with(path + "."); });
        if (!known) {
          mistakes.push_back(place + settings.unknown_key(path));
        } else {
          walk(*child, path + ".");
        }
        continue;
      }
      if (setting == nullptr) {
        mistakes.push_back(place + settings.unknown_key(path));
        continue;
      }
      const std::optional<Value> value = to_value(node);
      std::optional<std::string> wrong = value ? assign(*setting, *value, Origin::kFile) : "has the wrong type";
      if (wrong) mistakes.push_back(fmt::format("{}{} = {} {}", place, path, show(node), *wrong));
    }
  }
};

namespace {

Result<toml::table> parse_toml(std::string_view text, const std::string& file_name) {
  try {
    return toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description()));
  }
}

}  // namespace

Result<> Settings::load_toml(std::string_view text, const std::string& file_name) {
  ASSIGN_OR_RETURN(const toml::table table, parse_toml(text, file_name));
  TomlWalk walk{*this, file_name, {}};
  walk.walk(table, "");
  if (walk.mistakes.empty()) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}", fmt::join(walk.mistakes, "\n")));
}

Result<std::optional<std::string>> Settings::peek_string(std::string_view text, const std::string& file_name,
                                                         std::string_view key) {
  ASSIGN_OR_RETURN(const toml::table table, parse_toml(text, file_name));
  return table[key].value<std::string>();
}

Result<> Settings::load_environment(const std::string& prefix,
                                    const std::function<const char*(const std::string& name)>& lookup) {
  for (Setting& setting : settings_) {
    const std::string name = prefix + transformed(setting.key, '_', true);
    const char* const text = lookup(name);
    if (text == nullptr) continue;
    if (const auto wrong = assign(setting, {std::string(text), true}, Origin::kEnvironment)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}={} {}", name, text, *wrong));
    }
  }
  return {};
}

Result<> Settings::set(const std::string& key, const std::string& text) {
  Setting* const setting = find(key);
  if (setting == nullptr) return fail(ErrorCode::kInvalidArgument, unknown_key(key));
  if (const auto wrong = assign(*setting, {text, true}, Origin::kFlag)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} {} {}", flag_of(key), text, *wrong));
  }
  return {};
}

std::vector<Settings::Description> Settings::describe() const {
  std::vector<Description> out;
  for (const Setting& s : settings_) {
    out.push_back({s.key, flag_of(s.key), s.help, s.show(), s.origin, s.is_bool, s.is_list});
  }
  return out;
}

}  // namespace meridian
