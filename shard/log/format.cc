#include "shard/log/format.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <isa-l/crc.h>

#include "base/bytes.h"
#include "base/check.h"

namespace meridian::log_format {
namespace {

constexpr std::string_view kMagic = "MRDNLOG\n";
constexpr std::string_view kNamePrefix = "segment-", kNameSuffix = ".log";

// The numbers are stored; append only.
enum class Kind : std::uint8_t {
  kUpdate = 1,
  kTruncatePrefix = 2,
  kTombstone = 3,
  kState = 4,
  kEntries = 5,
  kFirstSegment = 6,
};
constexpr std::uint64_t kHasReset = 1, kHasTruncate = 2, kHasEntries = 4, kHasHardState = 8, kKnownFlags = 15;

void put_kind(std::string& out, Kind kind, ShardId shard, ReplicaId replica) {
  out.push_back(static_cast<char>(kind));
  put_varint(out, shard.value());
  put_varint(out, replica.value());
}

void put_base(std::string& out, const LogBase& base) {
  put_varint(out, base.index.value());
  put_varint(out, base.term.value());
}

LogBase get_base(ByteReader& in) {
  const LogIndex index(in.varint());
  return {index, Term(in.varint())};
}

void put_hard_state(std::string& out, const raft::HardState& state) {
  put_varint(out, state.term.value());
  put_varint(out, state.vote.value());
  put_varint(out, state.commit.value());
}

raft::HardState get_hard_state(ByteReader& in) {
  const Term term(in.varint());
  const ReplicaId vote(in.varint());
  return {term, vote, LogIndex(in.varint())};
}

void put_entries(std::string& out, const std::vector<raft::Entry>& entries) {
  put_varint(out, entries.size());
  put_varint(out, entries.empty() ? 0 : entries.front().index.value());
  for (const raft::Entry& entry : entries) {
    put_varint(out, entry.term.value());
    out.push_back(static_cast<char>(entry.type));
    put_string(out, entry.data ? std::string_view(*entry.data) : std::string_view());
  }
}

std::vector<raft::Entry> get_entries(ByteReader& in) {
  std::vector<raft::Entry> entries;
  const std::uint64_t count = in.varint();
  LogIndex index(in.varint());
  for (std::uint64_t i = 0; i < count && in.ok(); ++i, index = index.next()) {
    const Term term(in.varint());
    const auto type = static_cast<raft::EntryType>(in.big_endian<std::uint8_t>());
    const std::string_view data = in.string();
    entries.push_back({index, term, type, data.empty() ? nullptr : std::make_shared<const std::string>(data)});
  }
  return entries;
}

LogUpdate get_update(ByteReader& in, ShardId shard, ReplicaId replica, bool& ok) {
  LogUpdate update{.shard = shard, .replica = replica};
  const std::uint64_t flags = in.varint();
  if ((flags & ~kKnownFlags) != 0) ok = false;
  if ((flags & kHasReset) != 0) update.reset = get_base(in);
  if ((flags & kHasTruncate) != 0) update.truncate_from = LogIndex(in.varint());
  if ((flags & kHasEntries) != 0) update.entries = get_entries(in);
  if ((flags & kHasHardState) != 0) update.hard_state = get_hard_state(in);
  return update;
}

State get_state(ByteReader& in, ShardId shard, ReplicaId replica) {
  State state{.shard = shard, .replica = replica, .base = get_base(in)};
  if (in.varint() != 0) state.hard_state = get_hard_state(in);
  return state;
}

void append(std::string& out, const TruncatePrefix& record) {
  put_kind(out, Kind::kTruncatePrefix, record.shard, record.replica);
  put_base(out, record.base);
}
void append(std::string& out, const Tombstone& record) {
  put_kind(out, Kind::kTombstone, record.shard, record.min_allowed);
}
void append(std::string& out, const State& record) {
  put_kind(out, Kind::kState, record.shard, record.replica);
  put_base(out, record.base);
  put_varint(out, record.hard_state ? 1 : 0);
  if (record.hard_state) put_hard_state(out, *record.hard_state);
}
void append(std::string& out, const Entries& record) {
  put_kind(out, Kind::kEntries, record.shard, record.replica);
  put_entries(out, record.entries);
}
void append(std::string& out, const FirstSegment& record) {
  put_kind(out, Kind::kFirstSegment, ShardId(), ReplicaId());
  put_varint(out, record.number);
}
void append(std::string& out, const LogUpdate& update) { append_record(out, update); }

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t salt) {
  // isa-l neither inverts the seed nor the result; its parameter is not const, its buffer is.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~salt);
}

std::string encode(const SegmentHeader& header) {
  std::string out(kMagic);
  put_big_endian(out, kVersion);
  put_big_endian(out, crc32c(out));
  put_big_endian(out, header.salt);
  put_big_endian(out, header.number);
  put_big_endian(out, header.first_sequence);
  put_big_endian(out, header.first_segment);
  put_big_endian(out, crc32c(out));
  CHECK(out.size() == kSegmentHeaderBytes);
  return out;
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes) {
  ByteReader in(bytes);
  const bool magic = in.bytes(kMagic.size()) == kMagic;
  const auto version = in.big_endian<std::uint32_t>();
  const auto version_crc = in.big_endian<std::uint32_t>();
  if (!in.ok() || !magic || version_crc != crc32c(bytes.substr(0, kMagic.size() + sizeof version))) {
    return fail(ErrorCode::kCorruption, "the segment's header is damaged");
  }
  if (version > kVersion) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("the log has format version {}; this program knows up to version {}", version, kVersion));
  }
  SegmentHeader header;
  header.salt = in.big_endian<std::uint32_t>();
  header.number = in.big_endian<std::uint64_t>();
  header.first_sequence = in.big_endian<std::uint64_t>();
  header.first_segment = in.big_endian<std::uint64_t>();
  const auto crc = in.big_endian<std::uint32_t>();
  if (!in.ok() || crc != crc32c(bytes.substr(0, kSegmentHeaderBytes - sizeof crc))) {
    return fail(ErrorCode::kCorruption, "the segment's header is damaged");
  }
  return header;
}

