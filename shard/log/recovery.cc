#include "shard/log/recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/fault.h"
#include "shard/log/format.h"
#include "shard/log/replay.h"
#include "shard/log/segment_file.h"

namespace meridian {
namespace {

using log_format::BatchHeader;
using log_format::kBatchHeaderBytes;
using log_format::kSegmentHeaderBytes;
using log_format::SegmentHeader;

struct Found {
  SegmentHeader header;
  std::string path;
};

std::unexpected<Error> damaged(const std::string& path, std::uint64_t offset, std::string_view what) {
  return fail(ErrorCode::kCorruption,
              fmt::format("{} is damaged at offset {}: {}. The log is below what was known to be on disk; this node "
                          "must not serve from it: replace it (meridianctl node replace)",
                          path, offset, what));
}

class Scan {
 public:
  Scan(FileSystem& fs, const std::string& directory, const std::function<LogIndex(ShardId)>& applied)
      : fs_(fs), directory_(directory), replay_(applied) {}

  Result<LogRecovery> run() {
    RETURN_IF_ERROR(find_segments());
    if (out_.noted_newest > (found_.empty() ? 0 : found_.back().header.number)) {
      return fail(
          ErrorCode::kCorruption,
          fmt::format("{}/{} is missing: the log had begun it. This node must not serve from what is left: replace "
                      "it (meridianctl node replace)",
                      directory_, log_format::segment_name(out_.noted_newest)));
    }
    if (found_.empty()) return std::move(out_);
    RETURN_IF_ERROR(find_first_segment());
    std::uint64_t next = found_.front().header.first_sequence;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      RETURN_IF_ERROR(scan_segment(i, next));
    }
    out_.last_sequence = next - 1;
    mark_segments();
    auto shards = replay_.finish();
    if (!shards) return fail(ErrorCode::kCorruption, fmt::format("{}: {}", directory_, shards.error().message()));
    out_.shards = std::move(shards->logs);
    out_.entries = std::move(shards->entries);
    return std::move(out_);
  }

 private:
  Result<> find_segments();
  Result<> find_first_segment();
  Result<> scan_segment(std::size_t position, std::uint64_t& next);
  Result<> judge_damage(const Found& segment, std::string_view bytes, std::uint64_t offset, std::uint64_t next);
  void mark_segments();

  FileSystem& fs_;
  const std::string& directory_;
  LogRecovery out_;
  LogReplay replay_;
  std::vector<Found> found_;
  // (sequence, end offset) of the last segment's batches.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> last_batches_;
};

// Counted from 1, and never near where an addition would overflow.
bool plausible(std::uint64_t number) { return number > 0 && number < std::uint64_t{1} << 62; }

// A whole batch at the front of bytes, or nullopt.
std::optional<BatchHeader> whole_batch(std::string_view bytes, std::uint32_t salt) {
  const auto header = log_format::decode_batch_header(bytes, salt);
  if (!header || header->payload_bytes > bytes.size() - kBatchHeaderBytes) return std::nullopt;
  const std::string_view payload = bytes.substr(kBatchHeaderBytes, header->payload_bytes);
  if (log_format::crc32c(payload, salt) != header->payload_crc) return std::nullopt;
  return header;
}

Result<> Scan::find_segments() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.list(directory_));
  ASSIGN_OR_RETURN(out_.noted_newest, noted_newest(fs_, directory_));
  for (const std::string& name : names) {
    const std::string path = directory_ + "/" + name;
    if (name.ends_with(".tmp")) out_.leftovers.push_back(path);
    const auto number = log_format::parse_segment_name(name);
    if (!number) continue;
    ASSIGN_OR_RETURN(const auto file, fs_.open(path, FileSystem::Open::kExisting));
    ASSIGN_OR_RETURN(const std::string bytes, file->read(0, kSegmentHeaderBytes));
    ASSIGN_OR_RETURN(const std::uint64_t size, file->size());
    auto header = log_format::decode_segment_header(bytes);
    if (!header && header.error().code() == ErrorCode::kCorruption) {
      // The header is synced before the first batch is written, so nothing can be lost with this one.
      const bool newest = std::none_of(names.begin(), names.end(), [&](const std::string& other) {
        return log_format::parse_segment_name(other).value_or(0) > *number;
      });
      if (!newest || size > kSegmentHeaderBytes || *number <= out_.noted_newest)
        return damaged(path, 0, header.error().message());
      PROBE("log.torn_segment_header");
      out_.leftovers.push_back(path);
      continue;
    }
    if (!header) return fail(header.error().code(), fmt::format("{}: {}", path, header.error().message()));
    if (header->number != *number) return damaged(path, 0, fmt::format("it is segment {}", header->number));
    if (!plausible(header->number) || !plausible(header->first_sequence)) {
      return damaged(
          path, 0,
          fmt::format("segment {} from batch {}: no log is that long", header->number, header->first_sequence));
    }
    found_.push_back({*header, path});
  }
  return {};
}

