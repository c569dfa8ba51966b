// Flushes and compactions take long turns on the processor. A thread's share of it stays the same, but the kernel
// lets whoever wakes up for a moment (the loops, the log) go first: a flush does not stand in the way of requests where
// processors are few, and is not starved where they never idle, as a lower priority would have it.
#pragma once

#include <memory>

namespace rocksdb {
class EventListener;
}

namespace meridian {

// Where the kernel knows no length of turns (Linux before 6.12), or forbids it, nothing changes.
std::shared_ptr<rocksdb::EventListener> make_long_slices();

}  // namespace meridian
