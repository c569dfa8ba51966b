// Both engines go through the same random operations, crashes included, and must agree with the model.
#include <algorithm>
#include <deque>
#include <random>

#include <gtest/gtest.h>

#include "base/keys.h"
#include "tests/engine/engine_beds.h"
#include "tests/engine/engine_model.h"

namespace meridian {
namespace {

#define ASSERT_OK(expression)                                            \
  do {                                                                   \
    const auto& ok_result = (expression);                                \
    ASSERT_TRUE(ok_result.has_value()) << ok_result.error().to_string(); \
  } while (false)

struct Coverage {
  int crashes_that_kept_more = 0;
  int would_block = 0;
  int compared_iterators = 0;
};

class Walk {
 public:
  Walk(EngineKind kind, std::uint64_t seed) : random_(seed), bed_(make_bed(kind, seed)) {}

  void run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFatalFailure(); ++i) {
      SCOPED_TRACE("operation " + std::to_string(i));
      step();
    }
    if (!testing::Test::HasFatalFailure()) check_all(MayBlock::kYes);
  }
  const Coverage& coverage() const { return coverage_; }

 private:
  struct HeldSnapshot {
    std::unique_ptr<EngineSnapshot> snapshot;
    Contents contents;
  };
  struct Export {
    std::vector<KeyRange> ranges;
    std::vector<std::string> paths;
    Contents contents;
  };

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  Engine& engine() { return bed_->engine(); }

  void step() {
    switch (below(32)) {
      default: return write();
      case 0:
      case 1: return flush();
      case 2:
      case 3: return take_snapshot();
      case 4: return drop_snapshot();
      case 5:
      case 6:
      case 7:
      case 8:
      case 9: return check_iterator();
      case 10:
      case 11:
      case 12: return check_get();
      case 13: return check_persisted();
      case 14:
      case 15: return make_export();
      case 16:
      case 17: return ingest();
      case 18: return crash();
      case 19:
        if (one_in(3)) restart();
        return;
    }
  }

  // Few user keys with several versions, other kinds around them, and keys of no kind.
  std::string random_key() {
    std::string key;
    if (one_in(6)) {
      const std::size_t length = below(4);
      for (std::size_t i = 0; i < length; ++i) key.push_back("\x00\x01\x03\x7f\xfe\xff"[below(6)]);
      return key;
    }
    if (one_in(4)) {
      key.push_back(one_in(2) ? '\x01' : '\x05');
      append_u32(key, static_cast<std::uint32_t>(below(20)));
      return key;
    }
    key = user_prefix();
    append_u64_inverted(key, below(6));
    append_u16(key, static_cast<std::uint16_t>(below(2)));
    return key;
  }
  std::string user_prefix() {
    std::string key = "\x03";
    append_u32(key, static_cast<std::uint32_t>(below(2)));
    append_ordered(key, one_in(8) ? std::string(below(3), '\0') : "user" + std::to_string(below(12)));
    return key;
  }
  std::string random_value() {
    const std::size_t size = one_in(12) ? 20000 : one_in(4) ? 1500 : below(40);
    return std::to_string(++values_) + std::string(size, static_cast<char>('a' + below(26)));
  }
  KeyRange random_range() {
    if (one_in(3)) {  // within one user key: the filters are asked
      const std::string prefix = user_prefix();
      std::string start = prefix;
      if (one_in(2)) append_u64_inverted(start, below(6));
      std::string end = prefix_end(prefix);
      if (one_in(3)) append_u64_inverted(end = prefix, below(6));
      return {start, end};
    }
    std::string start = one_in(8) ? std::string() : random_key(), end = one_in(8) ? std::string() : random_key();
    if (!end.empty() && end < start && !one_in(10)) std::swap(start, end);
    return {start, end};
  }

  void write() {
    WriteBatch batch;
    const std::size_t count = 1 + below(6);
    for (std::size_t i = 0; i < count; ++i) {
      switch (below(12)) {
        case 0: batch.remove_range(random_range()); break;
        case 1:
        case 2: batch.remove(random_key()); break;
        default: batch.put(random_key(), random_value());
      }
    }
    auto written = engine().write(batch, one_in(2) ? MayBlock::kNo : MayBlock::kYes);
    if (!written && written.error().code() == ErrorCode::kWouldBlock) {
      ++coverage_.would_block;
      written = engine().write(batch, MayBlock::kYes);
    }
    ASSERT_OK(written);
    model_.write(batch);
  }

