// Each rule of the log by itself; log_crash_test.cc has them all at once.
#include <unistd.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/posix_file.h"
#include "shard/log/format.h"
#include "shard/log/log_store.h"
#include "shard/log/recovery.h"
#include "tests/log/fake_runtime.h"
#include "tests/sim/sim_file.h"

namespace meridian {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr ShardId kShard(1);
constexpr ReplicaId kReplica(3);

raft::Entry make_entry(std::uint64_t index, std::uint64_t term, std::string data) {
  return {LogIndex(index), Term(term), raft::EntryType::kCommand, std::make_shared<const std::string>(std::move(data))};
}

class SegmentedLogTest : public testing::Test {
 protected:
  SegmentedLogTest() {
    options_.on_fatal = [this](const Error& error) { fatal_ = error.to_string(); };
    options_.on_full = [this](bool full) { full_.push_back(full); };
  }

  Result<> open() {
    store_.reset();
    runtime_ = std::make_unique<FakeRuntime>([this] { return rng_(); });
    ASSIGN_OR_RETURN(OpenedLog opened, open_segmented_log(*runtime_, *fs_, directory_, options_));
    store_ = std::move(opened.store);
    logs_ = std::move(opened.logs);
    return {};
  }
  void append(std::uint64_t index, std::string data, int* acknowledged = nullptr) {
    LogUpdate update{.shard = kShard, .replica = kReplica};
    update.entries.push_back(make_entry(index, 1, std::move(data)));
    store_->append({update}, [acknowledged] {
      if (acknowledged != nullptr) ++*acknowledged;
    });
  }
  std::string segment(std::uint64_t number) const { return directory_ + "/" + log_format::segment_name(number); }
  std::vector<std::string> retained() const {
    std::vector<std::string> data;
    for (const RecoveredLog& log : logs_) {
      for (const raft::Entry& entry : log.entries) data.push_back(*entry.data);
    }
    return data;
  }

