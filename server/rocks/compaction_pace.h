// How fast compactions should write. As fast as they can, they take a processor for seconds, on all replicas at about the
// same time; where processors are few every request waits then. What has been written waits for a compaction anyway, and
// the next one is due only when so much more has been: so for each byte written a compaction may write its share of what
// is left, and is done in time whatever the load.
//
//   pace = debt × (bytes written per second) / (bytes that may be written until level 0 is at kComfortable files)
//
// Pure; not thread-safe.
#pragma once

#include <cstdint>

namespace meridian {

class CompactionPace {
 public:
  // Level 0 may grow to this many files while a compaction is paced; from there on it is not. RocksDB slows writers down
  // from 20 files on.
  static constexpr int kComfortable = 14;
  // Without writes there is time, but not for ever: a reader pays for each file of level 0.
  static constexpr double kFloorPerSecond = 8 << 20;

  struct Backlog {
    std::uint64_t debt_bytes = 0;  // what compactions have to write until every level is in shape
    int level0_files = 0;
    int waiting_buffers = 0;  // full write buffers that are not flushed
  };

  // file_bytes: of a file of level 0.
  explicit CompactionPace(std::uint64_t file_bytes) : file_bytes_(static_cast<double>(file_bytes)) {}

  // Bytes per second; infinity: as fast as it can. written_bytes: to the database since it was opened, by now_s seconds.
  double per_second(double now_s, std::uint64_t written_bytes, const Backlog& backlog);

 private:
  void learn(double now_s, std::uint64_t written_bytes);

  const double file_bytes_;
  double measured_at_s_ = -1;  // negative: not yet
  std::uint64_t measured_bytes_ = 0;
  double written_per_s_ = 0;
};

}  // namespace meridian
