#include "tools/ctl/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian::ctl {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

TEST(Text, EscapesWhatIsNotPrintableAndTakesItBack) {
  EXPECT_EQ(escape("plain äöü €"), "plain äöü €");
  EXPECT_EQ(escape("a\nb\tc\r\\"), "a\\nb\\tc\\r\\\\");
  EXPECT_EQ(escape(std::string_view("\0\x7f\xff", 3)), "\\x00\\x7f\\xff");
  EXPECT_EQ(escape("\xc2\x9b"), "\\xc2\\x9b");  // a C1 control character: starts terminal commands
  EXPECT_EQ(escape("a\nb", true), "a\nb");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_TRUE(is_printable(escape(all)));
  EXPECT_EQ(unescape(escape(all)), all);
}

TEST(Text, UnescapeRefusesWhatEscapeDoesNotWrite) {
  for (const char* bad : {"\\", "\\q", "\\x", "\\x1", "\\xg0", "a\\"}) EXPECT_EQ(unescape(bad), std::nullopt) << bad;
}

TEST(Text, KnowsUtf8) {
  EXPECT_TRUE(is_utf8("") && is_utf8("ä€\U0001F600"));
  // Cut off, overlong, a surrogate, beyond the last code point, a lone continuation.
  for (const char* bad : {"\xc3", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(Text, Base64GoesBothWays) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i);
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
  for (const char* bad : {"Zg", "Zg=", "Z===", "Zm9*", "=m9v"}) EXPECT_EQ(from_base64(bad), std::nullopt) << bad;
}

TEST(Text, ShortensByCharacters) {
  EXPECT_EQ(shorten("abc", 3), "abc");
  EXPECT_EQ(shorten("abcd", 3), "ab…");
  EXPECT_EQ(shorten("äöüß", 3), "äö…");
  EXPECT_EQ(display_width("äöü"), 3u);
}

TEST(Text, DurationsSizesAndTimes) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("2m"), milliseconds(120'000));
  EXPECT_EQ(parse_duration("7"), milliseconds(7'000));
  for (const char* bad : {"", "s", "-1s", "0", "1d", "1e3", "48h", "nan"})
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(format_duration(milliseconds(61'000)), "1 min 1 s");
  EXPECT_EQ(format_time(1764000000123456), "2025-11-24T16:00:00.123456Z");
}

TEST(Text, NumbersAreDecimalAndExact) {
  EXPECT_EQ(parse_decimal("0"), 0u);
  EXPECT_EQ(parse_decimal("10"), 10u);
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "010", "00", "-1", "+1", " 1", "1 ", "0x10", "1e3", "1.0", "18446744073709551616",
                          "99999999999999999999"}) {
    EXPECT_EQ(parse_decimal(bad), std::nullopt) << bad;
  }
}

TEST(Text, TimesAreTakenAsTheyAreShown) {
  for (const std::uint64_t us :
       {UINT64_C(0), UINT64_C(1'764'000'000'123'456), UINT64_C(951'827'696'000'001), UINT64_C(4'102'444'799'999'999)}) {
    EXPECT_EQ(parse_time(format_time(us)), us) << format_time(us);
  }
  EXPECT_EQ(parse_time("2025-11-24T16:00:00Z"), 1'764'000'000'000'000u);
  EXPECT_EQ(parse_time("2025-11-24T16:00:00.5Z"), 1'764'000'000'500'000u);
  for (const char* bad : {"", "yesterday", "2025-11-24", "2025-11-24T16:00:00", "2025-11-24 16:00:00Z",
                          "2025-02-29T16:00:00Z", "2025-13-01T16:00:00Z", "2025-11-24T24:00:00Z",
                          "2025-11-24T16:60:00Z", "2025-11-24T16:00:00.Z", "2025-11-24T16:00:00.1234567Z",
                          "2025-11-24T16:00:00.+1Z", "1969-11-24T16:00:00Z", "2025-11-24T16:00:00+01:00"}) {
    EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
  }
}

TEST(Text, TheClustersTimesAreShownLikeAllOthers) {
  EXPECT_EQ(with_shown_times("timestamp 1764000000123456.7 is ahead; the limit is 1764000000000000.0"),
            "timestamp 2025-11-24T16:00:00.123456Z (7225344000505675783) is ahead; the limit is "
            "2025-11-24T16:00:00.000000Z (7225344000000000000)");
  for (const char* other : {"", "10.0.0.4:7400", "1764000000123456-9f8e7d6c-42", "1764000000123456.",
                            "1764000000123456.4096", "9999999999999999.1", "at 1764000000123456"}) {
    EXPECT_EQ(with_shown_times(other), other);
  }
}

TEST(Text, CountsAreSaidAsPeopleSayThem) {
  EXPECT_EQ(counted(0, "entry", "entries"), "0 entries");
  EXPECT_EQ(counted(1, "entry", "entries"), "1 entry");
  EXPECT_EQ(counted(1'234'567, "entry", "entries"), "1,234,567 entries");
}

TEST(Text, ListsAndPrefixes) {
  EXPECT_THAT(split("a,b,,c,", ','), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(split(",", ',').empty());
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end("a\xff\xff"), "b");
  EXPECT_EQ(prefix_end("\xff"), "");
}

}  // namespace
}  // namespace meridian::ctl
