// What every FileSystem does, and what the simulated one loses.
#include <unistd.h>

#include <memory>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/posix_file.h"
#include "tests/sim/sim_file.h"

namespace meridian {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Open = FileSystem::Open;

class AnyFileSystem : public testing::TestWithParam<bool> {
 protected:
  AnyFileSystem() {
    if (GetParam()) {
      fs_ = std::make_unique<PosixFileSystem>();
      root_ = testing::TempDir() + fmt::format("meridian-file-test-{}", ::getpid());
    } else {
      fs_ = std::make_unique<SimFileSystem>([this] { return rng_(); });
      root_ = "sim";
    }
    EXPECT_TRUE(fs_->create_directories(root_ + "/a/b"));
  }
  ~AnyFileSystem() override { EXPECT_TRUE(fs_->remove_all(root_)); }

  std::mt19937_64 rng_{1};
  std::unique_ptr<FileSystem> fs_;
  std::string root_;
};

TEST_P(AnyFileSystem, ReservesRoomThatOthersSeeAsZerosAtMost) {
  const std::string path = root_ + "/a/reserved";
  auto file = *fs_->open(path, Open::kCreateNew);
  EXPECT_TRUE(file->append("one "));
  file->reserve(1000);
  EXPECT_EQ(*file->size(), 4U);
  EXPECT_TRUE(file->append("two"));
  EXPECT_TRUE(file->sync());
  file->reserve(5);
  EXPECT_EQ(*file->size(), 7U);
  EXPECT_EQ(*file->read(0, 7), "one two");
  const std::string seen = *read_file(*fs_, path);
  EXPECT_EQ(seen.substr(0, 7), "one two");
  EXPECT_EQ(seen.find_first_not_of('\0', 7), std::string::npos);
  EXPECT_TRUE(file->truncate(3));
  EXPECT_EQ(*read_file(*fs_, path), "one");
  EXPECT_TRUE(file->append("!"));
  EXPECT_EQ(*read_file(*fs_, path), "one!");
  EXPECT_TRUE(fs_->remove(path));
}

TEST_P(AnyFileSystem, AppendsReadsAndTruncates) {
  const std::string path = root_ + "/a/file";
  EXPECT_EQ(fs_->open(path, Open::kExisting).error().code(), ErrorCode::kNotFound);
  auto file = *fs_->open(path, Open::kCreateNew);
  EXPECT_EQ(fs_->open(path, Open::kCreateNew).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_TRUE(file->append("hello "));
  EXPECT_TRUE(file->append("world"));
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(*file->read(6, 100), "world");
  EXPECT_EQ(*file->read(100, 1), "");
  EXPECT_TRUE(file->truncate(5));
  EXPECT_TRUE(file->append("!"));
  EXPECT_EQ(*file->size(), 6U);
  file = *fs_->open(path, Open::kCreateOrOpen);
  EXPECT_EQ(*file->read(0, 100), "hello!");
  EXPECT_TRUE(file->append("?"));
  EXPECT_EQ(*read_file(*fs_, path), "hello!?");
}

TEST_P(AnyFileSystem, DirectoryOperations) {
  EXPECT_TRUE(fs_->create_directories(root_ + "/a/b"));
  for (const char* name : {"z", "y"}) EXPECT_TRUE(fs_->open(root_ + "/a/" + name, Open::kCreateNew));
  EXPECT_THAT(*fs_->list(root_ + "/a"), ElementsAre("b", "y", "z"));
  EXPECT_TRUE(fs_->rename(root_ + "/a/z", root_ + "/a/y"));
  EXPECT_THAT(*fs_->list(root_ + "/a"), ElementsAre("b", "y"));
  EXPECT_TRUE(fs_->sync_directory(root_ + "/a"));
  EXPECT_TRUE(*fs_->exists(root_ + "/a/y"));
  EXPECT_TRUE(fs_->remove(root_ + "/a/y"));
  EXPECT_FALSE(*fs_->exists(root_ + "/a/y"));
  EXPECT_EQ(fs_->remove(root_ + "/a/y").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(fs_->list(root_ + "/none").error().code(), ErrorCode::kNotFound);
}

TEST_P(AnyFileSystem, RemovesLargeFiles) {
  const std::string path = root_ + "/a/large";
  auto file = *fs_->open(path, Open::kCreateNew);
  EXPECT_TRUE(file->append(std::string(5'000'000, 'x')));
  EXPECT_TRUE(fs_->remove(path));
  EXPECT_FALSE(*fs_->exists(path));
}

TEST(PosixFileSystem, ALargeFileGoesInSteps) {
  PosixFileSystem fs;
  const std::string path = testing::TempDir() + fmt::format("meridian-file-steps-test-{}", ::getpid());
  auto file = *fs.open(path, Open::kCreateNew);
  ASSERT_TRUE(file->append(std::string(5'000'000, 'x')));
  EXPECT_TRUE(fs.remove(path));
  const std::string last = *file->read(0, 5'000'000);  // what had a name to the end
  EXPECT_GE(last.size(), FileSystem::kFrontBytes);
  EXPECT_LT(last.size(), 2U << 20);
}

TEST(PosixFileSystem, WhatHasASecondNameIsNotShortenedByTheRemovalOfTheFirst) {
  PosixFileSystem fs;
  const std::string root = testing::TempDir() + fmt::format("meridian-file-link-test-{}", ::getpid());
  ASSERT_TRUE(fs.create_directories(root));
  const std::string bytes(5'000'000, 'x');
  ASSERT_TRUE((*fs.open(root + "/one", Open::kCreateNew))->append(bytes));
  ASSERT_EQ(::link((root + "/one").c_str(), (root + "/two").c_str()), 0);
  EXPECT_TRUE(fs.remove(root + "/one"));
  EXPECT_EQ(*read_file(fs, root + "/two"), bytes);
  EXPECT_TRUE(fs.remove_all(root));
}

TEST(SimFileSystem, ARemovalThatACrashCutsShortLeavesAFront) {
  std::size_t gone = 0, front = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 rng(seed);
    SimFileSystem fs([&] { return rng(); });
    auto file = *fs.open("f", Open::kCreateNew);
    ASSERT_TRUE(file->append(std::string(2 * FileSystem::kFrontBytes, 'x')));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(fs.sync_directory("."));
    ASSERT_TRUE(fs.remove("f"));
    fs.crash();
    const std::uint64_t left = fs.file_size("f");
    if (left == 0) ++gone;
    if (left != 0) EXPECT_GE(left, FileSystem::kFrontBytes);
    if (left > FileSystem::kFrontBytes && left < 2 * FileSystem::kFrontBytes) ++front;
  }
  EXPECT_GT(gone, 0U);
  EXPECT_GT(front, 0U);
}

TEST_P(AnyFileSystem, ALockHasOneHolder) {
  auto lock = fs_->lock(root_ + "/LOCK");
  ASSERT_TRUE(lock);
  const auto second = fs_->lock(root_ + "/LOCK");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kFailedPrecondition);
  if (GetParam()) EXPECT_THAT(second.error().message(), HasSubstr(fmt::format("process {}", ::getpid())));
  lock->reset();
  EXPECT_TRUE(fs_->lock(root_ + "/LOCK"));
}

TEST_P(AnyFileSystem, WritesSmallFilesAtomically) {
  const std::string path = root_ + "/a/identity";
  EXPECT_TRUE(write_file_atomically(*fs_, path, "one"));
  EXPECT_TRUE(write_file_atomically(*fs_, path, "two"));
  EXPECT_EQ(*read_file(*fs_, path), "two");
  EXPECT_THAT(*fs_->list(root_ + "/a"), ElementsAre("b", "identity"));
}

INSTANTIATE_TEST_SUITE_P(Both, AnyFileSystem, testing::Bool(),
                         [](const auto& which) { return which.param ? "Posix" : "Sim"; });

TEST(ParentDirectory, OfPaths) {
  EXPECT_EQ(parent_directory("a/b/c"), "a/b");
  EXPECT_EQ(parent_directory("a/b/"), "a");
  EXPECT_EQ(parent_directory("c"), ".");
  EXPECT_EQ(parent_directory("/c"), "/");
  EXPECT_EQ(parent_directory("/"), "/");
}

TEST(PosixFileSystem, WhereNoDirectoryCanBeMadeItSaysSo) {
  PosixFileSystem fs;
  const auto made = fs.create_directories("/proc/meridian/log");
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("/proc/meridian"), std::string::npos) << made.error().to_string();
}

