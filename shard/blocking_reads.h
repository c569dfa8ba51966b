// Reads that may wait for the disk, so many at a time. What each has read stays in memory until the loop has encoded
// it, and a pool that reads faster than the loop encodes would fill the memory with it. The others wait in order; one
// whose deadline passes meanwhile is not begun. On the shard's loop.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>

#include "base/lifetime.h"
#include "base/runtime.h"

namespace meridian {

class BlockingReads {
 public:
  // Enough to keep the pool's threads busy while the loop takes what they have read.
  static constexpr std::size_t kAtOnce = 8;

  struct Read {
    MonoTime deadline;
    Callback work;                                 // on the pool
    std::move_only_function<void(bool ran)> done;  // on the loop; false: its deadline passed before
  };

  explicit BlockingReads(Runtime& runtime) : runtime_(runtime) {}

  void run(Read read) {
    waiting_.push_back(std::move(read));
    begin_next();
  }

 private:
  void begin_next() {
    while (under_way_ < kAtOnce && !waiting_.empty()) {
      Read read = std::move(waiting_.front());
      waiting_.pop_front();
      if (read.deadline <= runtime_.now()) {
        read.done(false);
        continue;
      }
      ++under_way_;
      runtime_.run_blocking(Lane::kRead, std::move(read.work),
                            [this, alive = lifetime_.token(), done = std::move(read.done)]() mutable {
                              done(true);
                              if (alive.expired()) return;
                              --under_way_;
                              begin_next();
                            });
    }
  }

  Runtime& runtime_;
  std::deque<Read> waiting_;
  std::size_t under_way_ = 0;
  Lifetime lifetime_;
};

}  // namespace meridian
