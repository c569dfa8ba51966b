#include "shard/version_cache.h"

#include <utility>

#include "base/check.h"

namespace meridian {

namespace {
// An entry that takes more than this part of the cache would push out too much that is read as often.
constexpr std::size_t kLargestPart = 16;
// The list's node, the table's slot and the allocator's rounding, roughly.
constexpr std::size_t kEntryOverhead = 144;
}  // namespace

std::size_t VersionCache::Entry::bytes() const { return kEntryOverhead + key.size() + newest.value.size(); }

const txn::VersionedValue* VersionCache::find(std::string_view key, Timestamp at) {
  const Entries::iterator* found = by_key_.find(key);
  if (found == nullptr || (*found)->newest.version > at) {
    ++stats_.misses;
    return nullptr;
  }
  ++stats_.hits;
  entries_.splice(entries_.begin(), entries_, *found);
  return &(*found)->newest;
}

void VersionCache::learn(std::string_view key, const txn::VersionedValue& newest) {
  if (const Entries::iterator* found = by_key_.find(key); found != nullptr) {
    CHECK_F((*found)->newest.version == newest.version, "the newest version of a key is {} as cached, {} as stored",
            (*found)->newest.version, newest.version);
    return;
  }
  if ((kEntryOverhead + key.size() + newest.value.size()) * kLargestPart > capacity_bytes_) return;
  entries_.push_front({std::string(key), newest});
  by_key_.try_emplace(entries_.front().key, entries_.begin());
  stats_.bytes += entries_.front().bytes();
  shrink();
}

void VersionCache::applied(std::string_view key, txn::VersionedValue&& newest) {
  const Entries::iterator* found = by_key_.find(key);
  if (found == nullptr) return;
  Entry& entry = **found;
  CHECK_F(newest.version >= entry.newest.version, "version {} is applied after {}", newest.version, entry.newest.version);
  stats_.bytes -= entry.bytes();
  entry.newest = std::move(newest);
  stats_.bytes += entry.bytes();
  if (entry.bytes() * kLargestPart > capacity_bytes_) return remove(*found);
  shrink();
}

void VersionCache::clear() {
  by_key_.clear();
  entries_.clear();
  stats_.bytes = 0;
}

void VersionCache::remove(Entries::iterator entry) {
  stats_.bytes -= entry->bytes();
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

void VersionCache::shrink() {
  while (stats_.bytes > capacity_bytes_) remove(std::prev(entries_.end()));
}

}  // namespace meridian
