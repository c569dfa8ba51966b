#include "shard/log/log_reader.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"

namespace meridian {
namespace {

using log_format::kBatchHeaderBytes;

constexpr std::size_t kReadBytes = 256 << 10;

// What the records say of a run's entries, in their order: as LogReplay takes them.
class Gathering {
 public:
  Gathering(ShardId shard, const EntryRun& run) : shard_(shard), run_(run) {}

  void take(log_format::Record& record) {
    if (auto* update = std::get_if<LogUpdate>(&record); update != nullptr && update->shard == shard_) {
      set_replica(update->replica);
      if (update->reset) drop_from(LogIndex());
      if (update->truncate_from) drop_from(*update->truncate_from);
      take(update->entries);
    } else if (auto* restated = std::get_if<log_format::Entries>(&record);
               restated != nullptr && restated->shard == shard_) {
      set_replica(restated->replica);
      take(restated->entries);
    } else if (auto* removed = std::get_if<log_format::Tombstone>(&record);
               removed != nullptr && removed->shard == shard_) {
      if (replica_ < removed->min_allowed) drop_from(LogIndex());  // restated, it says nothing new
    }
  }
  bool complete() const { return !entries_.empty() && entries_.back().index == run_.last; }
  std::uint64_t bytes() const { return bytes_; }
  std::vector<raft::Entry> entries() && { return std::move(entries_); }

 private:
  // Another one's log begins anew.
  void set_replica(ReplicaId replica) {
    if (std::exchange(replica_, replica) != replica) drop_from(LogIndex());
  }
  void drop_from(LogIndex index) {
    for (; !entries_.empty() && entries_.back().index >= index; entries_.pop_back()) bytes_ -= entries_.back().bytes();
  }
  void take(std::vector<raft::Entry>& stated) {
    for (raft::Entry& entry : stated) {
      const LogIndex wanted = entries_.empty() ? run_.first : entries_.back().index.next();
      if (entry.index != wanted || wanted > run_.last || entry.term != run_.term) continue;
      bytes_ += entry.bytes();
      entries_.push_back(std::move(entry));
    }
  }

  const ShardId shard_;
  const EntryRun& run_;
  ReplicaId replica_;
  std::vector<raft::Entry> entries_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

LogReader::LogReader(FileSystem& fs, std::string directory, std::uint32_t salt, std::vector<SegmentView> segments)
    : fs_(fs), directory_(std::move(directory)), salt_(salt), segments_(std::move(segments)) {}

LogReader::~LogReader() = default;

std::unexpected<Error> LogReader::damaged(std::string_view what) const {
  return fail(ErrorCode::kCorruption, fmt::format("{}/{} is damaged at offset {}: {}", directory_,
                                                  log_format::segment_name(segments_[segment_].number), offset_, what));
}

Result<> LogReader::open(std::size_t segment, std::uint64_t offset) {
  const std::string path = directory_ + "/" + log_format::segment_name(segments_[segment].number);
  ASSIGN_OR_RETURN(file_, fs_.open(path, FileSystem::Open::kExisting));
  segment_ = segment;
  offset_ = offset;
  buffer_.clear();
  taken_ = 0;
  return {};
}

// Goes on from here where that is not further than from the last milepost before it.
Result<> LogReader::seek(std::uint64_t sequence) {
  const auto after = std::partition_point(segments_.begin(), segments_.end(), [&](const SegmentView& segment) {
    return !segment.mileposts.empty() && segment.mileposts.front().sequence <= sequence;
  });
  if (after == segments_.begin()) return fail(ErrorCode::kNotFound, fmt::format("batch {} is in no segment", sequence));
  const SegmentView& segment = *std::prev(after);
  const auto at = static_cast<std::size_t>(std::prev(after) - segments_.begin());
  const auto post = std::prev(std::partition_point(segment.mileposts.begin(), segment.mileposts.end(),
                                                   [&](const Milepost& m) { return m.sequence <= sequence; }));
  if (file_ && segment_ == at && next_ <= sequence && offset_ >= post->offset) return {};
  RETURN_IF_ERROR(open(at, post->offset));
  next_ = post->sequence;
  return {};
}

Result<bool> LogReader::fill(std::size_t n) {
  const std::uint64_t end = segments_[segment_].end;
  if (offset_ + n > end) return false;
  if (rest().size() >= n) return true;
  buffer_.erase(0, std::exchange(taken_, 0));
  const std::uint64_t have = offset_ + buffer_.size();
  const std::size_t want = std::min<std::uint64_t>(std::max(n - buffer_.size(), kReadBytes), end - have);
  ASSIGN_OR_RETURN(const std::string more, file_->read(have, want));
  if (more.size() < want) {  // it is being removed: files go from their ends
    return fail(ErrorCode::kNotFound, fmt::format("a segment ends at {}, not at {}", have + more.size(), end));
  }
  buffer_ += more;
  return true;
}

Result<std::optional<std::vector<log_format::Record>>> LogReader::next_batch() {
  ASSIGN_OR_RETURN(bool more, fill(kBatchHeaderBytes));
  if (!more) {
    if (segment_ + 1 == segments_.size()) return std::nullopt;
    const SegmentView& next = segments_[segment_ + 1];
    // One that is only begun need not even be there.
    if (next.mileposts.empty() || next.end <= next.mileposts.front().offset) return std::nullopt;
    RETURN_IF_ERROR(open(segment_ + 1, next.mileposts.front().offset));
    ASSIGN_OR_RETURN(more, fill(kBatchHeaderBytes));
    if (!more) return std::nullopt;
  }
  const auto header = log_format::decode_batch_header(rest(), salt_);
  if (!header || header->sequence != next_) return damaged(fmt::format("batch {} is unreadable", next_));
  ASSIGN_OR_RETURN(more, fill(kBatchHeaderBytes + header->payload_bytes));
  if (!more) return damaged(fmt::format("batch {} is cut short", next_));
  const std::string_view payload = rest().substr(kBatchHeaderBytes, header->payload_bytes);
  if (log_format::crc32c(payload, salt_) != header->payload_crc)
    return damaged(fmt::format("batch {} fails its checksum", next_));
  auto records = log_format::decode_records(payload);
  if (!records) return damaged("a record of unknown kind");
  const std::size_t bytes = kBatchHeaderBytes + header->payload_bytes;
  taken_ += bytes;
  offset_ += bytes;
  ++next_;
  return records;
}

Result<LogReader::Read> LogReader::read(ShardId shard, const EntryRun& run, std::uint64_t max_bytes) {
  RETURN_IF_ERROR(seek(run.sequence));
  Gathering gathering(shard, run);
  while (!gathering.complete() && gathering.bytes() < max_bytes) {
    const bool within = next_ >= run.sequence;
    ASSIGN_OR_RETURN(auto records, next_batch());
    if (!records) break;
    if (!within) continue;
    for (log_format::Record& record : *records) gathering.take(record);
  }
  return Read{std::move(gathering).entries(), next_};
}

}  // namespace meridian