void seal_batch(std::string& batch, std::uint64_t sequence, std::uint64_t synced, std::uint32_t salt) {
  const std::string_view payload = std::string_view(batch).substr(kBatchHeaderBytes);
  std::string header;
  put_big_endian(header, crc32c(payload, salt));
  put_big_endian(header, static_cast<std::uint32_t>(payload.size()));
  put_big_endian(header, std::uint32_t{0});  // reserved
  put_big_endian(header, sequence);
  put_big_endian(header, synced);
  std::string crc;
  put_big_endian(crc, crc32c(header, salt));
  batch.replace(0, crc.size(), crc);
  batch.replace(crc.size(), header.size(), header);
}

std::optional<BatchHeader> decode_batch_header(std::string_view bytes, std::uint32_t salt) {
  if (bytes.size() < kBatchHeaderBytes) return std::nullopt;
  ByteReader in(bytes);
  const auto crc = in.big_endian<std::uint32_t>();
  if (crc != crc32c(bytes.substr(sizeof crc, kBatchHeaderBytes - sizeof crc), salt)) return std::nullopt;
  BatchHeader header;
  header.payload_crc = in.big_endian<std::uint32_t>();
  header.payload_bytes = in.big_endian<std::uint32_t>();
  in.big_endian<std::uint32_t>();
  header.sequence = in.big_endian<std::uint64_t>();
  header.synced = in.big_endian<std::uint64_t>();
  return header;
}

void append_record(std::string& out, const LogUpdate& update) {
  put_kind(out, Kind::kUpdate, update.shard, update.replica);
  put_varint(out, (update.reset ? kHasReset : 0) | (update.truncate_from ? kHasTruncate : 0) |
                      (update.entries.empty() ? 0 : kHasEntries) | (update.hard_state ? kHasHardState : 0));
  if (update.reset) put_base(out, *update.reset);
  if (update.truncate_from) put_varint(out, update.truncate_from->value());
  if (!update.entries.empty()) put_entries(out, update.entries);
  if (update.hard_state) put_hard_state(out, *update.hard_state);
}

void append_record(std::string& out, const Record& record) {
  std::visit([&](const auto& alternative) { append(out, alternative); }, record);
}

std::optional<std::vector<Record>> decode_records(std::string_view payload) {
  std::vector<Record> records;
  ByteReader in(payload);
  bool ok = true;
  while (in.ok() && ok && !in.at_end()) {
    const auto kind = static_cast<Kind>(in.big_endian<std::uint8_t>());
    const ShardId shard(in.varint());
    const ReplicaId replica(in.varint());
    switch (kind) {
      case Kind::kUpdate: records.emplace_back(get_update(in, shard, replica, ok)); break;
      case Kind::kTruncatePrefix: records.emplace_back(TruncatePrefix{shard, replica, get_base(in)}); break;
      case Kind::kTombstone: records.emplace_back(Tombstone{shard, replica}); break;
      case Kind::kState: records.emplace_back(get_state(in, shard, replica)); break;
      case Kind::kEntries: records.emplace_back(Entries{shard, replica, get_entries(in)}); break;
      case Kind::kFirstSegment: records.emplace_back(FirstSegment{in.varint()}); break;
      default: ok = false;
    }
  }
  if (!in.ok() || !ok) return std::nullopt;
  return records;
}

std::string segment_name(std::uint64_t number) { return fmt::format("{}{:010}{}", kNamePrefix, number, kNameSuffix); }

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (!name.starts_with(kNamePrefix) || !name.ends_with(kNameSuffix)) return std::nullopt;
  const std::string_view digits =
      name.substr(kNamePrefix.size(), name.size() - kNamePrefix.size() - kNameSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || name != segment_name(number)) return std::nullopt;
  return number;
}

}  // namespace meridian::log_format
