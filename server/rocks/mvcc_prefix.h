// What RocksDB's prefix Bloom filters are built over: the user key of MVCC keys, without version.
//   0x03, keyspace u32, ordered user key (ends with its end mark) | timestamp, origin
//   ------------------------- the prefix ------------------------
// All other keys are out of the filters' domain.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace rocksdb {
class SliceTransform;
}

namespace meridian {

inline constexpr char kMvccKind = 0x03;

// Empty: not an MVCC key.
std::string_view mvcc_prefix(std::string_view key);

// True if every key of [start, end) has mvcc_prefix(start): only then may the filters be asked.
bool within_one_mvcc_prefix(std::string_view start, std::string_view end);

std::shared_ptr<const rocksdb::SliceTransform> make_mvcc_prefix_extractor();

}  // namespace meridian
