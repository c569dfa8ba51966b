#include "tools/bench/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian::bench {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

template <class T>
std::string message_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  if (result) return "";
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
  return result.error().message();
}

TEST(Parse, CountsStayInsideTheirLimitsAndErrorsNameThem) {
  EXPECT_EQ(parse_count("1", 1, 10), 1u);
  EXPECT_EQ(parse_count("10", 1, 10), 10u);
  for (const char* bad : {"0", "11", "-1", "", "3x", "1.5", "99999999999999999999"}) {
    EXPECT_THAT(message_of(parse_count(bad, 1, 10)), HasSubstr("from 1 to 10")) << bad;
  }
  EXPECT_THAT(message_of(parse_count("abc", 1, 10)), HasSubstr("'abc'"));
}

TEST(Parse, NumbersMayHaveFractionsButMustBeNumbers) {
  EXPECT_EQ(parse_number("0.5", 0, 1), 0.5);
  for (const char* bad : {"1.01", "nan", "inf", "-0.1", "", "0.5s"}) {
    EXPECT_THAT(message_of(parse_number(bad, 0, 1)), HasSubstr("from 0 to 1")) << bad;
  }
}

TEST(Parse, ListsNeedNumbersAndEachOnce) {
  EXPECT_EQ(parse_counts("64,256,1024", 0, 2'000), (std::vector<std::uint64_t>{64, 256, 1'024}));
  EXPECT_THAT(message_of(parse_counts("64,4096", 0, 2'000)), HasSubstr("'4096'"));
  EXPECT_THAT(message_of(parse_counts("64,64", 0, 2'000)), HasSubstr("64 stands twice"));
  EXPECT_THAT(message_of(parse_counts(",", 0, 2'000)), HasSubstr("no list"));
}

TEST(Parse, TimesHaveAUnitOrAreSeconds) {
  EXPECT_EQ(parse_time("500ms", milliseconds(1)), milliseconds(500));
  EXPECT_EQ(parse_time("10s", milliseconds(1)), milliseconds(10'000));
  EXPECT_EQ(parse_time("1.5", milliseconds(1)), milliseconds(1'500));
  EXPECT_EQ(parse_time("2m", milliseconds(1)), milliseconds(120'000));
  EXPECT_EQ(parse_time("0s", milliseconds(0)), milliseconds(0));
  for (const char* bad : {"0s", "soon", "", "s", "5h", "1.2.3s", "86401s", "-1s", "1 s"}) {
    EXPECT_THAT(message_of(parse_time(bad, milliseconds(1))), HasSubstr("from 1ms to 86400s")) << bad;
  }
}

TEST(Parse, WeightsAreOfKnownKindsAndNotAllZero) {
  const auto mix = parse_weights("get=95,insert=4.5,rmw=0");
  ASSERT_TRUE(mix);
  EXPECT_EQ(mix->weight(OpKind::kGet), 95);
  EXPECT_EQ(mix->weight(OpKind::kInsert), 4.5);
  EXPECT_EQ(mix->kinds(), 2u);
  EXPECT_THAT(message_of(parse_weights("get=1,del=2")), HasSubstr("'del=2'"));
  EXPECT_THAT(message_of(parse_weights("get")), HasSubstr("KIND=WEIGHT"));
  EXPECT_THAT(message_of(parse_weights("get=-1")), HasSubstr("'-1' is not a number from 0 to 1000000"));
  EXPECT_THAT(message_of(parse_weights("get=1,get=2")), HasSubstr("get stands twice"));
  EXPECT_THAT(message_of(parse_weights("get=0")), HasSubstr("above 0"));
  EXPECT_THAT(message_of(parse_weights("")), HasSubstr("above 0"));
}

TEST(Parse, AScanLengthIsANumberOrARange) {
  EXPECT_EQ(parse_scan_length("7")->min, 7u);
  EXPECT_EQ(parse_scan_length("7")->max, 7u);
  EXPECT_EQ(parse_scan_length("1..100")->min, 1u);
  EXPECT_EQ(parse_scan_length("1..100")->max, 100u);
  EXPECT_THAT(message_of(parse_scan_length("0")), HasSubstr("from 1"));
  EXPECT_THAT(message_of(parse_scan_length("9..8")), HasSubstr("'8' is not a whole number from 9"));
  EXPECT_THAT(message_of(parse_scan_length("1..")), HasSubstr("''"));
}

}  // namespace
}  // namespace meridian::bench
