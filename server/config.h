// The settings of the daemon's roles, declared once: the TOML file, the environment (MERIDIAN_…) and the
// command line all follow from declare(). Defaults stand here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/log.h"
#include "base/types.h"
#include "shard/api/methods.h"

namespace meridian::server {

using namespace std::chrono_literals;

struct LogConfig {
  std::string format = "text";
  std::string level = "info";
  LogFormat parsed_format() const { return format == "json" ? LogFormat::kJson : LogFormat::kText; }
  LogLevel parsed_level() const { return parse_log_level(level).value_or(LogLevel::kInfo); }
};

struct RaftConfig {
  Duration election_timeout = 500ms;
  Duration heartbeat_interval = 100ms;
  double clock_drift = 0.01;
  std::int64_t priority = 0;
};

struct StorageConfig {
  std::uint64_t memory = 1 << 30;  // of a node; memory.h divides it
  // 0: a share of it.
  std::uint64_t block_cache = 0;
  std::uint64_t write_buffer = 0;
  std::uint64_t version_cache = 0;
  std::uint64_t log_segment = 64 << 20;
  std::uint64_t log_keep = 256 << 20;
  std::uint64_t log_max = std::uint64_t{4} << 30;
  std::uint64_t background_rate = 256 << 20;  // bytes a second; 0: no limit and no pace
};

struct LimitsConfig {
  std::uint64_t key = 4 << 10;
  std::uint64_t value = 1 << 20;
  std::uint64_t batch = 4 << 20;
  std::int64_t batch_keys = 100'000;
  std::uint64_t frame = 16 << 20;
  std::uint64_t queue = 0;    // of a node; 0: a share of its memory
  std::uint64_t answers = 0;  // 0: a share of a node's memory; of a proxy AnswerBudget's
  std::int64_t streams = 10'000;
  Duration clock_offset = 250ms;
  Duration request_window = 10min;

  api::Limits to_api() const;
};

struct NodeConfig {
  std::string role = "node";
  std::string dir;
  std::string listen = "127.0.0.1:7401";
  std::string advertise;  // empty: listen
  std::string region = "default";
  std::string http;  // empty: none
  bool reflection = false;
  Duration shutdown_timeout = 10s;
  LogConfig log;
  RaftConfig raft;
  StorageConfig storage;
  LimitsConfig limits;
  // How far away other regions are made to seem (latency.h): none, lan, wan or a file; and where peers are.
  std::string latency = "none";
  std::vector<std::string> latency_peers;

  void declare(Settings& settings);
  // What no single setting can know, such as a heartbeat that is not below the election time-out.
  Result<> check() const;
};

struct ProxyConfig {
  std::string role = "proxy";
  std::string listen = "127.0.0.1:7400";
  std::string advertise;
  std::vector<std::string> nodes;
  std::string region = "default";
  std::string http;
  bool reflection = false;
  Duration shutdown_timeout = 10s;
  LogConfig log;
  LimitsConfig limits;
  std::string latency = "none";
  std::vector<std::string> latency_peers;

  void declare(Settings& settings);
  Result<> check() const;
};

struct LocalConfig {
  std::string role = "local";
  std::vector<std::string> regions{"us-east", "us-west", "eu-west"};
  std::int64_t nodes_per_region = 1;
  std::string dir;
  std::int64_t port = 7400;
  std::string latency = "none";
  bool processes = false;
  bool restart_children = false;
  Duration shutdown_timeout = 10s;
  LogConfig log{.level = "warning"};
  RaftConfig raft;
  StorageConfig storage;
  LimitsConfig limits;

  void declare(Settings& settings);
  Result<> check() const;

  // Proxy on port, nodes on the ports that follow, HTTP a hundred above each.
  std::size_t node_count() const { return regions.size() * static_cast<std::size_t>(nodes_per_region); }
  NodeConfig node(std::size_t i) const;  // from 0
  ProxyConfig proxy() const;

 private:
  std::vector<std::string> peers() const;
};

// The environment's MERIDIAN_ variables, then the file's text (if any), into what was declared.
Result<> load_settings(Settings& settings, const std::string& config_file);

// Checks a file for the role it names (or `role`, if not empty). Answers the settings that it leads to, as TOML.
Result<std::string> check_config_file(const std::string& path, const std::string& role);

}  // namespace meridian::server
