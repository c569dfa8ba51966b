// The bytes of the log on disk: pure functions. All integers of fixed width are big-endian.
//
//   segment-0000000012.log =  segment header (48 bytes), batches
//   batch                  =  batch header (32 bytes), records
//
// Checksums are CRC32C, seeded with the log's salt: a random number chosen when the log is created and
// written into every segment. So no bytes that a client stores can be taken for a batch, and no segment of
// another log for one of this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "raft/types.h"
#include "shard/log/log_store.h"

namespace meridian::log_format {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 48;
inline constexpr std::size_t kBatchHeaderBytes = 32;

std::uint32_t crc32c(std::string_view bytes, std::uint32_t salt = 0);

// The first 16 bytes (magic, version, their checksum) keep their meaning in every version to come, so that
// an old program can tell a newer format from damage.
struct SegmentHeader {
  std::uint32_t salt = 0;
  std::uint64_t number = 0;          // segments are numbered without gaps
  std::uint64_t first_sequence = 0;  // of its first batch; all before it were synced when it was made
  std::uint64_t first_segment = 0;   // the oldest segment needed when it was made
};
std::string encode(const SegmentHeader& header);
// kFailedPrecondition: a newer version. kCorruption. bytes: the start of the file.
Result<SegmentHeader> decode_segment_header(std::string_view bytes);

struct BatchHeader {
  std::uint32_t payload_crc = 0;
  std::uint32_t payload_bytes = 0;
  std::uint64_t sequence = 0;  // from 1, without gaps
  std::uint64_t synced = 0;    // every batch up to this one was synced when this one was written
};
// Into the first kBatchHeaderBytes of batch, over the records that follow them.
void seal_batch(std::string& batch, std::uint64_t sequence, std::uint64_t synced, std::uint32_t salt);
// nullopt: not a header, damaged, or not of this log.
std::optional<BatchHeader> decode_batch_header(std::string_view bytes, std::uint32_t salt);

// Records, in the order in which they change what the log says. The last three also restate what an old
// segment said, unchanged, when it is about to be removed: they never discard anything that is live.
struct TruncatePrefix {
  ShardId shard;
  ReplicaId replica;
  LogBase base;
};
struct Tombstone {
  ShardId shard;
  ReplicaId min_allowed;
};
struct State {  // all but the entries
  ShardId shard;
  ReplicaId replica;
  LogBase base;
  std::optional<raft::HardState> hard_state;
};
struct Entries {
  ShardId shard;
  ReplicaId replica;
  std::vector<raft::Entry> entries;  // a contiguous run
};
struct FirstSegment {  // older ones are not needed any more
  std::uint64_t number = 0;
};
using Record = std::variant<LogUpdate, TruncatePrefix, Tombstone, State, Entries, FirstSegment>;

void append_record(std::string& out, const Record& record);
void append_record(std::string& out, const LogUpdate& update);
// nullopt: the payload cannot be what was written (its checksum held, so a bug or a newer writer).
std::optional<std::vector<Record>> decode_records(std::string_view payload);

std::string segment_name(std::uint64_t number);
// nullopt: not a segment.
std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace meridian::log_format
