// Reads entries back from the segments. Blocking, on the pool, beside the writer: only what is synced is asked for,
// and that never changes. A segment may be removed meanwhile; what was asked for has then been restated elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "shard/log/entry_run.h"
#include "shard/log/format.h"

namespace meridian {

// Batch `sequence` starts at `offset` of its segment. One is kept every EntryRun::kMaxBytes.
struct Milepost {
  std::uint64_t sequence = 0;
  std::uint64_t offset = 0;
};

inline void set_milepost(std::vector<Milepost>& posts, std::uint64_t sequence, std::uint64_t offset) {
  if (posts.empty() || offset - posts.back().offset >= EntryRun::kMaxBytes) posts.push_back({sequence, offset});
}

// A segment as a reader needs it.
struct SegmentView {
  std::uint64_t number = 0;
  std::uint64_t end = 0;            // of its synced batches
  std::vector<Milepost> mileposts;  // the first batch's among them; empty where the segment has none yet
};

class LogReader {
 public:
  struct Read {
    // From run.first on, without gaps, of whole batches. Empty: it is behind what is synced.
    std::vector<raft::Entry> entries;
    std::uint64_t next = 0;  // the batch from which the rest of the run stands
  };

  // segments: in order, up to the last synced batch.
  LogReader(FileSystem& fs, std::string directory, std::uint32_t salt, std::vector<SegmentView> segments);
  ~LogReader();

  // Of one run, until max_bytes are reached or what is synced ends. kCorruption, kIo; kNotFound: a segment is gone.
  Result<Read> read(ShardId shard, const EntryRun& run, std::uint64_t max_bytes);

 private:
  Result<> seek(std::uint64_t sequence);
  Result<> open(std::size_t segment, std::uint64_t offset);
  // Makes at least n bytes at the position available in buffer_; false: the segment ends before that.
  Result<bool> fill(std::size_t n);
  // Moves over one batch; its records. nullopt: there are no more.
  Result<std::optional<std::vector<log_format::Record>>> next_batch();
  std::string_view rest() const { return std::string_view(buffer_).substr(taken_); }
  std::unexpected<Error> damaged(std::string_view what) const;

  FileSystem& fs_;
  const std::string directory_;
  const std::uint32_t salt_;
  const std::vector<SegmentView> segments_;

  // The position: batch next_ stands at offset_ of segments_[segment_], or at the start of the one after it.
  std::size_t segment_ = 0;
  std::unique_ptr<File> file_;  // null: nowhere yet
  std::uint64_t offset_ = 0;
  std::uint64_t next_ = 0;
  std::string buffer_;  // what was read; from offset_ on but for the bytes taken already
  std::size_t taken_ = 0;
};

}  // namespace meridian
