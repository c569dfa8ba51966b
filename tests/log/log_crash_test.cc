// Thousands of random lives of a log (log_model.h), and the proof that they would find a broken one.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/fault.h"
#include "tests/log/log_model.h"

namespace meridian {
namespace {

class Hooks final : public FaultHooks {
 public:
  explicit Hooks(std::string bug = {}) : bug_(std::move(bug)) { g_fault_hooks = this; }
  ~Hooks() override { g_fault_hooks = nullptr; }
  bool buggify(std::string_view point) override { return point == "log.rewrite_eagerly" && ++asked_ % 4 == 0; }
  void begin() { asked_ = 0; }  // so that a seed stands for itself
  void failpoint(std::string_view) override {}
  void probe(std::string_view point) override { probes_.emplace(point); }
  bool deliberate_bug(std::string_view name) override { return name == bug_; }
  const std::set<std::string, std::less<>>& probes() const { return probes_; }

 private:
  const std::string bug_;
  std::uint64_t asked_ = 0;
  std::set<std::string, std::less<>> probes_;
};

constexpr std::uint64_t kSeeds = 400;
constexpr int kIncarnations = 12;

TEST(LogCrash, EveryRestartFindsWhatWasAcknowledgedAndNothingThatWasNotAskedFor) {
  Hooks hooks;
  std::uint64_t acknowledged = 0, removed = 0, behind = 0, flips = 0, read = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    hooks.begin();
    LogLife life(seed);
    const auto failure = life.live(kIncarnations);
    ASSERT_FALSE(failure) << "seed " << seed << ": " << *failure;
    acknowledged += life.acknowledged_in_all();
    removed += life.segments_removed();
    behind += life.restarts_behind();
    flips += life.flips_found();
    read += life.entries_read_back();
  }
  // It happened, all of it.
  EXPECT_GT(acknowledged, 10'000U);
  EXPECT_GT(removed, 1'000U);
  EXPECT_GT(behind, 500U);
  EXPECT_GT(flips, 500U);
  EXPECT_GT(read, 10'000U);
  for (const char* probe : {"log.torn_tail_cut", "log.torn_segment_header", "log.disk_full", "log.segment_removed"}) {
    EXPECT_TRUE(hooks.probes().contains(probe)) << probe;
  }
  std::printf(
      "%lu acknowledged, %lu segments removed, %lu restarts lost unacknowledged calls, %lu flips found, %lu entries "
      "read back\n",
      acknowledged, removed, behind, flips, read);
}

#ifdef MERIDIAN_DELIBERATE_BUGS
TEST(LogCrash, AcknowledgingBeforeTheSyncIsCaught) {
  Hooks hooks("log_ack_before_fsync");
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    if (const auto failure = LogLife(seed).live(kIncarnations)) {
      std::printf("caught by seed %lu: %s\n", seed, failure->c_str());
      return;
    }
  }
  FAIL() << "no seed of 20 caught it";
}
#endif

}  // namespace
}  // namespace meridian
