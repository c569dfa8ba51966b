// The edges of the port's contract, one by one, for both engines.
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/fault.h"
#include "base/keys.h"
#include "tests/engine/engine_beds.h"
#include "tests/engine/engine_model.h"

namespace meridian {
namespace {

using Keys = std::vector<std::string>;

std::string make_mvcc_key(std::string_view user, std::uint64_t version) {
  std::string key = "\x03";
  append_u32(key, 1);
  append_ordered(key, user);
  append_u64_inverted(key, version);
  append_u16(key, 0);
  return key;
}

std::string make_mvcc_prefix(std::string_view user) {
  const std::string key = make_mvcc_key(user, 0);
  return key.substr(0, key.size() - 10);
}

class EngineTest : public testing::TestWithParam<EngineKind> {
 protected:
  EngineTest() : bed_(make_bed(GetParam(), 7)) {}
  Engine& engine() { return bed_->engine(); }

  void put(const std::string& key, const std::string& value) {
    WriteBatch batch;
    batch.put(key, value);
    ASSERT_TRUE(engine().write(batch, MayBlock::kYes).has_value());
  }
  void put_all(const Keys& keys) {
    for (const auto& key : keys) put(key, "of " + key);
  }
  void flush() { ASSERT_TRUE(engine().flush().has_value()); }
  std::optional<std::string> get(const std::string& key) {
    auto got = engine().get(key);
    EXPECT_TRUE(got.has_value());
    return got ? *std::move(got) : std::nullopt;
  }
  Keys scan(const KeyRange& range, bool backwards = false) {
    Keys out;
    const auto it = engine().iterate(range, {});
    for (backwards ? it->seek_to_last() : it->seek_to_first(); it->valid(); backwards ? it->previous() : it->next()) {
      out.emplace_back(it->key());
    }
    EXPECT_TRUE(it->status().has_value());
    return out;
  }
  ExportedFiles make_export(const std::vector<KeyRange>& ranges) {
    const auto snapshot = engine().snapshot();
    auto files = engine().export_ranges(ranges, *snapshot, bed_->new_directory());
    EXPECT_TRUE(files.has_value()) << files.error().to_string();
    return files ? *std::move(files) : ExportedFiles{};
  }
  Result<> ingest(const std::vector<KeyRange>& ranges, const std::vector<std::string>& paths,
                  const std::vector<std::pair<std::string, std::string>>& overrides = {}) {
    return engine().ingest(ranges, paths, overrides, bed_->new_directory());
  }
  void expect_ingested(const Result<>& result) { EXPECT_TRUE(result.has_value()) << result.error().to_string(); }

