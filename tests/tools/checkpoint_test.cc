#include "tools/ctl/checkpoint.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian::ctl {
namespace {

using testing::HasSubstr;

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "checkpoint.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return directory_ / "state"; }
  void write(const std::string& text) { std::ofstream(path()) << text; }
  std::filesystem::path directory_;
};

TEST_F(CheckpointTest, IsNewWhereThereIsNoFile) {
  const auto loaded = load_checkpoint(path(), "import a");
  const Checkpoint* checkpoint = std::get_if<Checkpoint>(&loaded);
  ASSERT_NE(checkpoint, nullptr);
  EXPECT_EQ(checkpoint->offset, 0u);
  EXPECT_EQ(checkpoint->line, 1u);
  EXPECT_EQ(checkpoint->work, "import a");
}

TEST_F(CheckpointTest, ComesBackAsItWas) {
  Checkpoint saved;
  saved.work = "import \"a\"";
  saved.offset = UINT64_MAX;
  saved.line = 7;
  saved.records = 5;
  saved.skipped = 1;
  saved.timestamp = 1;
  saved.last_key = std::string("\0\xff", 2);
  saved.done = true;
  ASSERT_EQ(save_checkpoint(path(), saved), std::nullopt);
  ASSERT_EQ(save_checkpoint(path(), saved), std::nullopt);  // over the one before
  const auto loaded = load_checkpoint(path(), saved.work);
  const Checkpoint* checkpoint = std::get_if<Checkpoint>(&loaded);
  ASSERT_NE(checkpoint, nullptr) << std::get<std::string>(loaded);
  EXPECT_EQ(checkpoint->to_json(), saved.to_json());
  EXPECT_FALSE(std::filesystem::exists(path() + ".new"));
}

TEST_F(CheckpointTest, RefusesOtherWorkAndOtherFiles) {
  Checkpoint saved;
  saved.work = "import a --key id";
  ASSERT_EQ(save_checkpoint(path(), saved), std::nullopt);
  auto loaded = load_checkpoint(path(), "import a --key name");
  ASSERT_TRUE(std::holds_alternative<std::string>(loaded));
  EXPECT_THAT(std::get<std::string>(loaded), HasSubstr("--key id"));
  for (const char* other : {"", "{}", "[1]", "key,value\n", "{\"meridianctl_checkpoint\":2}",
                            "{\"meridianctl_checkpoint\":1,\"work\":\"import a --key id\",\"offset\":-1}"}) {
    write(other);
    loaded = load_checkpoint(path(), saved.work);
    ASSERT_TRUE(std::holds_alternative<std::string>(loaded)) << other;
    EXPECT_THAT(std::get<std::string>(loaded), HasSubstr("name another file"));
  }
}

TEST_F(CheckpointTest, SaysWhereItCannotBeWritten) {
  const auto wrong = save_checkpoint(directory_ / "none" / "state", Checkpoint());
  EXPECT_THAT(wrong.value_or(""), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace meridian::ctl
