#include "server/config.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "server/memory.h"

namespace meridian::server {

namespace {

std::string not_empty(std::string_view text) { return text.empty() ? "is empty" : ""; }

std::string empty_or_host_port(std::string_view text) { return text.empty() ? "" : check_host_port(text); }

// Where others are told to connect to.
std::string empty_or_reachable(std::string_view text) {
  if (std::string wrong = empty_or_host_port(text); text.empty() || !wrong.empty()) return wrong;
  const std::size_t colon = text.rfind(':');
  if (text.substr(colon + 1).find_first_not_of('0') == std::string_view::npos) return "has port 0, at which nobody is reached";
  const std::string_view host = text.substr(0, colon);
  if (host != "0.0.0.0" && host != "[::]") return "";
  return "is where a process listens on all its addresses, not where others reach it; name the host";
}

std::string region_name(std::string_view text) {
  if (text.empty() || text.size() > 64) return "is not a region's name (1 to 64 characters)";
  for (const char c : text) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') return "is not a region's name (a-z, 0-9, -)";
  }
  return "";
}

void declare_log(Settings& s, LogConfig& c) {
  s.add_choice("log.format", "text, or one JSON object a line", &c.format, {"text", "json"});
  s.add_choice("log.level", "what is logged", &c.level, {"debug", "info", "warning", "error", "off"});
}

void declare_raft(Settings& s, RaftConfig& c) {
  s.add("raft.election_timeout", "T: how long a leader may be silent", &c.election_timeout, 50ms, 60s);
  s.add("raft.heartbeat_interval", "between a leader's heartbeats", &c.heartbeat_interval, 5ms, 20s);
  s.add("raft.clock_drift", "the largest rate error between two clocks", &c.clock_drift, 0.0, 0.2);
  s.add("raft.priority", "for leadership: 0 is preferred, others only where nobody better is there", &c.priority, 0, 9);
}

void declare_storage(Settings& s, StorageConfig& c) {
  constexpr std::uint64_t kTebibyte = std::uint64_t{1} << 40;
  s.add_bytes("storage.memory", "of a node, for all that it holds", &c.memory, 128 << 20, kTebibyte);
  s.add_bytes("storage.block_cache", "of that, for blocks read; 0: a share", &c.block_cache, 0, kTebibyte);
  s.add_bytes("storage.version_cache", "of that, for records read lately; 0: a share", &c.version_cache, 0, kTebibyte);
  s.add_bytes("storage.write_buffer", "of that, each of three for what is not flushed yet; 0: a share", &c.write_buffer, 0,
              kTebibyte);
  s.add_bytes("storage.log_segment", "size of a segment of the log", &c.log_segment, 1 << 20, 1 << 30);
  s.add_bytes("storage.log_keep", "of the log, kept on disk for replicas that lag", &c.log_keep, 1 << 20, kTebibyte);
  s.add_bytes("storage.log_max", "of the log, kept on disk while a replica is brought up that needs it", &c.log_max, 1 << 20, kTebibyte);
  s.add_bytes("storage.background_rate", "what flushes and compactions write a second at most; compactions are paced below it; 0: neither",
              &c.background_rate, 0, kTebibyte);
}

void declare_limits(Settings& s, LimitsConfig& c) {
  s.add_bytes("limits.key", "longest key", &c.key, 1, 64 << 10);
  s.add_bytes("limits.value", "longest value", &c.value, 1, 3 << 20);
  s.add_bytes("limits.batch", "largest batch, encoded", &c.batch, 1 << 10, 4 << 20);
  s.add("limits.batch_keys", "keys of a batch", &c.batch_keys, 1, 100'000);
  s.add_bytes("limits.frame", "largest message between processes", &c.frame, 5 << 20, 256 << 20);
  s.add_bytes("limits.queue", "requests that wait at a node; beyond it they are refused as busy; 0: a share of its memory",
              &c.queue, 0, 1 << 30);
  s.add_bytes("limits.answers",
              "answers that their callers have not taken; beyond it large ones are refused as busy; 0: a share of a node's memory, "
              "256MiB of a proxy",
              &c.answers, 0, std::uint64_t{64} << 30);
  s.add("limits.streams", "streams of callers at the same time; more are refused", &c.streams, 16, 1'000'000);
  s.add("limits.request_window", "how long request ids are remembered", &c.request_window, 10s, 24h);
  s.add("limits.clock_offset", "largest difference between two wall clocks", &c.clock_offset, 1ms, 10s);
}

constexpr auto kReflectionHelp = "serve gRPC's reflection, which takes a thread for each of its callers";
constexpr auto kLatencyHelp = "delay between regions: none, lan, wan or a TOML file of pairs";
constexpr auto kLatencyPeersHelp = "HOST:PORT=REGION of the others, for latency";

Result<> check_raft(const RaftConfig& raft) {
  if (raft.heartbeat_interval * 2 > raft.election_timeout) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("raft.heartbeat_interval = {} must be at most half of raft.election_timeout = {}",
                            format_duration(raft.heartbeat_interval), format_duration(raft.election_timeout)));
  }
  return {};
}

