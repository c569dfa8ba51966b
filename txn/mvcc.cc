#include "txn/mvcc.h"

#include "base/bytes.h"
#include "base/keys.h"

namespace meridian::txn {
namespace {

constexpr char kTombstoneFlag = 1;
constexpr std::size_t kHeaderBytes = 1 + 3 * 8 + 8;
constexpr std::size_t kSuffixBytes = 8 + 2;  // timestamp, origin

std::string user_key_prefix(KeyKind kind, KeyspaceId keyspace, std::string_view key) {
  std::string out;
  out.reserve(1 + 4 + key.size() + 4 + 24);
  out.push_back(static_cast<char>(kind));
  append_u32(out, keyspace.value());
  append_ordered(out, key);
  return out;
}

KeyRange user_key_range(KeyKind kind, KeyspaceId keyspace, std::string_view start, std::string_view end) {
  std::string whole;
  whole.push_back(static_cast<char>(kind));
  append_u32(whole, keyspace.value());
  KeyRange range;
  range.start = start.empty() ? whole : user_key_prefix(kind, keyspace, start);
  range.end = end.empty() ? prefix_end(whole) : user_key_prefix(kind, keyspace, end);
  return range;
}

// Where reading `key` as of `at` starts: the first engine key that is not newer.
std::string seek_key(std::string prefix, Timestamp at) {
  append_u64_inverted(prefix, at.packed());
  return prefix;
}

Result<Timestamp> version_of(std::string_view engine_key) {
  if (engine_key.size() < kSuffixBytes + 5) return fail(ErrorCode::kCorruption, "a version's key is too short");
  std::string_view suffix = engine_key.substr(engine_key.size() - kSuffixBytes);
  std::uint64_t packed = 0;
  if (!consume_u64_inverted(suffix, packed)) return fail(ErrorCode::kCorruption, "a version's key has no timestamp");
  return Timestamp(packed);
}

}  // namespace

std::string local_key(ShardId shard) {
  std::string out(1, static_cast<char>(KeyKind::kLocal));
  append_u64(out, shard.value());
  return out;
}

std::string system_key(std::string_view name) {
  std::string out(1, static_cast<char>(KeyKind::kSystem));
  out.append(name);
  return out;
}

std::string version_key(KeyspaceId keyspace, std::string_view key, Timestamp version, RegionId origin) {
  std::string out = user_key_prefix(KeyKind::kVersion, keyspace, key);
  append_u64_inverted(out, version.packed());
  append_u16(out, origin.value());
  return out;
}

std::string version_value(const VersionHeader& header, std::string_view value) {
  std::string out;
  out.reserve(kHeaderBytes + value.size());
  out.push_back(header.tombstone ? kTombstoneFlag : 0);
  put_big_endian(out, header.id.time_us);
  put_big_endian(out, header.id.client);
  put_big_endian(out, header.id.sequence);
  put_big_endian(out, header.payload_hash);
  out.append(value);
  return out;
}

std::string outcome_key(KeyspaceId keyspace, std::string_view key, const RequestId& id) {
  std::string out = user_key_prefix(KeyKind::kOutcome, keyspace, key);
  append_u64(out, id.time_us);
  append_u64(out, id.client);
  append_u64(out, id.sequence);
  return out;
}

std::string outcome_value(std::uint64_t payload_hash, Timestamp found_version) {
  std::string out;
  put_big_endian(out, payload_hash);
  put_big_endian(out, found_version.packed());
  return out;
}

KeyRange version_range(KeyspaceId keyspace, std::string_view start, std::string_view end) {
  return user_key_range(KeyKind::kVersion, keyspace, start, end);
}

KeyRange outcome_range(KeyspaceId keyspace, std::string_view start, std::string_view end) {
  return user_key_range(KeyKind::kOutcome, keyspace, start, end);
}

Result<VersionHeader> decode_version_header(std::string_view stored, std::string_view* value) {
  ByteReader reader(stored);
  const std::string_view flags = reader.bytes(1);
  VersionHeader header;
  header.id.time_us = reader.big_endian<std::uint64_t>();
  header.id.client = reader.big_endian<std::uint64_t>();
  header.id.sequence = reader.big_endian<std::uint64_t>();
  header.payload_hash = reader.big_endian<std::uint64_t>();
  if (!reader.ok()) return fail(ErrorCode::kCorruption, fmt::format("a version of {} bytes has no header", stored.size()));
  if ((flags[0] & ~kTombstoneFlag) != 0) {
    return fail(ErrorCode::kCorruption, fmt::format("a version has unknown flags {:#x}", static_cast<int>(flags[0])));
  }
  header.tombstone = (flags[0] & kTombstoneFlag) != 0;
  *value = reader.rest();
  return header;
}

Result<VersionedValue> read_version(Engine& engine, KeyspaceId keyspace, std::string_view key, Timestamp at,
                                    const EngineReadOptions& options) {
  std::string prefix = user_key_prefix(KeyKind::kVersion, keyspace, key);
  KeyRange range{seek_key(prefix, at), prefix_end(prefix)};
  const std::string seek = range.start;
  auto it = engine.iterate(std::move(range), options);
  it->seek(seek);
  VersionedValue out;
  if (!it->valid()) {
    RETURN_IF_ERROR(it->status());
    return out;
  }
  ASSIGN_OR_RETURN(out.version, version_of(it->key()));
  std::string_view value;
  ASSIGN_OR_RETURN(const VersionHeader header, decode_version_header(it->value(), &value));
  out.found = !header.tombstone;
  if (out.found) out.value = value;
  return out;
}

Result<std::optional<FoundVersion>> find_by_request(Engine& engine, KeyspaceId keyspace, std::string_view key,
                                                    const RequestId& id, Timestamp since,
                                                    const EngineReadOptions& options) {
  const std::string prefix = user_key_prefix(KeyKind::kVersion, keyspace, key);
  auto it = engine.iterate(KeyRange{prefix, prefix_end(prefix)}, options);
  for (it->seek(prefix); it->valid(); it->next()) {
    ASSIGN_OR_RETURN(const Timestamp version, version_of(it->key()));
    if (version < since) return std::nullopt;
    std::string_view value;
    ASSIGN_OR_RETURN(const VersionHeader header, decode_version_header(it->value(), &value));
    if (header.id == id) return FoundVersion{version, header.payload_hash};
  }
  RETURN_IF_ERROR(it->status());
  return std::nullopt;
}

Result<std::optional<StoredOutcome>> find_outcome(Engine& engine, KeyspaceId keyspace, std::string_view key,
                                                  const RequestId& id, const EngineReadOptions& options) {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored, engine.get(outcome_key(keyspace, key, id), options));
  if (!stored) return std::nullopt;
  ByteReader reader(*stored);
  const auto hash = reader.big_endian<std::uint64_t>();
  const Timestamp found(reader.big_endian<std::uint64_t>());
  if (!reader.ok()) return fail(ErrorCode::kCorruption, "an outcome record is too short");
  return StoredOutcome{hash, found};
}

}  // namespace meridian::txn
