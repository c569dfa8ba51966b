#include "base/keys.h"

#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace meridian {
namespace {

// Strings over few bytes, the dangerous ones among them: prefixes and escapes meet often.
rc::Gen<std::string> awkward_bytes() {
  return rc::gen::container<std::string>(rc::gen::element('\x00', '\x01', '\x02', 'a', '\xfe', '\xff'));
}

std::string ordered(std::string_view bytes) {
  std::string out;
  append_ordered(out, bytes);
  return out;
}

int sign(int n) { return (n > 0) - (n < 0); }

RC_GTEST_PROP(Keys, OrderedBytesRoundTrip, ()) {
  const auto bytes = *awkward_bytes();
  const auto tail = *awkward_bytes();
  const std::string encoded = ordered(bytes) + tail;
  std::string_view in = encoded;
  std::string decoded;
  RC_ASSERT(consume_ordered(in, decoded));
  RC_ASSERT(decoded == bytes);
  RC_ASSERT(in == tail);
  RC_ASSERT(ordered_size(bytes) == encoded.size() - tail.size());
  RC_ASSERT(ordered_length(encoded) == ordered_size(bytes));
}

RC_GTEST_PROP(Keys, OrderedBytesKeepTheOrderWhateverFollows, ()) {
  const auto a = *awkward_bytes(), b = *awkward_bytes();
  const auto a_tail = *awkward_bytes(), b_tail = *awkward_bytes();
  const int order = a == b ? sign(a_tail.compare(b_tail)) : sign(a.compare(b));
  RC_ASSERT(sign((ordered(a) + a_tail).compare(ordered(b) + b_tail)) == order);
}

RC_GTEST_PROP(Keys, TuplesSortLikeTheirParts, ()) {
  using Tuple = std::tuple<std::uint32_t, std::string, std::uint64_t, std::uint16_t>;
  const auto make = [] {
    return Tuple{*rc::gen::inRange<std::uint32_t>(0, 3), *awkward_bytes(), *rc::gen::arbitrary<std::uint64_t>(),
                 *rc::gen::arbitrary<std::uint16_t>()};
  };
  const auto encode = [](const Tuple& t) {
    std::string out;
    append_u32(out, std::get<0>(t));
    append_ordered(out, std::get<1>(t));
    append_u64_inverted(out, std::get<2>(t));
    append_u16(out, std::get<3>(t));
    return out;
  };
  const auto invert = [](Tuple t) {
    std::get<2>(t) = ~std::get<2>(t);
    return t;
  };
  const Tuple a = make(), b = make();
  RC_ASSERT((encode(a) < encode(b)) == (invert(a) < invert(b)));

  const std::string encoded = encode(a);
  std::string_view in = encoded;
  Tuple back;
  RC_ASSERT(consume_u32(in, std::get<0>(back)));
  RC_ASSERT(consume_ordered(in, std::get<1>(back)));
  RC_ASSERT(consume_u64_inverted(in, std::get<2>(back)));
  RC_ASSERT(consume_u16(in, std::get<3>(back)));
  RC_ASSERT(in.empty());
  RC_ASSERT(back == a);
}

RC_GTEST_PROP(Keys, DecodingNeverRunsPastTheEnd, ()) {
  const auto bytes = *awkward_bytes();
  std::string_view in = bytes;
  std::string out = "untouched";
  if (consume_ordered(in, out)) {
    RC_ASSERT(ordered(out) == bytes.substr(0, bytes.size() - in.size()));
  } else {
    RC_ASSERT(out == "untouched");
    RC_ASSERT(in == bytes);
  }
}

RC_GTEST_PROP(Keys, PrefixEndIsTheTightestBound, ()) {
  const auto prefix = *awkward_bytes(), other = *awkward_bytes();
  const std::string end = prefix_end(prefix);
  RC_ASSERT(end.empty() || (prefix + other) < end);
  // Nothing outside the prefix lies between.
  if (!other.starts_with(prefix) && other > prefix) RC_ASSERT(!end.empty() && other >= end);
}

TEST(Keys, OrderHoldsAtTheEdges) {
  const std::vector<std::string> sorted = {"",
                                           std::string(1, '\0'),
                                           std::string(2, '\0'),
                                           std::string("\0\x01", 2),
                                           std::string("\0\xff", 2),
                                           "\x01",
                                           "a",
                                           std::string("a\0", 2),
                                           "ab",
                                           "\xff",
                                           std::string("\xff\0", 2),
                                           "\xff\xff"};
  for (std::size_t i = 1; i < sorted.size(); ++i) EXPECT_LT(ordered(sorted[i - 1]), ordered(sorted[i])) << i;
}

TEST(Keys, ShortIntegersAreRefusedAndNothingIsTaken) {
  std::string_view in = "\x01";
  std::uint16_t u16 = 7;
  std::uint32_t u32 = 7;
  std::uint64_t u64 = 7;
  EXPECT_FALSE(consume_u16(in, u16));
  EXPECT_FALSE(consume_u32(in, u32));
  EXPECT_FALSE(consume_u64(in, u64));
  EXPECT_FALSE(consume_u64_inverted(in, u64));
  EXPECT_EQ(in.size(), 1u);
  EXPECT_EQ(u16, 7);
  EXPECT_EQ(u64, 7u);
}

TEST(Keys, PrefixEndOfNothingAndOfAllOnesIsTheEndOfAllKeys) {
  EXPECT_EQ(prefix_end(""), "");
  EXPECT_EQ(prefix_end("\xff\xff"), "");
  EXPECT_EQ(prefix_end("a\xff\xff"), "b");
  EXPECT_EQ(key_after("a"), std::string("a\0", 2));
}

}  // namespace
}  // namespace meridian
