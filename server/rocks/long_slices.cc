#include "server/rocks/long_slices.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <utility>

#include <rocksdb/listener.h>

namespace meridian {
namespace {

// The kernel's struct sched_attr in its first version; glibc 2.36 has none, and the kernel's header clashes with it.
struct SchedulerAttributes {
  std::uint32_t size = sizeof(SchedulerAttributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;  // of an ordinary thread: how long its turns are
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulerAttributes) == 48);

constexpr std::chrono::nanoseconds kSlice = std::chrono::milliseconds(50);  // the kernel takes 0.1 to 100 ms

// Of the calling thread, once; its policy and priority stay.
void take_long_slices() {
  thread_local bool asked = false;
  if (std::exchange(asked, true)) return;
  SchedulerAttributes attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  attributes.runtime_ns = static_cast<std::uint64_t>(kSlice.count());
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// RocksDB calls these on the thread that does the work.
class LongSlices final : public rocksdb::EventListener {
 public:
  void OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { take_long_slices(); }
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { take_long_slices(); }
};

}  // namespace

std::shared_ptr<rocksdb::EventListener> make_long_slices() { return std::make_shared<LongSlices>(); }

}  // namespace meridian