// What a leader may have answered with lies at most T ahead of its clock; clocks that may differ by more than that would
// put it beyond what another may take over.
Result<> check_clocks(const RaftConfig& raft, const LimitsConfig& limits) {
  if (limits.clock_offset > raft.election_timeout) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("limits.clock_offset = {} must be at most raft.election_timeout = {}",
                            format_duration(limits.clock_offset), format_duration(raft.election_timeout)));
  }
  return {};
}

}  // namespace

api::Limits LimitsConfig::to_api() const {
  return {.max_key_bytes = key,
          .max_value_bytes = value,
          .max_request_bytes = batch,
          .max_batch_keys = static_cast<std::size_t>(batch_keys)};
}

void NodeConfig::declare(Settings& s) {
  s.add_choice("role", "what this file is for", &role, {"node"});
  s.add("dir", "data directory", &dir, not_empty);
  s.add("listen", "address to listen on", &listen, check_host_port);
  s.add("advertise", "address at which others reach this node; default: listen", &advertise, empty_or_reachable);
  s.add("region", "where it is", &region, region_name);
  s.add("http", "address for /metrics, /livez and /readyz; default: none", &http, empty_or_host_port);
  s.add("reflection", kReflectionHelp, &reflection);
  s.add("shutdown_timeout", "time for a graceful end", &shutdown_timeout, 100ms, 5min);
  s.add("latency", kLatencyHelp, &latency);
  s.add("latency_peers", kLatencyPeersHelp, &latency_peers);
  declare_log(s, log);
  declare_raft(s, raft);
  declare_storage(s, storage);
  declare_limits(s, limits);
}

Result<> NodeConfig::check() const {
  if (dir.empty()) return fail(ErrorCode::kInvalidArgument, "dir is not set: --dir DIR, or dir = \"…\" in the file");
  if (advertise.empty() && !empty_or_reachable(listen).empty() && !listen.ends_with(":0")) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("listen = {} is on all addresses of this machine: say with advertise where others reach it", listen));
  }
  RETURN_IF_ERROR(divide_memory(storage, limits));
  RETURN_IF_ERROR(check_raft(raft));
  return check_clocks(raft, limits);
}

void ProxyConfig::declare(Settings& s) {
  s.add_choice("role", "what this file is for", &role, {"proxy"});
  s.add("listen", "address to listen on", &listen, check_host_port);
  s.add("advertise", "address at which clients reach it; default: listen", &advertise, empty_or_reachable);
  s.add("nodes", "some nodes of the cluster; the others are learnt", &nodes);
  s.add("region", "where it is", &region, region_name);
  s.add("http", "address for /metrics, /livez and /readyz; default: none", &http, empty_or_host_port);
  s.add("reflection", kReflectionHelp, &reflection);
  s.add("shutdown_timeout", "time for a graceful end", &shutdown_timeout, 100ms, 5min);
  s.add("latency", kLatencyHelp, &latency);
  s.add("latency_peers", kLatencyPeersHelp, &latency_peers);
  declare_log(s, log);
  declare_limits(s, limits);
}

Result<> ProxyConfig::check() const {
  for (const std::string& node : nodes) {
    if (const std::string wrong = check_host_port(node); !wrong.empty()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("nodes: \"{}\" {}", node, wrong));
    }
  }
  if (limits.answers != 0 && limits.answers < kLeastAnswers) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("limits.answers = {}: at least {}", format_bytes(limits.answers),
                                                         format_bytes(kLeastAnswers)));
  }
  if (nodes.empty()) {
    return fail(ErrorCode::kInvalidArgument, "nodes is not set: --nodes HOST:PORT,… or nodes = […] in the file");
  }
  return {};
}

