// How the memory of a node (storage.memory) is divided. Each part bounds itself, so what they take together stays below
// the ceiling; what they leave of it is for the process itself: code, connections, the allocator's slack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/config.h"

namespace meridian::server {

// Two of the largest.
inline constexpr std::uint64_t kLeastAnswers = 8 << 20;

struct NodeMemory {
  std::uint64_t block_cache = 0;      // blocks, indexes and filters of tables
  std::uint64_t write_buffer = 0;     // each of kWriteBuffers
  std::uint64_t version_cache = 0;    // records read lately
  std::uint64_t queue = 0;            // requests that wait, and entries that are not applied; beyond it: busy
  std::uint64_t answers = 0;          // that their callers have not taken; beyond it: busy
  std::uint64_t unflushed_log = 0;    // on disk: entries that a restart would need, when the engine is asked to flush
  std::uint64_t recent_log = 0;       // applied entries at hand for followers; older ones are read back
  std::uint64_t remembered_ids = 0;   // of requests, at a leader

  static constexpr std::uint64_t kWriteBuffers = 3;
  static constexpr std::uint64_t kBytesPerRememberedId = 160;  // with its place in two tables

  std::size_t remembered_requests() const { return remembered_ids / kBytesPerRememberedId; }

  struct Part {
    std::string name;
    std::uint64_t bytes;
  };
  // Flushes begin earlier by up to a quarter, as if by lot (0 to 1). Replicas of a shard are written alike, so with equal
  // buffers they would all flush, and later compact, at the same moments; like this they seldom do.
  NodeMemory staggered(double lot) const;

  // What each may take at most.
  std::vector<Part> parts() const;
  std::uint64_t total() const;
};

// Settings of 0 get their share. kInvalidArgument: one is too small, or together they are more than storage.memory;
// every part is named.
Result<NodeMemory> divide_memory(const StorageConfig& storage, const LimitsConfig& limits);

}  // namespace meridian::server
