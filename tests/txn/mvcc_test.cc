#include <algorithm>
#include <functional>
#include <tuple>

#include "base/keys.h"
#include "tests/txn/fixture.h"

namespace meridian::txn {
namespace {

class MvccTest : public EvaluatorTest {
 protected:
  void write(const std::string& key, std::uint64_t at, std::optional<std::string> value) {
    WriteBatch batch;
    VersionHeader header{!value.has_value(), {1, 2, 3}, 4};
    batch.put(version_key(kKeyspace, key, Timestamp(at), kOrigin), version_value(header, value.value_or("")));
    ASSERT_TRUE(engine_.write(batch, MayBlock::kYes).has_value());
  }
  std::string scan(ScanRange range, std::uint64_t at) {
    range.keyspace = kKeyspace;
    auto page = scan_versions(engine_, range, Timestamp(at), {});
    EXPECT_TRUE(page.has_value());
    std::string out;
    for (const ScanEntry& e : page->entries) out += fmt::format("{}={}@{} ", e.key, e.value, e.version.packed());
    if (page->rest) out += fmt::format("rest [{}, {})", page->rest->first, page->rest->second);
    return out;
  }
};

// Jepsen's "historical read exactly as of its timestamp".
TEST_F(MvccTest, AReadIsExactlyAsOfItsTimestamp) {
  write("k", 10, "ten");
  write("k", 20, std::nullopt);
  write("k", 30, "thirty");
  const auto at = [&](std::uint64_t t) {
    const auto v = read_version(engine_, kKeyspace, "k", Timestamp(t), {});
    return fmt::format("{}{}@{}", v->found, v->value, v->version.packed());
  };
  EXPECT_EQ(at(9), "false@0");
  EXPECT_EQ(at(10), "trueten@10");
  EXPECT_EQ(at(19), "trueten@10");
  EXPECT_EQ(at(20), "false@20");
  EXPECT_EQ(at(29), "false@20");
  EXPECT_EQ(at(UINT64_MAX), "truethirty@30");
}

TEST_F(MvccTest, KeysThatArePrefixesOfEachOtherOrHoldZerosDoNotMix) {
  const std::string zero("a\0", 2);
  write("a", 10, "a");
  write(zero, 11, "a0");
  write("a\xff", 12, "aff");
  EXPECT_EQ(read_version(engine_, kKeyspace, "a", Timestamp::max(), {})->value, "a");
  EXPECT_EQ(read_version(engine_, kKeyspace, zero, Timestamp::max(), {})->value, "a0");
  EXPECT_EQ(scan({}, 100), std::string("a=a@10 ") + zero + "=a0@11 a\xff=aff@12 ");
}

TEST_F(MvccTest, AScanSeesLiveKeysOnlyInBothDirections) {
  write("a", 10, "a1");
  write("a", 20, "a2");
  write("b", 10, "b");
  write("b", 15, std::nullopt);
  write("c", 30, "late");
  write("d", 10, "d");
  EXPECT_EQ(scan({}, 25), "a=a2@20 d=d@10 ");
  EXPECT_EQ(scan({.reverse = true}, 25), "d=d@10 a=a2@20 ");
  EXPECT_EQ(scan({}, 12), "a=a1@10 b=b@10 d=d@10 ");
  EXPECT_EQ(scan({.start = "b", .end = "d"}, 100), "c=late@30 ");
}

TEST_F(MvccTest, PagesJoinWithoutGapsOrRepeats) {
  for (int i = 0; i < 23; ++i) {
    write(fmt::format("k{:02}", i), 10, "old");
    write(fmt::format("k{:02}", i), 20, i % 5 == 0 ? std::nullopt : std::optional<std::string>("new"));
  }
  for (const bool reverse : {false, true}) {
    for (std::size_t limit = 1; limit < 7; ++limit) {
      ScanRange range{.keyspace = kKeyspace, .reverse = reverse, .limit = limit, .max_versions = 9};
      std::vector<std::string> keys;
      for (bool more = true; more;) {
        auto page = scan_versions(engine_, range, Timestamp(25), {});
        ASSERT_TRUE(page.has_value());
        for (const ScanEntry& e : page->entries) keys.push_back(e.key);
        more = page->rest.has_value();
        if (more) std::tie(range.start, range.end) = *page->rest;
      }
      ASSERT_EQ(keys.size(), 18u) << "reverse " << reverse << " limit " << limit;
      if (reverse) std::reverse(keys.begin(), keys.end());
      EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
      EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
    }
  }
}

// With lengths, tags and versions, which for small entries are most of it.
TEST_F(MvccTest, APageIsNeverLargerThanItsBytesUnlessOneEntryIs) {
  for (int i = 0; i < 40; ++i) write(fmt::format("k{:02}", i), 10, std::string(static_cast<std::size_t>(i * 7 % 90), 'v'));
  for (const bool reverse : {false, true}) {
    for (const std::size_t most : {1u, 100u, 250u, 1'000u}) {
      ScanRange range{.keyspace = kKeyspace, .reverse = reverse, .max_bytes = most};
      std::vector<std::string> keys;
      for (;;) {
        auto page = scan_versions(engine_, range, Timestamp(25), {});
        ASSERT_TRUE(page);
        std::size_t bytes = 0;
        for (const ScanEntry& e : page->entries) {
          bytes += e.key.size() + e.value.size() + kItemOverheadBytes;
          keys.push_back(e.key);
        }
        EXPECT_TRUE(bytes <= most || page->entries.size() == 1) << bytes << " of " << most;
        if (!page->rest) break;
        ASSERT_FALSE(page->entries.empty());
        std::tie(range.start, range.end) = *page->rest;
      }
      EXPECT_EQ(keys.size(), 40u) << "reverse " << reverse << " most " << most;
      EXPECT_TRUE(reverse ? std::ranges::is_sorted(keys, std::greater()) : std::ranges::is_sorted(keys));
    }
  }
}

TEST_F(MvccTest, KeysAloneCostWhatKeysCost) {
  for (int i = 0; i < 20; ++i) write(fmt::format("k{:02}", i), 10, std::string(1'000, 'v'));
  for (const bool reverse : {false, true}) {
    const ScanRange range{.keyspace = kKeyspace, .reverse = reverse, .keys_only = true, .max_bytes = 2'000};
    const auto page = scan_versions(engine_, range, Timestamp(25), {});
    ASSERT_TRUE(page);
    EXPECT_EQ(page->entries.size(), 20u);
    EXPECT_FALSE(page->rest);
    EXPECT_TRUE(page->entries[0].value.empty());
  }
}

// Nobody can write an empty key. Were it taken from a damaged engine, a page backwards would end "before the empty
// key", which reads "at the end": pages without end.
TEST_F(MvccTest, AScanOverAnEmptyKeyIsCorruption) {
  WriteBatch batch;
  batch.put(std::string("\x03\0\0\0\1", 5) + std::string(11, '\0'), version_value({}, "before it"));
  batch.put(version_key(kKeyspace, "", Timestamp(5), RegionId(1)), version_value({}, "v"));
  ASSERT_TRUE(engine_.write(batch, MayBlock::kYes));
  ScanRange range{.keyspace = kKeyspace, .limit = 1};
  for (const bool reverse : {false, true}) {
    range.reverse = reverse;
    const auto page = scan_versions(engine_, range, Timestamp(9), {});
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code(), ErrorCode::kCorruption);
  }
}

TEST_F(MvccTest, BytesThatNoVersionCouldBeAreCorruption) {
  std::string_view value;
  EXPECT_EQ(decode_version_header("short", &value).error().code(), ErrorCode::kCorruption);
  std::string unknown = version_value({}, "v");
  unknown[0] = 0x40;
  EXPECT_EQ(decode_version_header(unknown, &value).error().code(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace meridian::txn
