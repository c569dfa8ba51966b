// Export of ranges to SST files, and the rewriting that makes received ones ingestable in one step.
// Blocking; on the pool.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/db.h>

#include "base/engine.h"
#include "server/rocks/rocks_engine.h"

namespace meridian {

// "To the end of all keys", for RocksDB's range deletions, which have no such end. Greater than every key.
std::string_view last_key_bound();

Result<ExportedFiles> export_tables(rocksdb::DB& db, const RocksOptions& options, const std::vector<KeyRange>& ranges,
                                    const rocksdb::Snapshot* snapshot, const std::string& directory);

// New tables in directory, none overlapping another, that together delete the ranges and hold the keys of
// the tables at paths, overridden by overrides. Within a table the deletion and the keys
// get one sequence number when it is ingested, and a range deletion only covers what is older: the keys
// stay, all before them is gone.
// kCorruption: a table fails its checksums, holds keys outside of the ranges, or overlaps another.
//
// Why they are rewritten: extra tables with the deletions would overlap the received ones, and RocksDB
// puts overlapping tables of one ingest all on level 0, a write stall for a large shard.
Result<std::vector<std::string>> write_replacing_tables(const RocksOptions& options, std::vector<KeyRange> ranges,
                                                        const std::vector<std::string>& paths,
                                                        std::vector<std::pair<std::string, std::string>> overrides,
                                                        const std::string& directory);

}  // namespace meridian
