// A few threads for what blocks (fsync, cold reads, snapshots), shared by the runtimes of one process.
// Thread-safe. Works start in the order of submission and may run at the same time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/runtime.h"

namespace meridian {

class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads = 4, const char* name = "blocking");
  // Runs what was submitted, then joins.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  void submit(Callback work);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Callback> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace meridian