  std::unique_ptr<EngineBed> bed_;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineTest, testing::Values(EngineKind::kMem, EngineKind::kRocks),
                         [](const auto& info) { return to_string(info.param); });

TEST_P(EngineTest, IteratorsStopAtTheEndsOfTheirRange) {
  put_all({"a", "b", "c", "d", "e"});
  flush();
  const auto it = engine().iterate({"b", "d"}, {});
  const auto expect_at = [&](const char* key) {
    ASSERT_TRUE(it->valid());
    EXPECT_EQ(it->key(), key);
  };
  it->seek("");
  expect_at("b");
  it->previous();
  EXPECT_FALSE(it->valid());
  it->seek("c");
  it->next();
  EXPECT_FALSE(it->valid());
  it->seek("d");
  EXPECT_FALSE(it->valid());
  it->seek_for_previous("z");
  expect_at("c");
  it->seek_for_previous("c");
  expect_at("c");
  it->seek_for_previous("bb");
  expect_at("b");
  it->seek_for_previous("a");
  EXPECT_FALSE(it->valid());
  it->seek_to_last();
  expect_at("c");
  EXPECT_TRUE(it->status().has_value());
  EXPECT_EQ(scan({"b", "b"}), Keys());
  EXPECT_EQ(scan({"d", "b"}), Keys());
  EXPECT_EQ(scan({"d", "b"}, true), Keys());
  EXPECT_EQ(scan({"d", ""}, true), Keys({"e", "d"}));
}

TEST_P(EngineTest, TheEmptyKeyIsAKey) {
  put_all({"", "a"});
  EXPECT_EQ(get(""), "of ");
  EXPECT_EQ(scan({}), Keys({"", "a"}));
  EXPECT_EQ(scan({}, true), Keys({"a", ""}));
  const auto it = engine().iterate({}, {});
  it->seek_for_previous("");
  ASSERT_TRUE(it->valid());
  EXPECT_EQ(it->key(), "");
}

TEST_P(EngineTest, ScansCrossPrefixesThatFiltersKnowNothingOf) {
  Keys all;
  for (const char* user : {"a", "b", "c", "d"}) {
    for (const std::uint64_t version : {9, 5, 1}) all.push_back(make_mvcc_key(user, version));
    put_all({all.end() - 3, all.end()});
    flush();  // a table, and a filter, for each user
  }
  EXPECT_EQ(scan({"\x03", "\x04"}), all);
  EXPECT_EQ(scan({"\x03", "\x04"}, true), Keys(all.rbegin(), all.rend()));
  EXPECT_EQ(scan({make_mvcc_prefix("ab"), "\x04"}), Keys(all.begin() + 3, all.end()));
  const std::string b = make_mvcc_prefix("b");
  EXPECT_EQ(scan({b, prefix_end(b)}), Keys(all.begin() + 3, all.begin() + 6));
  EXPECT_EQ(scan({make_mvcc_key("b", 7), prefix_end(b)}), Keys(all.begin() + 4, all.begin() + 6));
  EXPECT_EQ(scan({make_mvcc_key("b", 7), prefix_end(b)}, true), Keys(all.rbegin() + 6, all.rbegin() + 8));
  const std::string absent = make_mvcc_prefix("bb");
  EXPECT_EQ(scan({absent, prefix_end(absent)}), Keys());
  EXPECT_EQ(scan({absent, prefix_end(absent)}, true), Keys());
}

TEST_P(EngineTest, ADeletedRangeIsGoneWhereFiltersSkipTheTableThatSaysSo) {
  put(make_mvcc_key("b", 1), "old");
  flush();
  bed_->restart();
  WriteBatch batch;
  batch.remove_range({make_mvcc_prefix("a"), make_mvcc_prefix("d")});
  batch.put(make_mvcc_key("x", 1), "another");
  ASSERT_TRUE(engine().write(batch, MayBlock::kYes).has_value());
  flush();
  const std::string b = make_mvcc_prefix("b");
  EXPECT_EQ(scan({b, prefix_end(b)}), Keys());
  EXPECT_EQ(scan({b, prefix_end(b)}, true), Keys());
  EXPECT_EQ(get(make_mvcc_key("b", 1)), std::nullopt);
}

TEST_P(EngineTest, LargeValuesSurviveFlushCrashAndTransfer) {
  const std::string large(8 << 20, 'v');
  put("large", large);
  put("small", "s");
  flush();
  bed_->crash();
  EXPECT_EQ(get("large"), large);
  const auto files = make_export({{"", ""}});
  EXPECT_EQ(files.keys, 2u);
  put("large", "changed");
  expect_ingested(ingest({{"", ""}}, files.paths));
  EXPECT_EQ(get("large"), large);
}

TEST_P(EngineTest, WhatIsNotFlushedIsNotPersisted) {
  put("k", "flushed");
  flush();
  put("k", "later");
  EXPECT_EQ(*engine().get_persisted("k"), "flushed");
  EXPECT_EQ(get("k"), "later");
  flush();
  EXPECT_EQ(*engine().get_persisted("k"), "later");
  WriteBatch batch;
  batch.remove("k");
  ASSERT_TRUE(engine().write(batch, MayBlock::kYes).has_value());
  EXPECT_EQ(*engine().get_persisted("k"), "later");
  EXPECT_EQ(get("k"), std::nullopt);
}

TEST_P(EngineTest, IngestReplacesItsRangesAndNothingElse) {
  put_all({"a", "m1", "m2", "m3", "z"});
  const auto files = make_export({{"m1", "m3"}});
  EXPECT_EQ(files.keys, 2u);
  put("m1", "changed");
  put_all({"m11", "m4"});
  flush();
  expect_ingested(ingest({{"m", "n"}}, files.paths, {{"m2", "overridden"}, {"q", "outside"}}));
  const auto expect_ingested_state = [&] {
    EXPECT_EQ(scan({}), Keys({"a", "m1", "m2", "q", "z"}));
    EXPECT_EQ(get("m1"), "of m1");
    EXPECT_EQ(get("m2"), "overridden");
    EXPECT_EQ(get("q"), "outside");
  };
  expect_ingested_state();
  EXPECT_EQ(*engine().get_persisted("m2"), "overridden");
  bed_->crash();
  expect_ingested_state();
}

TEST_P(EngineTest, AnIngestIsDurableAtOnceWhileWritesAreNot) {
  put_all({"m1"});
  const auto files = make_export({{"m", "n"}});
  flush();
  put("a", "not flushed");
  expect_ingested(ingest({{"m", "n"}}, files.paths, {{"m2", "new"}}));
  put("m3", "after");
  bed_->crash();
  EXPECT_EQ(get("m1"), "of m1");
  EXPECT_EQ(get("m2"), "new");
  if (get("m3")) EXPECT_EQ(get("a"), "not flushed") << "a later write survived an earlier one";
}

TEST_P(EngineTest, SnapshotsSeeNothingOfALaterIngest) {
  put_all({"m1", "m2"});
  const auto files = make_export({{"m1", "m2"}});
  const auto before = engine().snapshot();
  expect_ingested(ingest({{"m", "n"}}, files.paths));
  EXPECT_EQ(*engine().get("m2", {.snapshot = before.get()}), "of m2");
  EXPECT_EQ(get("m2"), std::nullopt);
}

TEST_P(EngineTest, IngestOfNothingClears) {
  put_all({"a", "m1", "z"});
  flush();
  expect_ingested(ingest({{"m", "n"}}, {}));
  EXPECT_EQ(scan({}), Keys({"a", "z"}));
  expect_ingested(ingest({{"", ""}}, {}));
  EXPECT_EQ(scan({}), Keys());
  bed_->crash();
  EXPECT_EQ(scan({}), Keys());
}

TEST_P(EngineTest, ADamagedFileIsRefusedAndNothingChanges) {
  for (std::uint64_t offset = 0; offset < 1000; offset += 37) {
    expect_ingested(ingest({{"", ""}}, {}));
    put_all({"m1", "m2", "m3"});
    const auto files = make_export({{"m", "n"}});
    ASSERT_EQ(files.paths.size(), 1u);
    put("m4", "later");
    bed_->flip_bit(files.paths[0], offset % files.bytes);
    const auto refused = ingest({{"m", "n"}}, files.paths);
    if (refused.has_value()) {
      // A filter was hit, which is not read but made anew.
      EXPECT_EQ(scan({}), Keys({"m1", "m2", "m3"}));
      EXPECT_EQ(get("m1"), "of m1");
      continue;
    }
    EXPECT_EQ(refused.error().code(), ErrorCode::kCorruption) << offset << ": " << refused.error().to_string();
    EXPECT_EQ(scan({}), Keys({"m1", "m2", "m3", "m4"}));
  }
}

TEST_P(EngineTest, KeysOutsideOfTheRangesAreRefusedAndNothingChanges) {
  put_all({"m1", "n1"});
  for (const KeyRange& range : {KeyRange{"m", "n"}, KeyRange{"n", "o"}, KeyRange{"a", "b"}}) {
    const auto files = make_export({{"", ""}});
    const auto refused = ingest({range}, files.paths);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(scan({}), Keys({"m1", "n1"}));
  }
}

TEST_P(EngineTest, AFullDiskIsSaidAndLeftBehind) {
  put("before", "b");
  flush();
  bed_->set_disk_full(true);
  std::string last;
  Result<> refused;
  for (int i = 0; i < 200 && refused.has_value(); ++i) {
    WriteBatch batch;
    batch.put("key" + std::to_string(i), std::string(8 << 10, 'x'));
    refused = engine().write(batch, MayBlock::kNo);
    if (!refused && refused.error().code() == ErrorCode::kWouldBlock) refused = engine().write(batch, MayBlock::kYes);
    if (refused) last = "key" + std::to_string(i);
  }
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kDiskFull) << refused.error().to_string();
  const auto flushed = engine().flush();
  ASSERT_FALSE(flushed.has_value());
  EXPECT_EQ(flushed.error().code(), ErrorCode::kDiskFull) << flushed.error().to_string();
  EXPECT_EQ(get("before"), "b");  // reads go on

