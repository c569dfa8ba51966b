// What a replica is told about itself and its limits.
#pragma once

#include <string>

#include "base/types.h"
#include "shard/api/methods.h"

namespace meridian {

struct ReplicaOptions {
  ShardId shard;
  ReplicaId replica;
  NodeId node;
  std::string region;
  KeyspaceId keyspace{api::kDefaultKeyspaceId};

  Duration election_timeout{500'000};    // T; the same on all nodes
  Duration restart_silence{0};           // raft::Options; set by the node
  Duration heartbeat_interval{100'000};
  double clock_drift = 0.01;             // ρ
  Duration max_clock_offset{250'000};    // δ
  Duration request_window{600'000'000};  // how long ids are remembered (R1)
  std::size_t remembered_requests = 1 << 20;
  std::uint32_t priority = 0;            // for leadership; 0 is preferred
  std::uint64_t seed = 0;

  api::Limits limits;
  std::size_t max_queued_bytes = 64 << 20;       // requests that wait for evaluation, and unapplied log: kBusy beyond
  std::size_t max_append_bytes = 1 << 20;        // raft::Options
  std::size_t max_entry_bytes = 1 << 20;         // commands are grouped up to this
  std::size_t max_apply_bytes = 4 << 20;         // of one engine batch
  std::size_t trim_after_bytes = 8 << 20;        // how much is applied before the log is trimmed again
  std::size_t keep_log_bytes = 256 << 20;        // on disk for followers that lag, beyond what a restart needs
  std::size_t max_log_bytes = std::size_t{4} << 30;  // so much for one that is being brought up, with a snapshot or without
  std::size_t log_memory_bytes = 16 << 20;       // of applied entries in memory; older ones are read back
  std::size_t flush_after_bytes = 64 << 20;      // applied and not flushed: the engine is asked to
  std::size_t snapshot_chunk_bytes = 1 << 20;
  std::size_t version_cache_bytes = 64 << 20;    // version_cache.h
};

}  // namespace meridian
