// Reading a log directory at a start: finds the segments, judges damage, replays the records. Blocking.
//
// What is damaged at or below the last recorded sync was on disk once, perhaps acknowledged: kCorruption.
// What is damaged above it is a torn write that nobody was told of: it is cut. (A flipped bit above the
// last mark cannot be told from a torn write; a mark follows every sync within 10 ms.)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "shard/log/log_reader.h"
#include "shard/log/log_table.h"

namespace meridian {

struct RecoveredSegment {
  std::uint64_t number = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t bytes = 0;         // of header and whole batches
  std::uint64_t marked_bytes = 0;  // of those, covered by the last recorded sync; damage there halts the node
  std::vector<Milepost> mileposts;
  std::string path;
};

struct LogRecovery {
  std::uint32_t salt = 0;
  std::uint64_t first_segment = 1;
  std::uint64_t last_sequence = 0;  // of the last whole batch; 0: none
  std::uint64_t recorded = 0;       // the last recorded sync
  bool last_is_empty = true;        // the last batch, if any, holds no records: it need not be recorded
  std::uint64_t noted_newest = 0;   // the newest segment there must be; 0: nothing is noted
  bool tail = false;                // torn or reserved bytes follow the last segment's last whole batch
  std::vector<RecoveredSegment> segments;
  std::vector<std::string> leftovers;  // paths: not part of the log, to be removed
  std::map<ShardId, ShardLog> shards;
  std::map<ShardId, std::vector<raft::Entry>> entries;  // those after what is applied (LogOptions::applied)
};

// Changes nothing. applied: see LogOptions. kCorruption, kFailedPrecondition (newer format), kIo.
Result<LogRecovery> scan_log(FileSystem& fs, const std::string& directory,
                             const std::function<LogIndex(ShardId)>& applied = nullptr);

}  // namespace meridian
