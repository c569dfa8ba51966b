// What only RocksEngine can get wrong, some of it on the machine's own disk.
#include "server/rocks/rocks_engine.h"

#include <filesystem>
#include <mutex>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include "base/keys.h"
#include "server/rocks/mvcc_prefix.h"
#include "tests/engine/file_system_env.h"
#include "tests/sim/sim_file.h"

namespace meridian {
namespace {

namespace fs = std::filesystem;

class RocksEngineOnDisk : public testing::Test {
 protected:
  RocksEngineOnDisk() : root_(fs::temp_directory_path() / ("meridian_rocks_" + std::to_string(getpid()))) {
    fs::create_directories(root_ / "export");
    fs::create_directories(root_ / "scratch");
    open();
  }
  ~RocksEngineOnDisk() override {
    engine_.reset();
    fs::remove_all(root_);
  }
  void open() {
    auto engine = open_rocks_engine({.path = root_ / "deep" / "db", .export_file_bytes = 64 << 10});
    ASSERT_TRUE(engine.has_value()) << engine.error().to_string();
    engine_ = *std::move(engine);
  }
  void put(const std::string& key, const std::string& value) {
    WriteBatch batch;
    batch.put(key, value);
    ASSERT_TRUE(engine_->write(batch, MayBlock::kYes).has_value());
  }
  void put_many(int from, int to, char value) {
    for (int i = from; i < to; ++i) put("key" + std::to_string(1000 + i), std::string(1000, value) + std::to_string(i));
  }
  int count(const KeyRange& range, char value) {
    int found = 0;
    const auto it = engine_->iterate(range, {});
    for (it->seek_to_first(); it->valid(); it->next()) found += it->value()[0] == value;
    EXPECT_TRUE(it->status().has_value());
    return found;
  }

  fs::path root_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(RocksEngineOnDisk, TransfersInManyTablesAndConsumesThem) {
  put_many(0, 300, 'a');
  const auto files = engine_->export_ranges({{"key", "kez"}}, *engine_->snapshot(), root_ / "export");
  ASSERT_TRUE(files.has_value()) << files.error().to_string();
  EXPECT_EQ(files->keys, 300u);
  put_many(100, 400, 'b');
  ASSERT_TRUE(engine_->flush().has_value());
  const auto ingested = engine_->ingest({{"key", "kez"}}, files->paths, {}, root_ / "scratch");
  ASSERT_TRUE(ingested.has_value()) << ingested.error().to_string();
  EXPECT_EQ(count({}, 'a'), 300);
  EXPECT_EQ(count({}, 'b'), 0);
  EXPECT_TRUE(fs::is_empty(root_ / "export"));
  EXPECT_TRUE(fs::is_empty(root_ / "scratch"));
  engine_.reset();
  open();
  EXPECT_EQ(count({}, 'a'), 300);
}

// Tables are linked into the database; a crash before the old name is removed leaves both.
TEST_F(RocksEngineOnDisk, ATableThatACrashLeftUnderItsOldNameIsNotWrittenOver) {
  put_many(0, 100, 'a');
  ASSERT_TRUE(engine_->flush().has_value());
  for (const auto& entry : fs::directory_iterator(root_ / "deep" / "db")) {
    if (entry.path().extension() == ".sst") fs::create_hard_link(entry.path(), root_ / "scratch" / "ingest-000000.sst");
  }
  ASSERT_TRUE(fs::exists(root_ / "scratch" / "ingest-000000.sst"));
  ASSERT_TRUE(engine_->ingest({{"x", "y"}}, {}, {{"x1", "new"}}, root_ / "scratch").has_value());
  engine_.reset();
  open();
  EXPECT_EQ(count({"key", "kez"}, 'a'), 100);
  EXPECT_EQ(*engine_->get("x1"), "new");
}

TEST_F(RocksEngineOnDisk, OneDirectoryIsOpenedOnce) {
  const auto second = open_rocks_engine({.path = root_ / "deep" / "db"});
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message().find("deep/db"), std::string::npos) << second.error().message();
}

TEST_F(RocksEngineOnDisk, SnapshotsAndIteratorsMayOutliveTheEngine) {
  put("k", "v");
  const auto snapshot = engine_->snapshot();
  const auto it = engine_->iterate({}, {.snapshot = snapshot.get()});
  engine_.reset();
  it->seek_to_first();
  ASSERT_TRUE(it->valid());
  EXPECT_EQ(it->value(), "v");
}

TEST_F(RocksEngineOnDisk, KeysAboveTheLastBoundAreRefused) {
  WriteBatch batch;
  batch.put(std::string(16, '\xff'), "v");
  const auto refused = engine_->write(batch, MayBlock::kYes);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
}

TEST(RocksEngine, WritesThatMustNotBlockAreRefusedInAStall) {
  std::mutex mutex;
  SimFileSystem disk([] { return std::uint64_t{1}; });
  ASSERT_TRUE(disk.create_directories("/disk").has_value());
  FileSystemEnv env(disk, mutex);
  auto engine = open_rocks_engine({.path = "/disk/db", .write_buffer_bytes = 64 << 10, .env = env.env()});
  ASSERT_TRUE(engine.has_value()) << engine.error().to_string();
  WriteBatch batch;
  batch.put("k", std::string(10 << 10, 'v'));
  {
    const std::lock_guard disk_hangs(mutex);
    Result<> written;
    for (int i = 0; i < 1000 && written.has_value(); ++i) written = (*engine)->write(batch, MayBlock::kNo);
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code(), ErrorCode::kWouldBlock) << written.error().to_string();
    EXPECT_TRUE((*engine)->get("k", {.may_block = MayBlock::kNo}).has_value());
  }
  EXPECT_TRUE((*engine)->write(batch, MayBlock::kYes).has_value());
}

TEST(MvccPrefix, EndsWithTheUserKey) {
  std::string key = "\x03";
  append_u32(key, 7);
  append_ordered(key, std::string("u\0k", 3));
  const std::string prefix = key;
  append_u64_inverted(key, 42);
  append_u16(key, 1);
  EXPECT_EQ(mvcc_prefix(key), prefix);
  EXPECT_EQ(mvcc_prefix(prefix), prefix);
  EXPECT_EQ(mvcc_prefix(prefix.substr(0, prefix.size() - 1)), "");
  EXPECT_EQ(mvcc_prefix("\x04" + key.substr(1)), "");
  EXPECT_EQ(mvcc_prefix(""), "");
  EXPECT_TRUE(within_one_mvcc_prefix(prefix, prefix_end(prefix)));
  EXPECT_TRUE(within_one_mvcc_prefix(key, prefix_end(prefix)));
  EXPECT_FALSE(within_one_mvcc_prefix(prefix, prefix_end(prefix) + '\0'));
  EXPECT_FALSE(within_one_mvcc_prefix(prefix, ""));
  EXPECT_FALSE(within_one_mvcc_prefix("\x03", "\x04"));
}

// What RocksDB requires of a prefix extractor.
RC_GTEST_PROP(MvccPrefix, IsAPrefixExtractor, ()) {
  const auto make = [] {
    return "\x03" + *rc::gen::container<std::string>(rc::gen::element('\x00', '\x01', 'a', '\xff')) + "\x01";
  };
  std::string a = make(), b = make();
  if (b < a) std::swap(a, b);
  const auto pa = mvcc_prefix(a), pb = mvcc_prefix(b);
  RC_ASSERT(a.starts_with(pa));
  RC_ASSERT(mvcc_prefix(pa) == pa);
  if (!pa.empty() && !pb.empty()) RC_ASSERT(pa <= pb);
}

}  // namespace
}  // namespace meridian