void LocalConfig::declare(Settings& s) {
  s.add_choice("role", "what this file is for", &role, {"local"});
  s.add("regions", "the regions", &regions);
  s.add("nodes_per_region", "nodes in each", &nodes_per_region, 1, 9);
  s.add("dir", "data directory of all nodes", &dir, not_empty);
  s.add("port", "of the proxy; nodes on the ports that follow, HTTP 100 above each", &port, 1, 65000);
  s.add("latency", kLatencyHelp, &latency);
  s.add("processes", "each node is a process of its own", &processes);
  s.add("restart_children", "start a node's process again when it ends", &restart_children);
  s.add("shutdown_timeout", "time for a graceful end", &shutdown_timeout, 100ms, 5min);
  declare_log(s, log);
  declare_raft(s, raft);
  declare_storage(s, storage);
  declare_limits(s, limits);
}

Result<> LocalConfig::check() const {
  if (dir.empty()) return fail(ErrorCode::kInvalidArgument, "dir is not set: --dir DIR, or dir = \"…\" in the file");
  if (regions.empty()) return fail(ErrorCode::kInvalidArgument, "regions is empty");
  std::map<std::string, int> seen;
  for (const std::string& region : regions) {
    const std::string wrong = seen[region]++ != 0 ? "is there twice" : region_name(region);
    if (!wrong.empty()) return fail(ErrorCode::kInvalidArgument, fmt::format("regions: \"{}\" {}", region, wrong));
  }
  if (node_count() > 9) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} nodes; the limit is 9", node_count()));
  }
  RETURN_IF_ERROR(divide_memory(storage, limits));
  RETURN_IF_ERROR(check_raft(raft));
  return check_clocks(raft, limits);
}

NodeConfig LocalConfig::node(std::size_t i) const {
  NodeConfig c;
  c.dir = fmt::format("{}/n{}", dir, i + 1);
  c.listen = fmt::format("127.0.0.1:{}", port + 1 + static_cast<std::int64_t>(i));
  c.http = fmt::format("127.0.0.1:{}", port + 101 + static_cast<std::int64_t>(i));
  // Regions take turns, so that the first nodes already span all of them.
  c.region = regions[i % regions.size()];
  c.shutdown_timeout = shutdown_timeout;
  c.log = log;
  c.raft = raft;
  c.storage = storage;
  c.limits = limits;
  c.latency = latency;
  c.latency_peers = peers();
  return c;
}

std::vector<std::string> LocalConfig::peers() const {
  std::vector<std::string> out;
  if (latency == "none") return out;
  for (std::size_t i = 0; i < node_count(); ++i) {
    out.push_back(fmt::format("127.0.0.1:{}={}", port + 1 + static_cast<std::int64_t>(i), regions[i % regions.size()]));
  }
  return out;
}

ProxyConfig LocalConfig::proxy() const {
  ProxyConfig c;
  c.listen = fmt::format("127.0.0.1:{}", port);
  c.http = fmt::format("127.0.0.1:{}", port + 100);
  for (std::size_t i = 0; i < node_count(); ++i) c.nodes.push_back(node(i).listen);
  c.region = regions.front();
  c.shutdown_timeout = shutdown_timeout;
  c.log = log;
  c.limits = limits;
  c.latency = latency;
  c.latency_peers = peers();
  return c;
}

namespace {

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    return fail(ErrorCode::kNotFound, fmt::format("cannot read the configuration file {}", path));
  }
  return text.str();
}

template <class Config>
Result<std::string> check_as(const std::string& path, const std::string& text) {
  Config config;
  Settings settings;
  config.declare(settings);
  RETURN_IF_ERROR(settings.load_toml(text, path));
  if (const Result<> consistent = config.check(); !consistent) {
    return fail(consistent.error().code(), fmt::format("{}: {}", path, consistent.error().message()));
  }
  std::string out;
  for (const Settings::Description& d : settings.describe()) out += fmt::format("{} = {}\n", d.key, d.value);
  return out;
}

}  // namespace

Result<> load_settings(Settings& settings, const std::string& config_file) {
  RETURN_IF_ERROR(settings.load_environment("MERIDIAN_", [](const std::string& name) { return getenv(name.c_str()); }));
  if (config_file.empty()) return {};
  ASSIGN_OR_RETURN(const std::string text, read_text(config_file));
  return settings.load_toml(text, config_file);
}

Result<std::string> check_config_file(const std::string& path, const std::string& role) {
  ASSIGN_OR_RETURN(const std::string text, read_text(path));
  ASSIGN_OR_RETURN(const auto named, Settings::peek_string(text, path, "role"));
  const std::string as = !role.empty() ? role : named.value_or("node");
  if (as == "node") return check_as<NodeConfig>(path, text);
  if (as == "proxy") return check_as<ProxyConfig>(path, text);
  if (as == "local") return check_as<LocalConfig>(path, text);
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: role = \"{}\"; there are node, proxy and local", path, as));
}

}  // namespace meridian::server