  bed_->set_disk_full(false);
  put("after", "a");
  flush();
  bed_->crash();
  EXPECT_EQ(get("after"), "a");
  if (!last.empty()) EXPECT_TRUE(get(last).has_value());
}

// Fires every point it is told to.
class Hooks final : public FaultHooks {
 public:
  explicit Hooks(std::string point) : point_(std::move(point)) { g_fault_hooks = this; }
  ~Hooks() override { g_fault_hooks = nullptr; }
  bool buggify(std::string_view point) override { return point == point_; }
  void failpoint(std::string_view) override {}
  void probe(std::string_view) override {}
  bool deliberate_bug(std::string_view) override { return false; }

 private:
  std::string point_;
};

TEST_P(EngineTest, WhoMustNotBlockIsToldSoAndServedOnceItIsInMemory) {
  const std::string key = make_mvcc_key("user", 1), prefix = make_mvcc_prefix("user");
  put(key, "v");
  put("\x01other", "o");
  flush();
  bed_->drop_cache();
  std::optional<Hooks> hooks;
  const EngineReadOptions no_wait{.may_block = MayBlock::kNo};
  const auto expect_blocked = [](const auto& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), ErrorCode::kWouldBlock);
  };
  if (GetParam() == EngineKind::kMem) hooks.emplace("engine.get_would_block");
  expect_blocked(engine().get(key, no_wait));
  if (GetParam() == EngineKind::kMem) hooks.emplace("engine.iterate_would_block");
  for (const KeyRange& range : {KeyRange{prefix, prefix_end(prefix)}, KeyRange{"", ""}}) {
    const auto it = engine().iterate(range, no_wait);
    it->seek(prefix);
    EXPECT_FALSE(it->valid());
    expect_blocked(it->status());
  }
  hooks.reset();
  EXPECT_EQ(get(key), "v");
  EXPECT_EQ(scan({prefix, prefix_end(prefix)}), Keys({key}));
  EXPECT_EQ(scan({}).size(), 2u);
  EXPECT_EQ(*engine().get(key, no_wait), "v");
  for (const KeyRange& range : {KeyRange{prefix, prefix_end(prefix)}, KeyRange{"", ""}}) {
    const auto it = engine().iterate(range, no_wait);
    it->seek(prefix);
    ASSERT_TRUE(it->valid());
    EXPECT_EQ(it->key(), key);
    it->previous();
    EXPECT_TRUE(it->status().has_value());
  }
}

TEST_P(EngineTest, StatsGrowWithWhatIsWritten) {
  const auto before = engine().stats();
  for (int i = 0; i < 20; ++i) put("key" + std::to_string(i), std::string(1000, static_cast<char>('a' + i)));
  EXPECT_GT(engine().stats().memory_bytes, before.memory_bytes);
  flush();
  EXPECT_GT(engine().stats().disk_bytes, before.disk_bytes);
}

}  // namespace
}  // namespace meridian
