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

TEST(Text, ListsAndPrefixes) {
  EXPECT_THAT(split("a,b,,c,", ','), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(split(",", ',').empty());
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end("a\xff\xff"), "b");
  EXPECT_EQ(prefix_end("\xff"), "");
}

}  // namespace
}  // namespace meridian::ctl
