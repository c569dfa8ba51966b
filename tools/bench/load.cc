#include "tools/bench/load.h"

#include <algorithm>
#include <utility>

#include "tools/bench/run.h"

namespace meridian::bench {

void Running::begin() {
  std::lock_guard lock(mutex_);
  ++count_;
}

void Running::end() {
  std::lock_guard lock(mutex_);
  if (--count_ == 0) changed_.notify_all();
}

std::uint64_t Running::count() const {
  std::lock_guard lock(mutex_);
  return count_;
}

void Running::wait_for_all() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return count_ == 0; });
}

std::chrono::milliseconds wait_after(const sdk::Error& error) {
  return std::max(error.retry_after(), std::chrono::milliseconds(10));
}

LoadResult run_load(const std::vector<sdk::Client>& connections, const LoadOptions& options) {
  Timer timer;
  // Everything that takes its time is made before the clock starts.
  auto run = std::make_shared<Run>(options, timer);
  run->start(std::chrono::steady_clock::now());
  if (options.open_loop) {
    run_open(connections, run);
  } else {
    run_closed(connections, run);
  }
  run->running.wait_for_all();
  return run->recorder->finish(run->end, std::chrono::steady_clock::now());
}

}  // namespace meridian::bench
