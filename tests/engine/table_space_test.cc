// A disk that fills up in a compaction that leaves nothing: two tables of nothing but range deletions, which end at
// the last level. RocksDB 7.8 makes a table, throws it away for having no key, and aborts if it could not write it.
#include "server/rocks/table_space.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

namespace meridian {
namespace {

namespace fs = std::filesystem;

// The machine's disk, full when the test says so; what was reserved before that can still be written.
class FillingUp final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "meridian.FillingUp"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* context) override {
    auto status = FileSystemWrapper::NewWritableFile(path, options, out, context);
    if (status.ok() && path.ends_with(".sst")) *out = std::make_unique<Table>(*this, std::move(*out));
    return status;
  }

  bool full = false;
  bool fills_up_at_next_write = false;

 private:
  class Table final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    Table(FillingUp& disk, std::unique_ptr<rocksdb::FSWritableFile> file)
        : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}
    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
      if (disk_.fills_up_at_next_write) disk_.full = true;
      written_ += data.size();
      if (disk_.full && written_ > reserved_) return rocksdb::IOStatus::NoSpace("the disk is full");
      return FSWritableFileOwnerWrapper::Append(data, options, context);
    }
    rocksdb::IOStatus Allocate(std::uint64_t offset, std::uint64_t size, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override {
      if (disk_.full) return rocksdb::IOStatus::NoSpace("the disk is full");
      reserved_ = offset + size;
      return FSWritableFileOwnerWrapper::Allocate(offset, size, options, context);
    }

   private:
    FillingUp& disk_;
    std::uint64_t written_ = 0, reserved_ = 0;
  };
};

class TableSpace : public testing::Test {
 protected:
  TableSpace()
      : root_(fs::temp_directory_path() / ("meridian_table_space_" + std::to_string(getpid()))),
        disk_(std::make_shared<FillingUp>(rocksdb::FileSystem::Default())),
        env_(rocksdb::NewCompositeEnv(with_table_space(disk_))) {
    rocksdb::Options options;
    options.env = env_.get();
    options.create_if_missing = true;
    options.disable_auto_compactions = true;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, root_, &db);
    EXPECT_TRUE(status.ok()) << status.ToString();
    db_.reset(db);
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(db_->DeleteRange(unlogged, db_->DefaultColumnFamily(), "a", "b").ok());
      EXPECT_TRUE(db_->Flush({}).ok());
    }
    EXPECT_EQ(tables(), 2);
  }
  ~TableSpace() override {
    db_.reset();
    fs::remove_all(root_);
  }

  rocksdb::Status compact() { return db_->CompactRange({}, nullptr, nullptr); }
  int tables() const {
    int found = 0;
    for (const auto& entry : fs::directory_iterator(root_)) found += entry.path().extension() == ".sst";
    return found;
  }

  const fs::path root_;
  const std::shared_ptr<FillingUp> disk_;
  const std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
};

TEST_F(TableSpace, ADiskThatFillsUpWithinATableWithoutKeysStopsNothing) {
  disk_->fills_up_at_next_write = true;
  const auto status = compact();
  EXPECT_TRUE(status.ok() || status.IsNoSpace()) << status.ToString();  // the manifest may find no space
  EXPECT_TRUE(disk_->full);
}

TEST_F(TableSpace, AFullDiskRefusesATableBeforeItBegins) {
  disk_->full = true;
  const auto status = compact();
  EXPECT_TRUE(status.IsNoSpace()) << status.ToString();
  EXPECT_EQ(tables(), 2);
  disk_->full = false;
  ASSERT_TRUE(db_->Resume().ok());
  ASSERT_TRUE(compact().ok());
  EXPECT_EQ(db_->GetLatestSequenceNumber(), 2u);
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  EXPECT_TRUE(files.empty());
}

}  // namespace
}  // namespace meridian
