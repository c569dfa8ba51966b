#include "server/rocks/mvcc_prefix.h"

#include <rocksdb/slice_transform.h>

#include "base/keys.h"
#include "server/rocks/rocks_status.h"

namespace meridian {

namespace {

constexpr std::size_t kUserKeyOffset = 1 + 4;

// The name is stored in every table; another domain needs another name.
class MvccPrefixExtractor final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "meridian.MvccPrefix.1"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return to_slice(mvcc_prefix(to_view(key))); }
  bool InDomain(const rocksdb::Slice& key) const override { return !mvcc_prefix(to_view(key)).empty(); }
  // The end mark closes the prefix: nothing appended changes it.
  bool SameResultWhenAppended(const rocksdb::Slice& prefix) const override { return InDomain(prefix); }
};

}  // namespace

std::string_view mvcc_prefix(std::string_view key) {
  if (key.size() <= kUserKeyOffset || key[0] != kMvccKind) return {};
  const std::size_t length = ordered_length(key.substr(kUserKeyOffset));
  return length == 0 ? std::string_view() : key.substr(0, kUserKeyOffset + length);
}

bool within_one_mvcc_prefix(std::string_view start, std::string_view end) {
  const std::string_view prefix = mvcc_prefix(start);
  return !prefix.empty() && !end.empty() && end <= prefix_end(std::string(prefix));
}

std::shared_ptr<const rocksdb::SliceTransform> make_mvcc_prefix_extractor() {
  return std::make_shared<MvccPrefixExtractor>();
}

}  // namespace meridian