// Drops from found_ what is not needed any more; what remains must be without gaps.
Result<> Scan::find_first_segment() {
  const Found& last = found_.back();
  out_.salt = last.header.salt;
  out_.first_segment = last.header.first_segment;
  // Anything later can only be said by a record in the last segment itself.
  ASSIGN_OR_RETURN(const std::string bytes, read_file(fs_, last.path));
  std::string_view rest = std::string_view(bytes).substr(kSegmentHeaderBytes);
  while (const auto header = whole_batch(rest, out_.salt)) {
    const auto records = log_format::decode_records(rest.substr(kBatchHeaderBytes, header->payload_bytes));
    for (const log_format::Record& record : records.value_or(std::vector<log_format::Record>())) {
      if (const auto* first = std::get_if<log_format::FirstSegment>(&record)) {
        out_.first_segment = std::max(out_.first_segment, first->number);
      }
    }
    rest.remove_prefix(kBatchHeaderBytes + header->payload_bytes);
  }
  std::erase_if(found_, [&](const Found& segment) {
    if (segment.header.number >= out_.first_segment) return false;
    out_.leftovers.push_back(segment.path);
    return true;
  });
  std::uint64_t expected = out_.first_segment;
  for (const Found& segment : found_) {
    if (segment.header.number != expected) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("{}/{} is missing", directory_, log_format::segment_name(expected)));
    }
    if (segment.header.salt != out_.salt) return damaged(segment.path, 0, "it belongs to another log");
    ++expected;
  }
  if (found_.empty()) {
    return fail(ErrorCode::kCorruption,
                fmt::format("{}/{} is missing", directory_, log_format::segment_name(out_.first_segment)));
  }
  return {};
}

Result<> Scan::scan_segment(std::size_t position, std::uint64_t& next) {
  const Found& segment = found_[position];
  const bool last = position + 1 == found_.size();
  if (segment.header.first_sequence != next) {
    return damaged(segment.path, 0,
                   fmt::format("it starts with batch {}, not {}", segment.header.first_sequence, next));
  }
  out_.recorded = std::max(out_.recorded, segment.header.first_sequence - 1);
  ASSIGN_OR_RETURN(const std::string bytes, read_file(fs_, segment.path));
  std::uint64_t offset = kSegmentHeaderBytes;
  std::vector<Milepost> mileposts;
  while (const auto header = whole_batch(std::string_view(bytes).substr(offset), out_.salt)) {
    if (header->sequence != next) {
      return damaged(segment.path, offset, fmt::format("batch {} where {} belongs", header->sequence, next));
    }
    const auto records =
        log_format::decode_records(std::string_view(bytes).substr(offset + kBatchHeaderBytes, header->payload_bytes));
    if (!records) return damaged(segment.path, offset, "a record of unknown kind");
    for (const log_format::Record& record : *records) {
      if (auto applied = replay_.apply(record, next); !applied) {
        return damaged(segment.path, offset, applied.error().message());
      }
    }
    out_.recorded = std::max(out_.recorded, header->synced);
    out_.last_is_empty = records->empty();
    set_milepost(mileposts, next, offset);
    offset += kBatchHeaderBytes + header->payload_bytes;
    if (last) last_batches_.emplace_back(next, offset);
    ++next;
  }
  out_.segments.push_back({.number = segment.header.number,
                           .first_sequence = segment.header.first_sequence,
                           .bytes = offset,
                           .mileposts = std::move(mileposts),
                           .path = segment.path});
  if (offset == bytes.size()) return {};
  // What was reserved (File::reserve) and not written any more.
  if (bytes.find_first_not_of('\0', offset) == std::string::npos) {
    out_.tail = last;
    return {};
  }
  // A segment is begun only when every batch before it is synced.
  if (!last) return damaged(segment.path, offset, fmt::format("batch {} is unreadable", next));
  return judge_damage(segment, bytes, offset, next);
}

// Batch `next` is unreadable. If anything behind it was written knowing that it was synced, it is lost data;
// otherwise it is a write that a crash interrupted.
Result<> Scan::judge_damage(const Found& segment, std::string_view bytes, std::uint64_t offset, std::uint64_t next) {
  bytes = bytes.substr(0, bytes.find_last_not_of('\0') + 1 + kBatchHeaderBytes);  // reserved, and not written
  for (std::uint64_t at = offset; at + kBatchHeaderBytes <= bytes.size(); ++at) {
    const auto header = log_format::decode_batch_header(bytes.substr(at), out_.salt);
    // Of torn bytes one in 2^32 looks like a header: what it says has to be possible, too. Every batch takes up a
    // header.
    const bool possible =
        header && header->synced < header->sequence && header->sequence <= next + (at - offset) / kBatchHeaderBytes;
    if (possible && header->synced >= next) {
      return damaged(segment.path, offset,
                     fmt::format("batch {} is unreadable, and batch {} at offset {} knew it to be synced", next,
                                 header->sequence, at));
    }
  }
  PROBE("log.torn_tail_cut");
  out_.tail = true;
  return {};
}

void Scan::mark_segments() {
  for (RecoveredSegment& segment : out_.segments) segment.marked_bytes = segment.bytes;
  std::uint64_t marked = 0;
  for (const auto& [sequence, end] : last_batches_) {
    if (sequence <= out_.recorded) marked = end;
  }
  out_.segments.back().marked_bytes = marked;
}

}  // namespace

Result<LogRecovery> scan_log(FileSystem& fs, const std::string& directory,
                             const std::function<LogIndex(ShardId)>& applied) {
  return Scan(fs, directory, applied).run();
}

}  // namespace meridian
