#include "server/rocks/paced_limiter.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/rate_limiter.h>
#include <unistd.h>

namespace meridian {
namespace {

namespace fs = std::filesystem;

class PacedLimiterTest : public testing::Test {
 protected:
  PacedLimiterTest() : root_(fs::temp_directory_path() / ("meridian_paced_" + std::to_string(getpid()))) {
    fs::create_directories(root_);
  }
  ~PacedLimiterTest() override { fs::remove_all(root_); }

  fs::path root_;
};

// What tells the one from the other is RocksDB's own choice of priorities.
TEST_F(PacedLimiterTest, KnowsCompactionsFromFlushes) {
  const auto written = std::make_shared<std::atomic<std::uint64_t>>(0);
  const PacedLimiter paced = make_paced_limiter(1 << 30, 1 << 20, written);
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.rate_limiter = paced.limiter;
  options.listeners = {paced.listener};
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, root_, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  const auto through = [&](rocksdb::Env::IOPriority priority) { return paced.limiter->GetTotalBytesThrough(priority); };
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(db->Put({}, "key" + std::to_string(i), std::string(10'000, 'a')).ok());
    ASSERT_TRUE(db->Flush({}).ok());
    EXPECT_GT(through(rocksdb::Env::IO_HIGH), 1'000'000 * (round + 1));
  }
  EXPECT_EQ(through(rocksdb::Env::IO_LOW), 0);
  ASSERT_TRUE(db->CompactRange({}, nullptr, nullptr).ok());
  EXPECT_GT(through(rocksdb::Env::IO_LOW), 900'000);
  EXPECT_LT(through(rocksdb::Env::IO_HIGH), 2'100'000);
}

}  // namespace
}  // namespace meridian