  std::mt19937_64 rng_{1};
  std::unique_ptr<SimFileSystem> sim_ = std::make_unique<SimFileSystem>([this] { return rng_(); });
  FileSystem* fs_ = sim_.get();
  std::string directory_ = "node/log";
  LogOptions options_;
  std::unique_ptr<FakeRuntime> runtime_;
  std::unique_ptr<LogStore> store_;
  std::vector<RecoveredLog> logs_;
  std::string fatal_;
  std::vector<bool> full_;
};

TEST_F(SegmentedLogTest, AcknowledgesOnlyWhatIsSynced) {
  ASSERT_TRUE(open());
  int acknowledged = 0;
  append(1, "a", &acknowledged);
  runtime_->run_posted();
  EXPECT_EQ(acknowledged, 0);
  runtime_->settle();
  EXPECT_EQ(acknowledged, 1);
  sim_->crash();
  ASSERT_TRUE(open());
  EXPECT_THAT(retained(), ElementsAre("a"));
}

// What was acknowledged in it is gone, though all that is left is whole.
TEST_F(SegmentedLogTest, AMissingOrEmptiedNewestSegmentIsFoundOut) {
  options_.segment_bytes = 4096;
  for (const bool emptied : {false, true}) {
    ASSERT_TRUE(open());
    const std::uint64_t begin = retained().size() + 1;
    for (std::uint64_t i = 0; i < 12; ++i) {
      append(begin + i, std::string(1000, 'x'));
      runtime_->settle();
    }
    store_.reset();
    const std::string newest = scan_log(*fs_, directory_)->segments.back().path;
    const std::string kept = *read_file(*fs_, newest);
    if (emptied) {
      ASSERT_TRUE((*fs_->open(newest, FileSystem::Open::kExisting))->truncate(0));
    } else {
      ASSERT_TRUE(fs_->remove(newest));
    }
    EXPECT_EQ(open().error().code(), ErrorCode::kCorruption);
    ASSERT_TRUE(write_file_atomically(*fs_, newest, kept));
    EXPECT_TRUE(open());
  }
}

TEST_F(SegmentedLogTest, OneSyncServesAllThatWait) {
  ASSERT_TRUE(open());
  int acknowledged = 0;
  append(1, "first", &acknowledged);
  for (std::uint64_t i = 2; i <= 100; ++i) append(i, "more", &acknowledged);
  const std::uint64_t before = sim_->syncs();
  runtime_->settle();
  EXPECT_EQ(acknowledged, 100);
  EXPECT_EQ(sim_->syncs() - before, 2U);
  EXPECT_EQ(store_->stats().queue_bytes, 0U);
}

TEST_F(SegmentedLogTest, RecordsTheLastSyncAfter10MsAndThenRests) {
  ASSERT_TRUE(open());
  append(1, "a");
  runtime_->settle();
  EXPECT_EQ(scan_log(*fs_, directory_)->recorded, 0U);
  runtime_->advance(Duration(9'999));
  EXPECT_EQ(runtime_->works(), 0U);
  runtime_->advance(Duration(1));
  runtime_->settle();
  EXPECT_EQ(scan_log(*fs_, directory_)->recorded, 1U);
  EXPECT_EQ(runtime_->timers(), 0U);
  const std::uint64_t syncs = sim_->syncs();
  runtime_->advance(Duration(60'000'000));
  EXPECT_EQ(sim_->syncs(), syncs);
}

TEST_F(SegmentedLogTest, ACallWithNothingToWriteWaitsForWhatIsQueued) {
  ASSERT_TRUE(open());
  std::string order;
  store_->append({}, [&] { order += "a"; });
  EXPECT_EQ(order, "");
  runtime_->run_posted();
  append(1, "x");
  store_->append({}, [&] { order += "b"; });
  runtime_->run_posted();
  EXPECT_EQ(order, "a");
  runtime_->settle();
  EXPECT_EQ(order, "ab");
}

TEST_F(SegmentedLogTest, KeepsEverythingThatCoresNeed) {
  ASSERT_TRUE(open());
  LogUpdate first{.shard = kShard, .replica = kReplica};
  first.reset = LogBase{LogIndex(10), Term(2)};
  for (std::uint64_t i = 11; i <= 20; ++i) first.entries.push_back(make_entry(i, 3, fmt::format("{}", i)));
  store_->append({first}, nullptr);
  LogUpdate second{.shard = kShard, .replica = kReplica};
  second.truncate_from = LogIndex(15);
  second.entries = {make_entry(15, 4, "other")};
  second.hard_state = raft::HardState{Term(4), ReplicaId(9), LogIndex(12)};
  store_->append({second}, nullptr);
  store_->truncate_prefix(kShard, {LogIndex(13), Term(3)});
  runtime_->run_until_idle();
  ASSERT_TRUE(open());
  ASSERT_EQ(logs_.size(), 1U);
  EXPECT_EQ(logs_[0].replica, kReplica);
  EXPECT_EQ(logs_[0].base, (LogBase{LogIndex(13), Term(3)}));
  EXPECT_EQ(logs_[0].hard_state, second.hard_state);
  EXPECT_THAT(retained(), ElementsAre("14", "other"));
  EXPECT_TRUE(logs_[0].holds(LogIndex(13), Term(3)));
  EXPECT_TRUE(logs_[0].holds(LogIndex(15), Term(4)));
  EXPECT_FALSE(logs_[0].holds(LogIndex(15), Term(3)));
  EXPECT_FALSE(logs_[0].holds(LogIndex(12), Term(3)));
  EXPECT_FALSE(logs_[0].holds(LogIndex(16), Term(4)));
}

TEST_F(SegmentedLogTest, ARemovedReplicaNeverComesBack) {
  ASSERT_TRUE(open());
  append(1, "a");
  store_->remove(kShard, kReplica, kReplica.next(), nullptr);
  runtime_->settle();
  ASSERT_TRUE(open());
  EXPECT_TRUE(logs_.empty());
  EXPECT_EQ(store_->smallest_allowed(kShard), kReplica.next());
  EXPECT_DEATH(append(1, "a"), "smallest allowed is 4");
}

TEST_F(SegmentedLogTest, CutsATornTail) {
  ASSERT_TRUE(open());
  append(1, "a");
  runtime_->run_until_idle();
  ASSERT_TRUE((*fs_->open(segment(1), FileSystem::Open::kExisting))->append("half a batch"));
  ASSERT_TRUE(open());
  append(2, "b");
  runtime_->settle();
  ASSERT_TRUE(open());
  EXPECT_THAT(retained(), ElementsAre("a", "b"));
}

// A client may store the bytes of a log; inside a torn batch they must not pass for a later, whole one.
TEST_F(SegmentedLogTest, StoredBytesCannotPassForBatches) {
  ASSERT_TRUE(open());
  for (std::uint64_t i = 1; i <= 20; ++i) append(i, "filler"), runtime_->run_until_idle();
  std::mt19937_64 other_rng(2);
  SimFileSystem other([&] { return other_rng(); });
  FakeRuntime other_runtime([&] { return other_rng(); });
  auto forged = open_segmented_log(other_runtime, other, "x", LogOptions{});
  for (std::uint64_t i = 1; i <= 90; ++i) {
    LogUpdate update{.shard = kShard, .replica = kReplica};
    update.entries = {make_entry(i, 1, "forged")};
    forged->store->append({update}, nullptr);
    other_runtime.settle();
  }
  append(21, *read_file(other, "x/segment-0000000001.log"));
  runtime_->run_until_idle();
  auto file = *fs_->open(segment(1), FileSystem::Open::kExisting);
  ASSERT_TRUE(file->truncate(*file->size() - 40));  // the mark and the end of the batch
  ASSERT_TRUE(open());
  EXPECT_EQ(logs_[0].entries.size(), 20U);
}

TEST_F(SegmentedLogTest, DamageBelowTheMarkHaltsNamingFileAndOffset) {
  ASSERT_TRUE(open());
  append(1, "a");
  runtime_->run_until_idle();
  sim_->flip_bit(segment(1), log_format::kSegmentHeaderBytes + 40, 0);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kCorruption);
  EXPECT_THAT(opened.error().message(), AllOf(HasSubstr(segment(1)), HasSubstr("offset 48"), HasSubstr("replace")));
}

// A batch that was torn: somewhere in its bytes is what passes for a header, but says what can't be.
TEST_F(SegmentedLogTest, TornBytesThatLookLikeAHeaderDoNotHalt) {
  for (const auto& [sequence, synced] : {std::pair<std::uint64_t, std::uint64_t>{1U << 30, 1U << 29}, {3, 9}}) {
    directory_ = fmt::format("log-{}", sequence);
    ASSERT_TRUE(open());
    append(1, "a");
    runtime_->run_until_idle();
    const auto header = log_format::decode_segment_header(*read_file(*fs_, segment(1)));
    ASSERT_TRUE(header);
    std::string chance(log_format::kBatchHeaderBytes, '\0');
    log_format::seal_batch(chance, sequence, synced, header->salt);
    auto file = *fs_->open(segment(1), FileSystem::Open::kExisting);
    ASSERT_TRUE(file->append(std::string(100, 'x') + chance));
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().to_string();
    EXPECT_EQ(retained().size(), 1U);
  }
}

TEST_F(SegmentedLogTest, MissingAndRenumberedSegmentsHalt) {
  options_.segment_bytes = 300;
  ASSERT_TRUE(open());
  for (std::uint64_t i = 1; i <= 20; ++i) append(i, std::string(100, 'x')), runtime_->run_until_idle();
  ASSERT_GT(store_->stats().segments, 4U);
  ASSERT_TRUE(fs_->rename(segment(3), segment(3) + ".away"));
  EXPECT_THAT(open().error().message(), HasSubstr(segment(3) + " is missing"));
  ASSERT_TRUE(fs_->rename(segment(1), segment(3)));
  EXPECT_THAT(open().error().message(), HasSubstr("it is segment 1"));
  ASSERT_TRUE(fs_->rename(segment(3), segment(1)));
  ASSERT_TRUE(fs_->rename(segment(3) + ".away", segment(3)));
  ASSERT_TRUE(fs_->rename(segment(1), segment(1) + ".away"));
  EXPECT_THAT(open().error().message(), HasSubstr(segment(1) + " is missing"));
  ASSERT_TRUE(fs_->rename(segment(1) + ".away", segment(1)));
  ASSERT_TRUE(open());
  EXPECT_EQ(retained().size(), 20U);
}

TEST_F(SegmentedLogTest, ANodeThatHadALogDoesNotStartWithoutOne) {
  ASSERT_TRUE(open());
  options_.must_exist = true;
  EXPECT_TRUE(open());
  directory_ = "elsewhere/log";
  EXPECT_EQ(open().error().code(), ErrorCode::kCorruption);
}

TEST_F(SegmentedLogTest, ANewerFormatIsRefused) {
  ASSERT_TRUE(open());
  std::string bytes = read_file(*fs_, segment(1))->substr(0, 8);
  put_big_endian(bytes, std::uint32_t{2});
  put_big_endian(bytes, log_format::crc32c(bytes));
  ASSERT_TRUE(write_file_atomically(*fs_, segment(1), bytes));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(opened.error().message(), AllOf(HasSubstr(segment(1)), HasSubstr("version 2"), HasSubstr("version 1")));
}

TEST_F(SegmentedLogTest, AFailedSyncIsFatalAndNeverTriedAgain) {
  ASSERT_TRUE(open());
  int acknowledged = 0;
  append(1, "a", &acknowledged);
  sim_->fail_next_syncs(1);
  runtime_->run_until_idle();
  EXPECT_THAT(fatal_, HasSubstr("cannot sync"));
  append(2, "b", &acknowledged);
  runtime_->run_until_idle();
  EXPECT_EQ(acknowledged, 0);
}

TEST_F(SegmentedLogTest, AFullDiskWaitsForRoom) {
  options_.reserve_bytes = 0;
  ASSERT_TRUE(open());
  int acknowledged = 0;
  append(1, "a", &acknowledged);
  runtime_->settle();
  sim_->set_capacity(sim_->used_bytes() + 20);
  append(2, std::string(100, 'b'), &acknowledged);
  runtime_->settle();
  EXPECT_TRUE(store_->is_full());
  EXPECT_GT(store_->stats().queue_bytes, 100U);
  for (int i = 0; i < 3; ++i) runtime_->advance(Duration(1'000'000)), runtime_->settle();
  EXPECT_EQ(acknowledged, 1);
  sim_->set_capacity(std::nullopt);
  runtime_->advance(Duration(1'000'000));
  runtime_->settle();
  EXPECT_EQ(acknowledged, 2);
  EXPECT_THAT(full_, ElementsAre(true, false));
  ASSERT_TRUE(open());
  EXPECT_EQ(retained().size(), 2U);
  EXPECT_EQ(fatal_, "");
}

TEST_F(SegmentedLogTest, OpensOnAFullDisk) {
  ASSERT_TRUE(open());
  append(1, "a");
  runtime_->settle();
  sim_->set_capacity(sim_->used_bytes());
  ASSERT_TRUE(open());
  EXPECT_THAT(retained(), ElementsAre("a"));
}

// Two entries stay for good while thousands come and go: the old segments go, those two are moved along.
class BothFileSystems : public SegmentedLogTest, public testing::WithParamInterface<bool> {
 protected:
  BothFileSystems() {
    if (!GetParam()) return;
    fs_ = &posix_;
    directory_ = testing::TempDir() + fmt::format("meridian-log-test-{}", ::getpid());
  }
  ~BothFileSystems() override {
    store_.reset();
    EXPECT_TRUE(fs_->remove_all(directory_));
  }
  PosixFileSystem posix_;
};

TEST_P(BothFileSystems, RewritesTheFewLiveEntriesOfOldSegments) {
  options_.segment_bytes = 16 << 10;
  ASSERT_TRUE(open());
  LogUpdate cold{.shard = ShardId(7), .replica = ReplicaId(1)};
  cold.entries = {make_entry(1, 1, "cold one"), make_entry(2, 1, "cold two")};
  cold.hard_state = raft::HardState{Term(5), ReplicaId(1), LogIndex(2)};
  store_->append({cold}, nullptr);
  store_->remove(ShardId(8), ReplicaId(1), ReplicaId(2), nullptr);
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    append(i, std::string(100, 'h'));
    if (i % 50 == 0) store_->truncate_prefix(kShard, {LogIndex(i - 10), Term(1)});
    if (i % 10 == 0) runtime_->settle();
  }
  runtime_->run_until_idle();
  const LogStats stats = store_->stats();
  EXPECT_GT(stats.segments_removed, 10U);
  EXPECT_LT(stats.bytes_on_disk, 5 * options_.segment_bytes);
  EXPECT_EQ(fs_->list(directory_)->size(), stats.segments + 1);
  ASSERT_TRUE(open());
  ASSERT_EQ(logs_.size(), 2U);
  EXPECT_EQ(logs_[0].base.index, LogIndex(1990));
  EXPECT_EQ(logs_[0].entries.size(), 10U);
  EXPECT_EQ(logs_[1].hard_state, cold.hard_state);
  EXPECT_EQ(*logs_[1].entries[1].data, "cold two");
  EXPECT_EQ(store_->smallest_allowed(ShardId(8)), ReplicaId(2));
  EXPECT_EQ(store_->stats().bytes_live, stats.bytes_live);
}

INSTANTIATE_TEST_SUITE_P(Both, BothFileSystems, testing::Bool(),
                         [](const auto& which) { return which.param ? "Posix" : "Sim"; });

}  // namespace
}  // namespace meridian