TEST(SimFileSystem, AnAtomicallyWrittenFileIsOldOrNewAfterAnyCrash) {
  bool was_old = false, was_new = false;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 rng(seed);
    SimFileSystem fs([&] { return rng(); });
    ASSERT_TRUE(fs.create_directories("d"));
    ASSERT_TRUE(write_file_atomically(fs, "d/f", "old"));
    fs.set_injector([left = seed % 7](auto, const std::string&) mutable -> std::optional<Error> {
      if (left == 0) return Error(ErrorCode::kIo, "power");
      --left;
      return std::nullopt;
    });
    const bool done = write_file_atomically(fs, "d/f", "new").has_value();
    fs.set_injector(nullptr);
    fs.crash();
    const std::string found = *read_file(fs, "d/f");
    ASSERT_TRUE(found == "new" || (found == "old" && !done)) << found;
    (found == "old" ? was_old : was_new) = true;
  }
  EXPECT_TRUE(was_old && was_new);
}

TEST(SimFileSystem, AFailedSyncIsNotHealedByTheNext) {
  std::mt19937_64 rng(1);
  SimFileSystem fs([&] { return rng(); });
  auto file = *fs.open("f", Open::kCreateNew);
  ASSERT_TRUE(fs.sync_directory("."));
  ASSERT_TRUE(file->append("one"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->append("two"));
  fs.fail_next_syncs(1);
  EXPECT_EQ(file->sync().error().code(), ErrorCode::kIo);
  EXPECT_TRUE(file->sync());
  fs.kill();
  EXPECT_EQ(*read_file(fs, "f"), "onetwo");  // the page cache has it
  fs.crash();
  EXPECT_EQ(*read_file(fs, "f"), std::string("one\0\0\0", 6));
  EXPECT_EQ(file->append("x").error().code(), ErrorCode::kIo);  // opened before the crash
}

TEST(SimFileSystem, AFullDiskTakesWhatFits) {
  SimFileSystem fs([] { return std::uint64_t{0}; });
  auto file = *fs.open("f", Open::kCreateNew);
  fs.set_capacity(4);
  EXPECT_EQ(file->append("123456").error().code(), ErrorCode::kDiskFull);
  EXPECT_EQ(*file->size(), 4U);
  EXPECT_EQ(fs.open("g", Open::kCreateNew).error().code(), ErrorCode::kDiskFull);
}

}  // namespace
}  // namespace meridian
