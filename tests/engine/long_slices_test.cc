#include "server/rocks/long_slices.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include <gtest/gtest.h>
#include <rocksdb/listener.h>

#include "base/blocking_pool.h"

namespace meridian {
namespace {

// The first version of the kernel's struct sched_attr, as words: size and policy, flags, nice and priority, runtime, ...
using Attributes = std::array<std::uint64_t, 6>;

Attributes of_this_thread() {
  Attributes attributes{};
  EXPECT_EQ(::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0), 0);
  return attributes;
}

TEST(LongSlices, AreTakenByTheThreadThatFlushesOrCompacts) {
  const std::shared_ptr<rocksdb::EventListener> listener = make_long_slices();
  const std::function<void()> jobs[] = {[&] { listener->OnFlushBegin(nullptr, {}); },
                                        [&] { listener->OnCompactionBegin(nullptr, {}); }};
  for (const auto& job : jobs) {
    BlockingPool one_thread(1);
    one_thread.submit([&] {
      Attributes expected = of_this_thread();
      if (expected[3] != 0) expected[3] = 50'000'000;  // 0: a kernel that knows no length of turns
      job();
      EXPECT_EQ(of_this_thread(), expected) << "policy and priority stay";
    });
  }
}

}  // namespace
}  // namespace meridian
