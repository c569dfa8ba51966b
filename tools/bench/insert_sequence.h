// Numbers the keys that a load inserts, and knows up to which all of them are there. Thread-safe; shared by the
// workers.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>

namespace meridian::bench {

class InsertSequence {
 public:
  // Keys 0 to first - 1 are there already.
  explicit InsertSequence(std::uint64_t first) : next_(first), present_(first) {}

  // The number of a new key.
  std::uint64_t begin() {
    std::lock_guard lock(mutex_);
    return next_++;
  }
  // It was written, or will not be: one lost insert must not stop `present` for good.
  void end(std::uint64_t number) {
    std::lock_guard lock(mutex_);
    ended_.insert(number);
    while (!ended_.empty() && *ended_.begin() == present_) {
      ended_.erase(ended_.begin());
      ++present_;
    }
  }
  // Every key below was inserted (or given up). Keys above may be there too.
  std::uint64_t present() const {
    std::lock_guard lock(mutex_);
    return present_;
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t next_;
  std::uint64_t present_;
  std::set<std::uint64_t> ended_;  // above present_
};

}  // namespace meridian::bench
