// Versions in the engine: how keys and values are laid out, and reading them as of a timestamp.
//
//   kind 0x01  local     shard id → the replica's applied state (shard/applied_state.h)
//   kind 0x02  outcome   (keyspace, key, request id) → a condition that failed, kept for the window (R3)
//   kind 0x03  version   (keyspace, user key, timestamp inverted, origin) → header and value
//   kind 0x04  system    cluster state records
//
// A version is immutable: its key carries timestamp and origin region, its header the request that wrote
// it and a hash of that request's payload. The newest version is met first. Reading never changes anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/engine.h"
#include "base/hlc.h"
#include "base/result.h"
#include "base/types.h"
#include "txn/types.h"

namespace meridian::txn {

enum class KeyKind : char { kLocal = 1, kOutcome = 2, kVersion = 3, kSystem = 4 };

struct VersionHeader {
  bool tombstone = false;
  RequestId id;
  std::uint64_t payload_hash = 0;
};

// A version as read. found is false for an absent key and for a tombstone alike; version tells them
// apart (zero: no version at all at or below the timestamp).
struct VersionedValue {
  bool found = false;
  std::string value;
  Timestamp version;
};

std::string local_key(ShardId shard);
std::string system_key(std::string_view name);
std::string version_key(KeyspaceId keyspace, std::string_view key, Timestamp version, RegionId origin);
std::string version_value(const VersionHeader& header, std::string_view value);
std::string outcome_key(KeyspaceId keyspace, std::string_view key, const RequestId& id);
std::string outcome_value(std::uint64_t payload_hash, Timestamp found_version);

struct StoredOutcome {
  std::uint64_t payload_hash;
  Timestamp found_version;
};

// All versions, and all outcomes, of the user keys in [start, end); an empty end: to the keyspace's end.
KeyRange version_range(KeyspaceId keyspace, std::string_view start, std::string_view end);
KeyRange outcome_range(KeyspaceId keyspace, std::string_view start, std::string_view end);

// kCorruption for bytes that no version could be.
Result<VersionHeader> decode_version_header(std::string_view stored, std::string_view* value);

// The newest version at or below `at`. kWouldBlock with MayBlock::kNo.
Result<VersionedValue> read_version(Engine& engine, KeyspaceId keyspace, std::string_view key, Timestamp at,
                                    const EngineReadOptions& options);

// The version of `key` that the request wrote at or above `since`, if there is one (R2).
struct FoundVersion {
  Timestamp version;
  std::uint64_t payload_hash;
};
Result<std::optional<FoundVersion>> find_by_request(Engine& engine, KeyspaceId keyspace, std::string_view key,
                                                    const RequestId& id, Timestamp since,
                                                    const EngineReadOptions& options);
Result<std::optional<StoredOutcome>> find_outcome(Engine& engine, KeyspaceId keyspace, std::string_view key,
                                                  const RequestId& id, const EngineReadOptions& options);

struct ScanRange {
  KeyspaceId keyspace;
  std::string start;  // inclusive
  std::string end;    // exclusive; empty: to the keyspace's end
  bool reverse = false;
  bool keys_only = false;
  std::size_t limit = 1000;          // live entries
  std::size_t max_bytes = kMaxAnswerBytes;  // of what is answered, encoded; at least one entry is
  std::size_t max_versions = 1u << 20;  // looked at before the page ends, so that tombstones cannot make it endless
};

struct ScanEntry {
  std::string key;
  std::string value;
  Timestamp version;
};

struct ScanPage {
  std::vector<ScanEntry> entries;
  // The range still to be read, if the page ended before it.
  std::optional<std::pair<std::string, std::string>> rest;
};

// The live entries of the range as of `at`, in order.
Result<ScanPage> scan_versions(Engine& engine, const ScanRange& range, Timestamp at, const EngineReadOptions& options);

}  // namespace meridian::txn
