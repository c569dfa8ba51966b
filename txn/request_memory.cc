#include "txn/request_memory.h"

#include <algorithm>

#include "base/check.h"

namespace meridian::txn {

RequestMemory::Lookup RequestMemory::find(const RequestId& id, std::uint64_t payload_hash) const {
  const Entry* entry = entries_.find(id);
  if (entry == nullptr) return Unknown{};
  if (entry->payload_hash != payload_hash) return OtherPayload{};
  if (entry->pending) return Pending{};
  return entry->outcome;
}

void RequestMemory::appended(const RequestId& id, std::uint64_t payload_hash) {
  const auto [entry, inserted] = entries_.try_emplace(id, Entry{payload_hash, true, {}});
  CHECK_F(inserted, "request {} is appended a second time", id.to_string());
}

void RequestMemory::applied(const RequestId& id, const WriteOutcome& outcome) {
  Entry* entry = entries_.find(id);
  CHECK_F(entry != nullptr && entry->pending, "request {} is applied without having been appended", id.to_string());
  entry->pending = false;
  entry->outcome = outcome;
  done_.push_back(id);
  evict();
}

void RequestMemory::learnt(const RequestId& id, std::uint64_t payload_hash, const WriteOutcome& outcome) {
  const auto [entry, inserted] = entries_.try_emplace(id, Entry{payload_hash, false, outcome});
  if (!inserted) return;
  done_.push_back(id);
  evict();
}

// Forgetting an id raises the mark below which ids are sought in the stored versions.
void RequestMemory::evict() {
  while (done_.size() > capacity_) {
    search_below_us_ = std::max(search_below_us_, done_.front().time_us);
    entries_.erase(done_.front());
    done_.pop_front();
  }
}

}  // namespace meridian::txn
