#include "server/rocks/rocks_iterator.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "server/rocks/counting_cache.h"
#include "server/rocks/mvcc_prefix.h"
#include "server/rocks/rocks_status.h"
#include "server/rocks/rocks_transfer.h"

namespace meridian {

namespace {

// Longer than what follows the user key in an MVCC key.
constexpr std::size_t kLongestVersion = 16;

// Invariant: a range within one MVCC prefix is only ever sought at keys of that prefix, since the filters
// hide everything else.
class RocksIterator final : public EngineIterator {
 public:
  RocksIterator(std::shared_ptr<rocksdb::DB> db, KeyRange range, MayBlock may_block, const rocksdb::Snapshot* snapshot)
      : db_(std::move(db)), range_(std::move(range)), may_block_(may_block) {
    start_ = to_slice(range_.start);
    if (range_.end.empty()) range_.end = last_key_bound();
    end_ = to_slice(range_.end);
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    options.iterate_lower_bound = &start_;
    options.iterate_upper_bound = &end_;
    if (may_block_ == MayBlock::kNo) options.read_tier = rocksdb::kBlockCacheTier;
    one_prefix_ = within_one_mvcc_prefix(range_.start, range_.end);
    options.total_order_seek = !one_prefix_;
    if (one_prefix_) {
      last_seek_key_ = std::string(mvcc_prefix(range_.start)) + std::string(kLongestVersion, '\xff');
      if (range_.end < last_seek_key_) last_seek_key_ = range_.end;
    }
    const std::uint64_t misses = cache_misses_of_this_thread();
    iterator_.reset(db_->NewIterator(options));
    made_incompletely_ = missed_since(misses);
  }

  bool valid() const override { return !blocked_ && !outside_ && iterator_->Valid(); }
  void seek_to_first() override {
    // Within a prefix, only Seek asks the filters.
    step([&] { iterator_->Seek(start_); });
  }
  void seek_to_last() override {
    step([&] {
      if (one_prefix_)
        iterator_->SeekForPrev(to_slice(last_seek_key_));
      else
        iterator_->SeekToLast();
    });
  }
  void seek(std::string_view key) override {
    step([&] { iterator_->Seek(to_slice(std::max(key, std::string_view(range_.start)))); });
  }
  void seek_for_previous(std::string_view key) override {
    if (one_prefix_ && key >= last_seek_key_) return seek_to_last();
    if (key < range_.start) {
      outside_ = true;
      blocked_ = false;
      return;
    }
    step([&] { iterator_->SeekForPrev(to_slice(key)); });
  }
  void next() override {
    CHECK(valid());
    step([&] { iterator_->Next(); });
  }
  void previous() override {
    CHECK(valid());
    step([&] { iterator_->Prev(); });
  }
  std::string_view key() const override { return to_view(iterator_->key()); }
  std::string_view value() const override { return to_view(iterator_->value()); }
  Result<> status() const override {
    if (blocked_) return fail(ErrorCode::kWouldBlock, "a block is not in the cache");
    if (outside_) return {};
    return to_result(iterator_->status(), "iterate");
  }

 private:
  template <class Move>
  void step(Move move) {
    const std::uint64_t misses = cache_misses_of_this_thread();
    outside_ = range_.end <= range_.start;
    move();
    blocked_ = made_incompletely_ || missed_since(misses);
  }
  bool missed_since(std::uint64_t misses) const {
    return may_block_ == MayBlock::kNo && cache_misses_of_this_thread() != misses;
  }

  const std::shared_ptr<rocksdb::DB> db_;
  KeyRange range_;
  const MayBlock may_block_;
  rocksdb::Slice start_, end_;  // RocksDB keeps pointers to these
  bool one_prefix_ = false;
  std::string last_seek_key_;
  bool made_incompletely_ = false;
  bool blocked_ = false;
  bool outside_ = false;  // there is nothing where it was told to go
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace

std::unique_ptr<EngineIterator> make_rocks_iterator(std::shared_ptr<rocksdb::DB> db, KeyRange range, MayBlock may_block,
                                                    const rocksdb::Snapshot* rocksdb_snapshot) {
  return std::make_unique<RocksIterator>(std::move(db), std::move(range), may_block, rocksdb_snapshot);
}

}  // namespace meridian
