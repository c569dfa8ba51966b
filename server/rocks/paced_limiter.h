// RocksDB's rate limiter of one database: flushes and compactions together are held to a bound, and compactions besides to
// their pace (compaction_pace.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace rocksdb {
class EventListener;
class RateLimiter;
}  // namespace rocksdb

namespace meridian {

struct PacedLimiter {
  std::shared_ptr<rocksdb::RateLimiter> limiter;
  // Has to listen to the database that the limiter limits.
  std::shared_ptr<rocksdb::EventListener> listener;
};

// written: counts the bytes that are written to the database. file_bytes: of a file of level 0.
PacedLimiter make_paced_limiter(std::uint64_t bound_bytes_per_s, std::uint64_t file_bytes,
                                std::shared_ptr<const std::atomic<std::uint64_t>> written);

}  // namespace meridian