  void flush() {
    ASSERT_OK(engine().flush());
    model_.flush();
  }

  void take_snapshot() {
    if (snapshots_.size() == 4) snapshots_.pop_front();
    snapshots_.push_back({engine().snapshot(), model_.latest()});
  }
  void drop_snapshot() {
    if (!snapshots_.empty())
      snapshots_.erase(snapshots_.begin() + static_cast<std::ptrdiff_t>(below(snapshots_.size())));
  }
  // Null one time in two: the latest state.
  const HeldSnapshot* some_snapshot() {
    return snapshots_.empty() || one_in(2) ? nullptr : &snapshots_[below(snapshots_.size())];
  }

  void check_get() {
    const std::string key = random_key();
    const HeldSnapshot* held = some_snapshot();
    const Contents& expected = held ? held->contents : model_.latest();
    EngineReadOptions options{.may_block = one_in(2) ? MayBlock::kNo : MayBlock::kYes,
                              .snapshot = held ? held->snapshot.get() : nullptr};
    auto got = engine().get(key, options);
    if (!got && got.error().code() == ErrorCode::kWouldBlock && options.may_block == MayBlock::kNo) {
      ++coverage_.would_block;
      options.may_block = MayBlock::kYes;
      got = engine().get(key, options);
    }
    ASSERT_OK(got);
    const auto it = expected.find(key);
    ASSERT_EQ(got->has_value(), it != expected.end());
    if (got->has_value()) ASSERT_EQ(**got, it->second);
  }

  void check_persisted() {
    const std::string key = random_key();
    const auto got = engine().get_persisted(key);
    ASSERT_OK(got);
    const auto candidates = model_.survivors();
    ASSERT_TRUE(std::any_of(candidates.begin(), candidates.end(), [&](const Contents& left) {
      const auto it = left.find(key);
      return got->has_value() == (it != left.end()) && (!got->has_value() || **got == it->second);
    }));
  }

