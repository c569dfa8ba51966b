// The node processes of `meridian local --processes`. Main thread only.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "server/config.h"

namespace meridian::server {

class Children {
 public:
  explicit Children(bool restart) : restart_(restart) {}
  // SIGKILL to whoever is left.
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Arguments under which a child is that node: every setting, as flags.
  static std::vector<std::string> arguments(NodeConfig config, pid_t parent);

  Result<> start(const std::string& name, const NodeConfig& config);
  pid_t pid(std::size_t i) const { return children_[i].pid; }

  // After SIGCHLD, and whenever next_restart() has come: reports who ended, and starts it again where asked to.
  void tend(MonoTime now);
  // When a child is due to be started again.
  std::optional<MonoTime> next_restart() const;
  std::size_t running() const;

  // SIGTERM to all, then waits; SIGKILL to those still there after so long. False if that was needed.
  bool end_all(Duration bound);

 private:
  struct Child {
    std::string name;
    NodeConfig config;
    pid_t pid = 0;  // 0: not running
    MonoTime started;
    std::optional<MonoTime> restart_at;
  };
  Result<> start(Child& child);
  void note_ended(MonoTime now);

  const bool restart_;
  bool ending_ = false;
  std::vector<Child> children_;
};

}  // namespace meridian::server
