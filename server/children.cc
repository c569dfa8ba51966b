#include "server/children.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "server/process.h"

namespace meridian::server {

namespace {

// A child that ends at once is not started again at once.
constexpr Duration kRestartDelay = 1s;

std::string unquoted(const std::string& toml) { return toml.starts_with('"') ? toml.substr(1, toml.size() - 2) : toml; }

}  // namespace

Children::~Children() {
  for (const Child& child : children_) {
    if (child.pid != 0) kill(child.pid, SIGKILL);
  }
}

std::vector<std::string> Children::arguments(NodeConfig config, pid_t parent) {
  std::vector<std::string> out{"--parent", std::to_string(parent), "node"};
  const std::vector<std::string> peers = config.latency_peers;
  Settings settings;
  config.declare(settings);
  for (const Settings::Description& d : settings.describe()) {
    if (d.key == "role") continue;
    if (d.is_bool) {
      if (d.value == "true") out.push_back(d.flag);
      continue;
    }
    std::string value = d.is_list ? fmt::format("{}", fmt::join(peers, ",")) : unquoted(d.value);
    if (!value.empty()) out.push_back(d.flag + "=" + value);
  }
  return out;
}

Result<> Children::start(const std::string& name, const NodeConfig& config) {
  children_.push_back({.name = name, .config = config});
  return start(children_.back());
}

Result<> Children::start(Child& child) {
  ASSIGN_OR_RETURN(child.pid, start_child(arguments(child.config, getpid())));
  child.started = process_now();
  child.restart_at.reset();
  return {};
}

void Children::note_ended(MonoTime now) {
  while (const auto ended = reap_child()) {
    for (Child& child : children_) {
      if (child.pid != ended->pid) continue;
      child.pid = 0;
      if (ending_) continue;
      LOG_WARNING("a node's process ended", {{"node", child.name}, {"pid", ended->pid}, {"how", ended->how}});
      std::printf("%s (pid %d) ended: %s%s\n", child.name.c_str(), ended->pid, ended->how.c_str(),
                  restart_ ? "; starting it again" : "");
      if (restart_) child.restart_at = std::max(now, child.started + kRestartDelay);
    }
  }
  std::fflush(stdout);
}

void Children::tend(MonoTime now) {
  note_ended(now);
  for (Child& child : children_) {
    if (ending_ || !child.restart_at || *child.restart_at > now) continue;
    if (const Result<> started = start(child); !started) {
      LOG_ERROR("cannot start a node's process again", {{"node", child.name}, {"error", started.error()}});
      child.restart_at = now + kRestartDelay;
      continue;
    }
    std::printf("%s runs again: pid %d\n", child.name.c_str(), child.pid);
  }
  std::fflush(stdout);
}

std::optional<MonoTime> Children::next_restart() const {
  std::optional<MonoTime> next;
  for (const Child& child : children_) {
    if (child.restart_at && (!next || *child.restart_at < *next)) next = child.restart_at;
  }
  return next;
}

std::size_t Children::running() const {
  return static_cast<std::size_t>(std::ranges::count_if(children_, [](const Child& c) { return c.pid != 0; }));
}

bool Children::end_all(Duration bound) {
  ending_ = true;
  const auto signal_all = [this](int signal) {
    for (const Child& child : children_) {
      if (child.pid != 0) kill(child.pid, signal);
    }
  };
  signal_all(SIGTERM);
  const MonoTime deadline = process_now() + bound;
  bool orderly = true;
  for (;;) {
    note_ended(process_now());
    if (running() == 0) return orderly;
    if (orderly &&
        (process_now() >= deadline || wait_for_event(deadline - process_now()) == ProcessEvent::kTerminate)) {
      LOG_WARNING("nodes did not end in time, killing them", {{"running", running()}});
      orderly = false;
      signal_all(SIGKILL);
    } else if (!orderly) {
      wait_for_event(100ms);
    }
  }
}

}  // namespace meridian::server
