// Faults of disks: full ones, failed fsyncs, flipped bits.
#include <fmt/format.h>

#include "shard/log/recovery.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/sim_file.h"

namespace meridian::sim {

namespace {
constexpr double kPowerAfterFailedSync = 0.3;
constexpr std::int64_t kRetryUs = 100'000;
const std::string kLogDirectory = "/data/log";
}  // namespace

std::optional<int> Nemesis::snapshot_receiver() const {
  const std::optional<int> leader = cluster_.leader();
  if (!leader) return std::nullopt;
  for (const raft::FollowerStatus& follower : cluster_.raft_status(*leader)->followers) {
    for (int i = 0; follower.snapshotting && i < cluster_.nodes(); ++i) {
      if (const auto status = cluster_.raft_status(i); status && status->id == follower.id) return i;
    }
  }
  return std::nullopt;
}

bool Nemesis::fill_disk() {
  // Most of all where a snapshot is on its way to.
  const std::optional<int> receiver = rng_.chance(0.5) ? snapshot_receiver() : std::nullopt;
  const int i = receiver ? *receiver : draw_node();
  world_.note(fmt::format("fault: the disk of node {} fills up", i));
  cluster_.fill_disk(i, true);
  later(draw_us(options_.slow_us), [this, i] {
    world_.note(fmt::format("there is room again on the disk of node {}", i));
    cluster_.fill_disk(i, false);
    // It may have had no room to start. Who waits for another reason is started by whoever waits.
    if (cluster_.halted(i) && damaged_ != i && !cluster_.death_expected(i)) cluster_.start_node(i);
  });
  return true;
}

// The process must end, and what it never had on disk must not count when it comes back: the page cache still shows it.
bool Nemesis::fail_sync() {
  const int i = draw_node();
  if (!cluster_.node_up(i) || cluster_.halted(i)) return false;
  world_.note(fmt::format("fault: the next fsync of node {} fails", i));
  cluster_.expect_death(i, true);
  cluster_.files(i).fail_next_syncs(1);
  const bool power_too = rng_.chance(kPowerAfterFailedSync);
  later(draw_us(options_.down_us), [this, i, power_too] {
    cluster_.files(i).fail_next_syncs(0);
    start_after_failed_sync(i, power_too);
  });
  return true;
}

// As docs/operations.md says: not before there is room. Without room for a copy of the log's tail a start can't tell
// what the disk has of it, and the next power loss would show that something is missing.
void Nemesis::start_after_failed_sync(int i, bool power_too) {
  if (damaged_ == i) return;  // it may not come back at all
  if (cluster_.halted(i) && cluster_.disk_is_full(i)) {
    return later(kRetryUs, [this, i, power_too] { start_after_failed_sync(i, power_too); });
  }
  cluster_.expect_death(i, false);
  if (!cluster_.halted(i)) return;  // nothing was synced meanwhile
  if (power_too) cluster_.files(i).crash();
  world_.note(fmt::format("node {} starts after a failed fsync{}", i, power_too ? " and a power loss" : ""));
  cluster_.start_node(i);
}

// Below what the log knows to be synced: the node must notice when it starts, and say so rather than go on without.
// It has lost its disk then, and is replaced.
bool Nemesis::flip_bit() {
  const int i = draw_node();
  if (busy_with_members() || cluster_.free_nodes().empty() || !cluster_.node_up(i)) return false;
  cluster_.crash_node(i, rng_.chance(0.5));
  SimFileSystem& files = cluster_.files(i);
  const Result<LogRecovery> log = scan_log(files, kLogDirectory);
  std::vector<const RecoveredSegment*> segments;
  if (log) {
    for (const RecoveredSegment& segment : log->segments) {
      if (segment.marked_bytes > 0) segments.push_back(&segment);
    }
  }
  std::string where = "nothing";
  if (!segments.empty()) {
    const RecoveredSegment& segment = *segments[rng_.below(segments.size())];
    const std::uint64_t offset = rng_.below(segment.marked_bytes);
    files.flip_bit(segment.path, offset, static_cast<int>(rng_.below(8)));
    where = fmt::format("{} at {}", segment.path, offset);
    cluster_.expect_death(i, true);
    damaged_ = i;
  }
  world_.note(fmt::format("fault: node {} crashes, and a bit flips in {}", i, where));
  later(draw_us(options_.down_us), [this, i] {
    cluster_.start_node(i);
    cluster_.expect_death(i, false);
    if (damaged_ != i) return;
    if (cluster_.halted(i)) return world_.note(fmt::format("node {} refuses to start", i));
    damaged_.reset();
    not_noticed_ = fmt::format("node {} started although a bit of its synced log had flipped", i);
  });
  return true;
}

}  // namespace meridian::sim
