// EngineIterator on RocksDB's. Not thread-safe; keeps the database open.
#pragma once

#include <memory>

#include <rocksdb/db.h>

#include "base/engine.h"

namespace meridian {

// rocksdb_snapshot may be null.
std::unique_ptr<EngineIterator> make_rocks_iterator(std::shared_ptr<rocksdb::DB> db, KeyRange range, MayBlock may_block,
                                                    const rocksdb::Snapshot* rocksdb_snapshot);

}  // namespace meridian
