// Keeps the log short. What a flush has made durable in the data is not needed by a restart (S4). Beyond that every
// replica keeps a tail for followers that lag, and a leader all that a follower within reach still needs, one that is
// being sent a snapshot included: else it would need the next one as soon as it has this one (S4a). Works when enough
// was applied since the last time, so an idle shard costs nothing.
#pragma once

#include <functional>

#include "base/engine.h"
#include "base/lifetime.h"
#include "base/runtime.h"
#include "raft/core.h"
#include "shard/log/log_store.h"
#include "shard/options.h"
#include "shard/snapshots.h"

namespace meridian {

class LogTrimmer {
 public:
  struct Deps {
    Runtime& runtime;
    Engine& engine;
    LogStore& log;
    raft::Core& core;
    const ReplicaOptions& options;
    const SnapshotSender& snapshots;
    std::function<void(Error)> fatal;
  };
  explicit LogTrimmer(Deps deps) : deps_(std::move(deps)) {}

  void applied(std::size_t bytes);
  // A snapshot replaced everything: what was learnt before is void.
  void reset() { ++generation_; }

 private:
  void trim();
  void trim_to(LogIndex persisted);
  LogIndex needed_by_followers(LogIndex target, const raft::Status& status) const;

  Deps deps_;
  std::size_t since_trim_ = 0;
  std::size_t since_flush_ = 0;
  bool running_ = false;
  std::uint64_t generation_ = 0;
  Lifetime lifetime_;
};

}  // namespace meridian
