// How Meridian sets RocksDB up, and why.
#pragma once

#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include "server/rocks/rocks_engine.h"

namespace meridian {

rocksdb::Options make_database_options(const RocksOptions& options, const std::shared_ptr<rocksdb::Cache>& cache);

// For tables that are read or written once, outside of the database: the same format and filters, nothing cached.
rocksdb::Options make_transfer_options(const RocksOptions& options);

}  // namespace meridian
