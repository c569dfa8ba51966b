// How Meridian sets RocksDB up, and why.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include "server/rocks/rocks_engine.h"

namespace meridian {

// written: counts the bytes that are written to this database.
rocksdb::Options make_database_options(const RocksOptions& options, const std::shared_ptr<rocksdb::Cache>& cache,
                                       std::shared_ptr<const std::atomic<std::uint64_t>> written);

// For tables that are read or written once, outside of the database: the same format and filters, nothing cached.
rocksdb::Options make_transfer_options(const RocksOptions& options);

}  // namespace meridian
