#include "server/rocks/rocks_options.h"

#include <memory>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "server/rocks/compaction_pace.h"
#include "server/rocks/long_slices.h"
#include "server/rocks/mvcc_prefix.h"
#include "server/rocks/paced_limiter.h"

namespace meridian {

namespace {

constexpr int kLevel0Files = 8;
static_assert(kLevel0Files < CompactionPace::kComfortable, "a compaction has to have room for its pace");

rocksdb::BlockBasedTableOptions make_table_options() {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.block_size = 8 << 10;
  // Whole keys too: records that are not MVCC (requests, replica state) are asked for by their exact key.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  return table;
}

void set_common(rocksdb::Options& out, const RocksOptions& options) {
  if (options.env != nullptr) out.env = options.env;
  out.prefix_extractor = make_mvcc_prefix_extractor();
  out.compression = rocksdb::kLZ4Compression;
}

}  // namespace

rocksdb::Options make_database_options(const RocksOptions& options, const std::shared_ptr<rocksdb::Cache>& cache,
                                       std::shared_ptr<const std::atomic<std::uint64_t>> written) {
  rocksdb::Options out;
  set_common(out, options);
  auto table = make_table_options();
  table.block_cache = cache;
  // Index and filter blocks count against the cache, so that memory has one bound.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  out.create_if_missing = true;
  out.write_buffer_size = options.write_buffer_bytes;
  out.max_write_buffer_number = 3;
  out.max_background_jobs = 2;
  out.level_compaction_dynamic_level_bytes = true;
  out.target_file_size_base = options.write_buffer_bytes;
  // What is merged with the first level is as large as that level, so each byte is rewritten twice or so there.
  out.level0_file_num_compaction_trigger = kLevel0Files;
  out.max_bytes_for_level_base = kLevel0Files * out.target_file_size_base;
  // Every table stays open: a read that must not block never has to open one (and see #12443).
  out.max_open_files = -1;
  // No bursts of writeback under a log that waits for its fsync on the same disk.
  out.bytes_per_sync = 1 << 20;
  out.compaction_readahead_size = 2 << 20;
  out.listeners.push_back(make_long_slices());
  if (options.background_bytes_per_s > 0) {
    PacedLimiter paced = make_paced_limiter(options.background_bytes_per_s, options.write_buffer_bytes, std::move(written));
    out.rate_limiter = std::move(paced.limiter);
    out.listeners.push_back(std::move(paced.listener));
  }
  // The first two levels do not live long enough to be worth it.
  out.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  // Deleting files is left to the background.
  out.avoid_unnecessary_blocking_io = true;
  // A clean shutdown flushes, so that the next start replays nothing.
  out.avoid_flush_during_shutdown = false;
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;

  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  out.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  out.max_log_file_size = 1 << 20;
  out.keep_log_file_num = 2;
  return out;
}

rocksdb::Options make_transfer_options(const RocksOptions& options) {
  rocksdb::Options out;
  set_common(out, options);
  auto table = make_table_options();
  table.no_block_cache = true;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.bytes_per_sync = 1 << 20;
  return out;
}

}  // namespace meridian
