// What RocksDB makes of the environment that stands in for the machine in the other tests.
#include "tests/engine/file_system_env.h"

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/file_system.h>

#include "tests/sim/sim_file.h"

namespace meridian {
namespace {

// Does something just after a file for a table was made.
class AfterATableIsMade final : public rocksdb::FileSystemWrapper {
 public:
  AfterATableIsMade(rocksdb::Env& env, std::function<void()> then)
      : FileSystemWrapper(env.GetFileSystem()), then_(std::move(then)) {}
  const char* Name() const override { return "meridian.AfterATableIsMade"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* context) override {
    auto status = FileSystemWrapper::NewWritableFile(path, options, out, context);
    if (path.ends_with(".sst")) then_();
    return status;
  }

 private:
  std::function<void()> then_;
};

std::unique_ptr<rocksdb::DB> open(rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.disable_auto_compactions = true;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, "/disk/db", &db);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return std::unique_ptr<rocksdb::DB>(db);
}

std::size_t tables_of(rocksdb::DB& db) {
  std::vector<rocksdb::LiveFileMetaData> files;
  db.GetLiveFilesMetaData(&files);
  return files.size();
}

// Two tables of nothing but range deletions, which end at the last level: RocksDB 7.8 aborts when it made the
// table that it would throw away for having no key, and then can't write it.
TEST(FileSystemEnv, ACompactionThatLeavesNothingGoesOnWithoutPower) {
  std::mutex mutex;
  SimFileSystem disk([] { return std::uint64_t{1}; });
  ASSERT_TRUE(disk.create_directories("/disk").has_value());
  {
    FileSystemEnv env(disk, mutex);
    bool compacts = false;
    const auto cutting = rocksdb::NewCompositeEnv(std::make_shared<AfterATableIsMade>(*env.env(), [&] {
      if (compacts) env.cut();
    }));
    const auto db = open(cutting.get());
    ASSERT_NE(db, nullptr);
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(db->DeleteRange(unlogged, db->DefaultColumnFamily(), "a", "b").ok());
      ASSERT_TRUE(db->Flush({}).ok());
    }
    compacts = true;
    db->CompactRange({}, nullptr, nullptr).PermitUncheckedError();  // what it says is heard by nobody
  }
  disk.crash();

  FileSystemEnv env(disk, mutex);
  const auto db = open(env.env());
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(tables_of(*db), 2u) << "what was done without power reached the disk";
  ASSERT_TRUE(db->CompactRange({}, nullptr, nullptr).ok());
  EXPECT_EQ(tables_of(*db), 0u);
}

}  // namespace
}  // namespace meridian