  void check_iterator() {
    const KeyRange range = random_range();
    const HeldSnapshot* held = some_snapshot();
    const Contents expected = restricted(held ? held->contents : model_.latest(), {range});
    const EngineReadOptions options{.may_block = one_in(2) ? MayBlock::kNo : MayBlock::kYes,
                                    .snapshot = held ? held->snapshot.get() : nullptr};
    const auto it = engine().iterate(range, options);
    ++coverage_.compared_iterators;
    // Without a snapshot it still shows the state of its creation.
    if (one_in(3)) write();
    auto at = expected.end();
    const int steps = static_cast<int>(below(20));
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      move(*it, expected, at);
      if (!it->valid() && !it->status().has_value()) {
        ASSERT_EQ(it->status().error().code(), ErrorCode::kWouldBlock);
        ASSERT_EQ(options.may_block, MayBlock::kNo);
        ++coverage_.would_block;
        return;
      }
      ASSERT_EQ(it->valid(), at != expected.end()) << "step " << i;
      if (!it->valid()) continue;
      ASSERT_EQ(it->key(), at->first);
      ASSERT_EQ(it->value(), at->second);
    }
  }

  // One random movement of the iterator, and of its counterpart; end() means not valid.
  void move(EngineIterator& it, const Contents& expected, Contents::const_iterator& at) {
    const auto before = [&](Contents::const_iterator bound) {
      return bound == expected.begin() ? expected.end() : std::prev(bound);
    };
    const std::string key = one_in(5) && at != expected.end() ? at->first : random_key();
    switch (at == expected.end() ? below(4) : below(10)) {
      case 0:
        it.seek_to_first();
        at = expected.begin();
        break;
      case 1:
        it.seek_to_last();
        at = before(expected.end());
        break;
      case 2:
        it.seek(key);
        at = expected.lower_bound(key);
        break;
      case 3:
        it.seek_for_previous(key);
        at = before(expected.upper_bound(key));
        break;
      case 4:
      case 5:
      case 6:
        it.previous();
        at = before(at);
        break;
      default: it.next(); ++at;
    }
  }

  void make_export() {
    if (exports_.size() == 3) exports_.pop_front();
    Export out;
    // Disjoint, as a replica's ranges are.
    for (const char* kind : {"\x01", "\x03", "\x05"}) {
      if (one_in(2)) out.ranges.push_back({kind, prefix_end(kind)});
    }
    if (out.ranges.empty()) out.ranges.push_back(random_range());
    if (one_in(10)) out.ranges = {{}};
    const HeldSnapshot now{engine().snapshot(), model_.latest()};
    const HeldSnapshot* held = some_snapshot();
    if (held == nullptr) held = &now;
    out.contents = restricted(held->contents, out.ranges);
    const auto files = engine().export_ranges(out.ranges, *held->snapshot, bed_->new_directory());
    ASSERT_OK(files);
    ASSERT_EQ(files->keys, out.contents.size());
    out.paths = files->paths;
    exports_.push_back(std::move(out));
  }

  void ingest() {
    if (exports_.empty()) return;
    const std::size_t index = below(exports_.size());
    Export in = std::move(exports_[index]);
    exports_.erase(exports_.begin() + static_cast<std::ptrdiff_t>(index));
    // A receiver may clear more than it gets.
    if (one_in(3)) in.ranges.push_back(random_range());
    std::vector<std::pair<std::string, std::string>> overrides;
    const std::size_t count = below(3);
    for (std::size_t i = 0; i < count; ++i) {
      std::string key = random_key();
      if (one_in(2) && !in.contents.empty()) key = std::next(in.contents.begin(), below(in.contents.size()))->first;
      overrides.emplace_back(key, random_value());
      in.contents[key] = overrides.back().second;
    }
    // The contract asks for it; what is left after a crash is defined without, too.
    if (one_in(2)) flush();
    ASSERT_OK(engine().ingest(in.ranges, in.paths, overrides, bed_->new_directory()));
    model_.ingest(in.ranges, in.contents);
    if (one_in(2)) check_all(one_in(2) ? MayBlock::kNo : MayBlock::kYes);
  }

  void crash() {
    snapshots_.clear();
    exports_.clear();  // torn, perhaps
    bed_->crash();
    const Contents left = read_all();
    const auto candidates = model_.survivors();
    const auto found = std::find(candidates.begin(), candidates.end(), left);
    ASSERT_NE(found, candidates.end()) << "the crash left no prefix of the writes";
    if (found != candidates.begin()) ++coverage_.crashes_that_kept_more;
    model_.become(left);
  }

  void restart() {
    snapshots_.clear();
    bed_->restart();
    ASSERT_EQ(read_all(), model_.latest()) << "a clean end lost something";
    model_.flush();
  }

  Contents read_all() {
    Contents out;
    const auto it = engine().iterate({}, {});
    for (it->seek_to_first(); it->valid(); it->next()) out.emplace(it->key(), it->value());
    EXPECT_TRUE(it->status().has_value());
    return out;
  }

  void check_all(MayBlock may_block) {
    const auto it = engine().iterate({}, {.may_block = may_block});
    auto at = model_.latest().begin();
    for (it->seek_to_first(); it->valid(); it->next(), ++at) {
      ASSERT_NE(at, model_.latest().end());
      ASSERT_EQ(it->key(), at->first);
      ASSERT_EQ(it->value(), at->second);
    }
    if (may_block == MayBlock::kNo && !it->status().has_value()) return;
    ASSERT_OK(it->status());
    ASSERT_EQ(at, model_.latest().end());
  }

  std::mt19937_64 random_;
  std::unique_ptr<EngineBed> bed_;
  EngineModel model_;
  std::deque<HeldSnapshot> snapshots_;
  std::deque<Export> exports_;
  int values_ = 0;
  Coverage coverage_;
};

class EngineConformance : public testing::TestWithParam<EngineKind> {};

TEST_P(EngineConformance, AgreesWithTheModelThroughCrashes) {
  Coverage total;
  for (std::uint64_t seed = 1; seed <= 24 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(GetParam(), seed);
    walk.run(250);
    total.crashes_that_kept_more += walk.coverage().crashes_that_kept_more;
    total.would_block += walk.coverage().would_block;
    total.compared_iterators += walk.coverage().compared_iterators;
  }
  EXPECT_GT(total.compared_iterators, 500);
  EXPECT_GT(total.crashes_that_kept_more, 0);
  if (GetParam() == EngineKind::kRocks) EXPECT_GT(total.would_block, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineConformance, testing::Values(EngineKind::kMem, EngineKind::kRocks),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace meridian
