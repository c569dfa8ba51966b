// A block cache that tells each thread how often it missed.
//
// RocksDB's iterators with kBlockCacheTier lose, in 7.8, the status of a level whose block was not in the cache
// when a range deletion makes them seek again (facebook/rocksdb#11786): they then go on without that
// level, and answer wrongly. An iterator that must not block therefore trusts nothing that was found
// while its thread missed a block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace rocksdb {
class Cache;
}

namespace meridian {

// An LRU cache with a pool of higher priority for index and filter blocks.
std::shared_ptr<rocksdb::Cache> make_counting_cache(std::size_t capacity_bytes);

// Misses of this thread in all such caches, ever.
std::uint64_t cache_misses_of_this_thread();

}  // namespace meridian
