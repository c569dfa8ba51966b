// Replicas that lag while the others go on writing (S4a).
#include <gtest/gtest.h>

#include "tests/stories/bed.h"

namespace meridian::stories {
namespace {

// Small chunks and a slow disk: a snapshot takes a second, in which the others flush and trim many times.
RunOptions busy_cluster(std::uint64_t seed) {
  RunOptions options = quiet_cluster(3, seed);
  options.trim_bytes = 1 << 10;
  options.keep_log_bytes = 2 << 10;  // and sixteen times that for one that is brought up
  options.flush_bytes = 2 << 10;
  options.segment_bytes = 16 << 10;
  options.chunk_bytes = 2 << 10;
  return options;
}

std::uint64_t hits(const Bed& bed, const std::string& probe) {
  const auto found = bed.faults.probes().find(probe);
  return found == bed.faults.probes().end() ? 0 : found->second;
}

// It votes with the others, and is not further behind than what is on its way.
bool is_level(const Bed& bed, int node) {
  const auto leader = bed.cluster.leader();
  if (!leader || !bed.cluster.node_up(node)) return false;
  const auto ahead = bed.cluster.raft_status(*leader), behind = bed.cluster.raft_status(node);
  return ahead && behind && behind->applied + 40 >= ahead->commit;
}

struct Outcome {
  bool level = false;
  std::uint64_t snapshots = 0;
};

// A follower that was away for so long that it needs a snapshot comes back, and writes go on all the time.
Outcome comes_back(std::uint64_t seed, const std::string& bug, std::int64_t within_us) {
  Bed bed(busy_cluster(seed), bug);
  const int away = bed.a_follower();
  bed.cluster.crash_node(away, false);
  Writers writers(bed, "steady", 3, 20'000);
  bed.world.run_for(20'000'000);
  bed.cluster.start_node(away);
  Outcome outcome;
  outcome.level = bed.run_until([&] { return is_level(bed, away); }, within_us);
  outcome.snapshots = hits(bed, "replica.snapshot_installed");
  writers.stop();
  EXPECT_TRUE(bed.run_until([&] { return writers.idle(); }));
  if (!outcome.level) return outcome;
  bed.expect_convergence();
  bed.expect_stored(writers.acknowledged());
  return outcome;
}

TEST(CatchingUp, AReplicaThatNeedsASnapshotNeedsOneAndNotOneAfterTheOther) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Outcome outcome = comes_back(seed, "", 60'000'000);
    EXPECT_TRUE(outcome.level) << "seed " << seed;
    EXPECT_GE(outcome.snapshots, 1u) << "seed " << seed << ": it was not away for long enough";
    EXPECT_LE(outcome.snapshots, 2u) << "seed " << seed;
  }
}

#ifdef MERIDIAN_DELIBERATE_BUGS
TEST(CatchingUp, WithoutTheLogKeptForItItNeverIsLevel) {
  int never = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) never += !comes_back(seed, "trim_at_flush", 60'000'000).level;
  EXPECT_GE(never, 1);
}
#endif

// One that was away for less than what is kept needs none at all: it is told from the log what is not in memory any
// more.
TEST(CatchingUp, AShortAbsenceIsMadeUpForFromTheLog) {
  Bed bed(busy_cluster(1));
  const int away = bed.a_follower();
  bed.cluster.crash_node(away, false);
  Writers writers(bed, "short", 2, 50'000);
  bed.world.run_for(1'000'000);
  bed.cluster.start_node(away);
  EXPECT_TRUE(bed.run_until([&] { return is_level(bed, away); }));
  EXPECT_EQ(hits(bed, "replica.snapshot_installed"), 0u);
  EXPECT_GE(hits(bed, "raft.stored_entries_needed"), 1u);
  writers.stop();
  EXPECT_TRUE(bed.run_until([&] { return writers.idle(); }));
  bed.expect_convergence();
  bed.expect_stored(writers.acknowledged());
}

// A follower whose disk has no room for a snapshot is asked first, and not again and again.
TEST(CatchingUp, NoSnapshotIsMadeForADiskThatHasNoRoom) {
  Bed bed(busy_cluster(2));
  const int away = bed.a_follower();
  bed.cluster.crash_node(away, false);
  Writers writers(bed, "full", 3, 20'000);
  bed.world.run_for(20'000'000);
  bed.cluster.fill_disk(away, true);
  bed.cluster.start_node(away);
  const std::uint64_t before = hits(bed, "snapshot.exported");
  bed.world.run_for(20'000'000);
  EXPECT_EQ(hits(bed, "snapshot.exported"), before);
  EXPECT_GE(hits(bed, "snapshot.pause_after_failure"), 2u);
  EXPECT_LE(hits(bed, "snapshot.pause_after_failure"), 20u);
  bed.cluster.fill_disk(away, false);
  EXPECT_TRUE(bed.run_until([&] { return is_level(bed, away); }, 90'000'000));
  writers.stop();
  EXPECT_TRUE(bed.run_until([&] { return writers.idle(); }));
  bed.expect_convergence();
  bed.expect_stored(writers.acknowledged());
}

}  // namespace
}  // namespace meridian::stories
