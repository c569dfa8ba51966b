#include "server/rocks/gradual_removal.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include <gtest/gtest.h>
#include <unistd.h>

namespace meridian {
namespace {

namespace fs = std::filesystem;

// Says how much of a file was left when it was removed.
class Watched final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "meridian.Watched"; }
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override {
    std::error_code missing;
    size_at_the_end = fs::file_size(path, missing);
    return FileSystemWrapper::DeleteFile(path, options, context);
  }

  std::uintmax_t size_at_the_end = 0;
};

class GradualRemoval : public testing::Test {
 protected:
  GradualRemoval() { fs::create_directories(root_); }
  ~GradualRemoval() override { fs::remove_all(root_); }

  std::string make(std::size_t bytes) {
    const std::string path = root_ / "table";
    std::ofstream(path) << std::string(bytes, 'x');
    return path;
  }

  const fs::path root_ = fs::temp_directory_path() / ("meridian_gradual_removal_" + std::to_string(getpid()));
  const std::shared_ptr<Watched> disk_ = std::make_shared<Watched>(rocksdb::FileSystem::Default());
  const std::shared_ptr<rocksdb::FileSystem> files_ = with_gradual_removal(disk_);
};

TEST_F(GradualRemoval, TakesLargeFilesFromTheirEnd) {
  const std::string path = make((4 << 20) + 5);
  EXPECT_TRUE(files_->DeleteFile(path, {}, nullptr).ok());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(disk_->size_at_the_end, (1 << 20) + 5U);
}

TEST_F(GradualRemoval, SmallFilesGoAtOnce) {
  EXPECT_TRUE(files_->DeleteFile(make(1 << 20), {}, nullptr).ok());
  EXPECT_EQ(disk_->size_at_the_end, 1U << 20);
}

TEST_F(GradualRemoval, AFileWithASecondNameStaysWholeUnderIt) {
  const std::string path = make(4 << 20), other = root_ / "other";
  fs::create_hard_link(path, other);
  EXPECT_TRUE(files_->DeleteFile(path, {}, nullptr).ok());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(fs::file_size(other), 4U << 20);
}

TEST_F(GradualRemoval, WhatIsNotThereIsSaid) {
  EXPECT_FALSE(files_->DeleteFile(root_ / "none", {}, nullptr).ok());
}

}  // namespace
}  // namespace meridian
