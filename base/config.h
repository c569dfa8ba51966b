// Settings: named, typed and bounded values, each declared once and thereby known to the TOML file, the
// environment and the command line. Precedence: flag > environment > file > default, in whatever order
// they are loaded. A mistake (unknown key, wrong type, out of range) is an error that names the place
// (file:line), the key, the value and the limit; nothing is silently ignored.
//
//   Settings settings;
//   settings.add("raft.election_timeout", "minimum election timeout", &c.election_timeout, 50ms, 60s);
//   settings.load_toml(text, "node.toml");                          [raft] election_timeout = "500ms"
//   settings.load_environment("MERIDIAN_", lookup);                 MERIDIAN_RAFT_ELECTION_TIMEOUT=500ms
//   settings.set("raft.election_timeout", "500ms");                 --raft-election-timeout 500ms
//
// Durations are written "250us", "500ms", "2s", "5m", "1h"; sizes "4096", "64KiB", "1MiB", "2GiB".
// Targets must outlive the Settings; they hold their defaults when added. Not thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace meridian {

std::string format_duration(Duration duration);  // "500ms"
std::string format_bytes(std::uint64_t bytes);   // "64MiB"
std::optional<Duration> parse_duration(std::string_view text);
std::optional<std::uint64_t> parse_bytes(std::string_view text);

class Settings {
 public:
  enum class Origin : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };

  // What a setting is, for help texts and `config check`.
  struct Description {
    std::string key;   // "raft.election_timeout"
    std::string flag;  // "--raft-election-timeout"
    std::string help;
    std::string value;  // as it stands now, as TOML would have it
    Origin origin = Origin::kDefault;
    bool is_bool = false;
    bool is_list = false;
  };

  void add(std::string key, std::string help, bool* target);
  void add(std::string key, std::string help, std::int64_t* target, std::int64_t min, std::int64_t max);
  void add(std::string key, std::string help, double* target, double min, double max);
  void add(std::string key, std::string help, Duration* target, Duration min, Duration max);
  void add(std::string key, std::string help, std::vector<std::string>* target);
  // check: an empty string, or what is wrong ("is not host:port").
  void add(std::string key, std::string help, std::string* target,
           std::function<std::string(std::string_view)> check = nullptr);
  void add_bytes(std::string key, std::string help, std::uint64_t* target, std::uint64_t min, std::uint64_t max);
  void add_choice(std::string key, std::string help, std::string* target, std::vector<std::string> choices);

  // All mistakes of the file, one a line. Later settings are loaded in spite of earlier mistakes.
  Result<> load_toml(std::string_view text, const std::string& file_name);
  Result<> load_environment(const std::string& prefix,
                            const std::function<const char*(const std::string& name)>& lookup);
  // From the command line. A list is written a,b,c.
  Result<> set(const std::string& key, const std::string& text);

  std::vector<Description> describe() const;

  // One top-level string of a file, before it is known what the file is for. nullopt: not there.
  static Result<std::optional<std::string>> peek_string(std::string_view text, const std::string& file_name,
                                                        std::string_view key);

 private:
  struct Value {
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>> data;
    bool text = false;  // from the environment or a flag: a string that may mean a number
  };
  using Apply = std::function<void()>;
  // What to do with a valid value, or what is wrong with it.
  using Parse = std::function<std::expected<Apply, std::string>(const Value&)>;
  struct Setting {
    std::string key;
    std::string help;
    Parse parse;
    std::function<std::string()> show;
    bool is_bool = false;
    bool is_list = false;
    Origin origin = Origin::kDefault;
  };
  struct TomlWalk;

  Setting& declare(std::string key, std::string help, Parse parse, std::function<std::string()> show);
  Setting* find(std::string_view key);
  std::string unknown_key(std::string_view key) const;
  static std::optional<std::string> assign(Setting& setting, const Value& value, Origin origin);

  std::vector<Setting> settings_;
};

// "host:port", port 0 to 65535 (0: any free one); an IPv6 host in brackets. Empty, or what is wrong.
std::string check_host_port(std::string_view text);

}  // namespace meridian
