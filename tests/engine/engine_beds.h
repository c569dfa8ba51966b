// What the conformance suite runs an engine on: a simulated disk that can lose its power.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/engine.h"
#include "tests/sim/sim_file.h"

namespace meridian {

enum class EngineKind { kMem, kRocks };

std::string to_string(EngineKind kind);

class EngineBed {
 public:
  virtual ~EngineBed() = default;
  virtual Engine& engine() = 0;
  // Power loss and restart. Snapshots and iterators must be gone.
  virtual void crash() = 0;
  // A clean end and a restart.
  virtual void restart() = 0;
  // From now on writes and flushes fail, sooner or later, with kDiskFull.
  virtual void set_disk_full(bool full) = 0;
  // For the exports of this engine.
  virtual std::string new_directory() = 0;
  // Damages a file.
  virtual void flip_bit(const std::string& path, std::uint64_t offset) = 0;
  // What the block cache holds is dropped, where there is one.
  virtual void drop_cache() = 0;
};

std::unique_ptr<EngineBed> make_bed(EngineKind kind, std::uint64_t seed);

}  // namespace meridian
