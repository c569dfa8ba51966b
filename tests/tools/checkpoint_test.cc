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
  saved.cluster = "0000000000000abc";
  saved.digest = "00112233445566778899aabbccddeeff";
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
  for (const char* other : {"", "{}", "[1]", "key,value\n", "{\"meridianctl_checkpoint\":3}",
                            // Of a version that knew neither the cluster nor the file's content.
                            "{\"meridianctl_checkpoint\":1,\"work\":\"import a --key id\",\"offset\":1,\"line\":1,"
                            "\"records\":1,\"skipped\":0,\"timestamp\":0,\"last_key_base64\":\"\",\"done\":true}",
                            "{\"meridianctl_checkpoint\":2,\"work\":\"import a --key id\",\"offset\":-1}"}) {
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

TEST_F(CheckpointTest, APlaceThatCannotHoldItIsFoundOutBefore) {
  const auto wrong_with = [](const std::string& path) {
    const auto loaded = load_checkpoint(path, "import a");
    const auto* wrong = std::get_if<std::string>(&loaded);
    return wrong == nullptr ? "" : *wrong;
  };
  EXPECT_THAT(wrong_with(directory_), HasSubstr("Is a directory"));
  EXPECT_THAT(wrong_with(directory_ / "none" / "state"), HasSubstr("cannot be written: No such file or directory"));
  EXPECT_EQ(wrong_with(path()), "");
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

class ResumedFile : public CheckpointTest {
 protected:
  // A state after so many bytes of the file as it is now.
  Checkpoint after(std::uint64_t bytes, bool done) {
    PrefixDigest digest;
    EXPECT_EQ(digest.open(file()), std::nullopt);
    EXPECT_EQ(digest.extend(bytes), std::nullopt);
    Checkpoint checkpoint;
    checkpoint.offset = bytes;
    checkpoint.digest = digest.hex();
    checkpoint.done = done;
    return checkpoint;
  }
  std::string check(const Checkpoint& checkpoint) {
    PrefixDigest digest;
    EXPECT_EQ(digest.open(file()), std::nullopt);
    return check_file(checkpoint, digest, "state", "data").value_or("");
  }
  std::string file() const { return directory_ / "data"; }
  void put(const std::string& text) { std::ofstream(file(), std::ios::binary) << text; }
};

TEST_F(ResumedFile, IsTheOneWhoseFirstBytesAreDone) {
  const std::string text = std::string(600'000, 'x') + "0123456789";
  put(text);
  const Checkpoint half = after(600'005, false);
  EXPECT_EQ(check(half), "");
  put(text.substr(0, 600'005) + "corrected, and longer");  // what is not done may be mended
  EXPECT_EQ(check(half), "");
  put("y" + text.substr(1));
  EXPECT_THAT(check(half), testing::AllOf(HasSubstr("state of another file than data"), HasSubstr(half.digest)));
  put(text.substr(0, 600'004));
  EXPECT_THAT(check(half), HasSubstr("ends after 600004 bytes, before byte 600005"));
}

TEST_F(ResumedFile, ThatIsDoneHasNotGrown) {
  put("0123456789");
  const Checkpoint done = after(10, true);
  EXPECT_EQ(check(done), "");
  put("0123456789x");
  EXPECT_THAT(check(done), HasSubstr("had 10 bytes when all was done, and has 11"));
  put("012345678x");
  EXPECT_THAT(check(done), HasSubstr(done.digest));
}

TEST_F(ResumedFile, CanBeReadAgain) {
  PrefixDigest digest;
  EXPECT_THAT(digest.open("/dev/null").value_or(""), HasSubstr("no regular file"));
  EXPECT_THAT(PrefixDigest().open(file()).value_or(""), HasSubstr("No such file"));
}

TEST(CheckpointCluster, IsTheOneThatAnswers) {
  Checkpoint checkpoint;
  EXPECT_EQ(check_cluster(checkpoint, "state", "0000000000000abc", "here:1"), std::nullopt);
  checkpoint.cluster = "0000000000000abc";
  EXPECT_EQ(check_cluster(checkpoint, "state", "0000000000000abc", "here:1"), std::nullopt);
  EXPECT_THAT(check_cluster(checkpoint, "state", "0000000000000def", "here:1").value_or(""),
              testing::AllOf(HasSubstr("0000000000000abc"), HasSubstr("0000000000000def"), HasSubstr("here:1")));
}

}  // namespace
}  // namespace meridian::ctl
