// The newest applied version of keys that were read lately, so that what is asked for again and again is answered
// without a search through the engine's tables. Belongs to one replica, and lives on its loop.
//
// Invariant: what is held of a key is its newest version among all that is applied here. So whoever applies a version
// says so before anything else is read, and whoever replaces the data clears the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "base/lookup_map.h"
#include "txn/mvcc.h"

namespace meridian {

class VersionCache {
 public:
  // 0: holds nothing.
  explicit VersionCache(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  // Null: not held, or newer than `at`. Valid until the next call.
  const txn::VersionedValue* find(std::string_view key, Timestamp at);
  // Requires: the newest applied version of the key; found or not.
  void learn(std::string_view key, const txn::VersionedValue& newest);
  // A version was applied that is newer than any before. Of a key that nobody reads it is forgotten.
  void applied(std::string_view key, txn::VersionedValue&& newest);
  void clear();

  struct Stats {
    std::size_t bytes = 0;  // keys, values and what holding them takes
    std::uint64_t hits = 0, misses = 0;
  };
  const Stats& stats() const { return stats_; }

 private:
  struct Entry {
    std::string key;
    txn::VersionedValue newest;
    std::size_t bytes() const;
  };
  using Entries = std::list<Entry>;

  void remove(Entries::iterator entry);
  void shrink();

  const std::size_t capacity_bytes_;
  Entries entries_;  // the most recently read first
  LookupMap<std::string_view, Entries::iterator> by_key_;  // views of the entries' keys
  Stats stats_;
};

}  // namespace meridian
