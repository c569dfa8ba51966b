// Scanning: one pass over the versions of a range, newest first within each key. Forwards, the first
// version of a key that is not above the timestamp decides it; backwards, the last one seen does.
#include "base/keys.h"
#include "txn/mvcc.h"

namespace meridian::txn {
namespace {

constexpr std::size_t kPrefixBytes = 1 + 4;
constexpr std::size_t kSuffixBytes = 8 + 2;

struct Row {
  std::string_view encoded_key;  // of the user key
  Timestamp version;
};

Result<Row> parse(std::string_view engine_key) {
  if (engine_key.size() < kPrefixBytes + kSuffixBytes) return fail(ErrorCode::kCorruption, "a version's key is too short");
  Row row;
  row.encoded_key = engine_key.substr(kPrefixBytes, engine_key.size() - kPrefixBytes - kSuffixBytes);
  std::string_view suffix = engine_key.substr(engine_key.size() - kSuffixBytes);
  std::uint64_t packed = 0;
  if (!consume_u64_inverted(suffix, packed)) return fail(ErrorCode::kCorruption, "a version's key has no timestamp");
  row.version = Timestamp(packed);
  return row;
}

Result<std::string> user_key(std::string_view encoded) {
  std::string key;
  if (!consume_ordered(encoded, key) || !encoded.empty()) {
    return fail(ErrorCode::kCorruption, "a version's key is not well encoded");
  }
  // As the end of what is left to scan it would mean "to the last key": pages without end.
  if (key.empty()) return fail(ErrorCode::kCorruption, "a version's key is empty");
  return key;
}

// Collects entries until the page is full.
class PageBuilder {
 public:
  PageBuilder(const ScanRange& range, ScanPage& page) : range_(range), page_(page) {}
  bool full() const { return page_.entries.size() >= range_.limit; }
  // False: the page would become too large, and ends before this key.
  Result<bool> add(const std::string& key, std::string_view stored, Timestamp version) {
    std::string_view value;
    ASSIGN_OR_RETURN(const VersionHeader header, decode_version_header(stored, &value));
    if (header.tombstone) return true;
    if (range_.keys_only) value = {};
    const std::size_t size = key.size() + value.size() + kItemOverheadBytes;
    if (!page_.entries.empty() && bytes_ + size > range_.max_bytes) return false;
    bytes_ += size;
    page_.entries.push_back({key, std::string(value), version});
    return true;
  }

 private:
  const ScanRange& range_;
  ScanPage& page_;
  std::size_t bytes_ = 0;
};

Result<ScanPage> scan_forward(EngineIterator& it, const ScanRange& range, Timestamp at) {
  ScanPage page;
  PageBuilder builder(range, page);
  std::string decided;  // the encoded key whose newest visible version was met
  bool any = false;
  std::size_t looked_at = 0;
  for (it.seek_to_first(); it.valid(); it.next()) {
    ASSIGN_OR_RETURN(const Row row, parse(it.key()));
    const bool same_key = any && row.encoded_key == decided;
    if (!same_key && (builder.full() || looked_at >= range.max_versions)) {
      ASSIGN_OR_RETURN(std::string next, user_key(row.encoded_key));
      page.rest.emplace(std::move(next), range.end);
      return page;
    }
    ++looked_at;
    if (same_key || row.version > at) continue;
    decided.assign(row.encoded_key);
    any = true;
    ASSIGN_OR_RETURN(std::string key, user_key(row.encoded_key));
    ASSIGN_OR_RETURN(const bool fits, builder.add(key, it.value(), row.version));
    if (!fits) {
      page.rest.emplace(std::move(key), range.end);
      return page;
    }
  }
  RETURN_IF_ERROR(it.status());
  return page;
}

// Backwards the versions of a key come oldest first: the last one at or below the timestamp counts.
Result<ScanPage> scan_backward(EngineIterator& it, const ScanRange& range, Timestamp at) {
  ScanPage page;
  PageBuilder builder(range, page);
  std::string current;  // the encoded key whose versions are being walked
  bool any = false;
  std::optional<std::pair<std::string, Timestamp>> candidate;  // stored bytes
  std::size_t looked_at = 0;
  // False: it does not fit, and what is left ends just behind it.
  auto finish_key = [&]() -> Result<bool> {
    if (!candidate) return true;
    ASSIGN_OR_RETURN(std::string key, user_key(current));
    ASSIGN_OR_RETURN(const bool fits, builder.add(key, candidate->first, candidate->second));
    if (!fits) page.rest.emplace(range.start, key + '\0');
    candidate.reset();
    return fits;
  };
  for (it.seek_to_last(); it.valid(); it.previous()) {
    ASSIGN_OR_RETURN(const Row row, parse(it.key()));
    if (!any || row.encoded_key != current) {
      ASSIGN_OR_RETURN(const bool fits, finish_key());
      if (!fits) return page;
      if (any && (builder.full() || looked_at >= range.max_versions)) {
        // What is left ends just before the last finished key.
        ASSIGN_OR_RETURN(std::string end, user_key(current));
        page.rest.emplace(range.start, std::move(end));
        return page;
      }
      current.assign(row.encoded_key);
      any = true;
    }
    ++looked_at;
    if (row.version <= at) candidate.emplace(std::string(it.value()), row.version);
  }
  RETURN_IF_ERROR(it.status());
  RETURN_IF_ERROR(finish_key());  // what does not fit is left
  return page;
}

}  // namespace

Result<ScanPage> scan_versions(Engine& engine, const ScanRange& range, Timestamp at, const EngineReadOptions& options) {
  auto it = engine.iterate(version_range(range.keyspace, range.start, range.end), options);
  return range.reverse ? scan_backward(*it, range, at) : scan_forward(*it, range, at);
}

}  // namespace meridian::txn
