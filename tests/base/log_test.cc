#include "base/log.h"

#include <gtest/gtest.h>

namespace meridian {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    set_log_level(LogLevel::kInfo);
    set_log_clock([] { return WallTime(1'764'000'000'000'007); });
    set_log_sink([this](const LogRecord& record) {
      text_.push_back(format_log_text(record));
      json_.push_back(format_log_json(record));
    });
  }
  ~LogTest() override {
    set_thread_log_context("", "");
    set_log_sink(nullptr);
    set_log_clock(nullptr);
    set_log_level(LogLevel::kWarning);
  }
  std::vector<std::string> text_, json_;
};

TEST_F(LogTest, WritesFieldsOfEveryType) {
  const std::string owned = "a b";
  LOG_INFO("election won", {{"term", Term(5)},
                            {"shard", 1},
                            {"ok", true},
                            {"rate", 0.5},
                            {"who", owned},
                            {"took", Duration(7)},
                            {"at", "x"},
                            {"why", Error(ErrorCode::kBusy, "full")}});
  ASSERT_EQ(text_.size(), 1u);
  EXPECT_EQ(text_[0], "election won term=5 shard=1 ok=true rate=0.5 who=\"a b\" took=7us at=x why=\"busy: full\"");
  EXPECT_TRUE(json_[0].starts_with(
      R"({"time":"2025-11-24T16:00:00.000007Z","level":"info","message":"election won","term":5,"shard":1,"ok":true,"rate":0.5,"who":"a b")"))
      << json_[0];
  EXPECT_NE(json_[0].find(R"("at":"base/log_test.cc:)"), std::string::npos) << json_[0];
}

TEST_F(LogTest, EscapesWhatWouldBreakALine) {
  LOG_WARNING("line\nbreak", {{"key", std::string_view("\0\xff\"\\", 4)}});
  EXPECT_EQ(json_.at(0).find('\n'), std::string::npos);
  EXPECT_NE(json_[0].find(R"("message":"line\nbreak","key":"\u0000\u00ff\"\\")"), std::string::npos) << json_[0];
  EXPECT_EQ(text_[0].substr(11), R"(key="\u0000\u00ff\"\\")");
}

TEST_F(LogTest, EvaluatesNothingBelowTheLevel) {
  int evaluated = 0;
  const auto costly = [&] { return ++evaluated; };
  LOG_DEBUG("silent", {{"n", costly()}});
  EXPECT_EQ(evaluated, 0);
  LOG_INFO("plain");
  LOG_ERROR("loud", {{"n", costly()}});
  EXPECT_EQ(evaluated, 1);
  EXPECT_EQ(text_, (std::vector<std::string>{"plain", "loud n=1"}));
}

TEST_F(LogTest, CarriesTheThreadsContext) {
  set_thread_log_context("node", "7401");
  LOG_INFO("hello", {{"x", 1}});
  EXPECT_EQ(text_.at(0), "hello node=7401 x=1");
}

TEST_F(LogTest, ParsesLevels) {
  EXPECT_EQ(parse_log_level("error"), LogLevel::kError);
  EXPECT_FALSE(parse_log_level("loud"));
}

}  // namespace
}  // namespace meridian
