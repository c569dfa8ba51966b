// Where a simulated machine's node keeps its data: MemEngine, or the RocksEngine of production on the machine's
// simulated disk. It belongs to the machine; each incarnation of the node opens it and closes it.
#pragma once

#include <memory>
#include <string_view>

#include "base/engine.h"
#include "tests/sim/sim_random.h"

namespace meridian {
class SimFileSystem;
}

namespace meridian::sim {

enum class StoreKind { kMem, kRocks };
std::string_view to_string(StoreKind kind);

class SimStore {
 public:
  virtual ~SimStore() = default;
  // Requires: closed. kDiskFull, kIo, kCorruption.
  virtual Result<> open() = 0;
  // Requires: open.
  virtual Engine& engine() = 0;
  // The process ends, and what it had not flushed may be gone. Nothing of the node is left, and what happens to the
  // files happens after this. Closed already: nothing.
  virtual void close() = 0;
  virtual void set_disk_full(bool full) = 0;
  // Everything is gone. Requires: closed.
  virtual void wipe() = 0;
};

// Of the contents of the range: equal contents, equal hash, on every machine.
std::uint64_t hash_contents(Engine& engine, const KeyRange& range);

// fs outlives it. rng draws what a crash loses, and when an engine flushes by itself.
std::unique_ptr<SimStore> make_store(StoreKind kind, SimFileSystem& fs, Rng rng);

}  // namespace meridian::sim
