// What calls take and answer. Timestamps and versions are HLC timestamps: microseconds since 1970 in
// the upper 52 bits, a counter in the lower 12; their order is the order of events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meridian/config.h>

MERIDIAN_SDK_BEGIN

enum class Role : std::uint8_t { kUnknown, kLeader, kFollower, kLearner };
std::string_view to_string(Role role);

// What every read says about itself.
struct ReadInfo {
  ReadInfo() {}
  std::uint64_t timestamp = 0;  // the answer is true as of this HLC timestamp
  std::uint64_t node_id = 0;    // who served it
  std::string region;
  Role role = Role::kUnknown;
  // timestamp in microseconds since 1970.
  std::uint64_t timestamp_us() const { return timestamp >> 12; }
};

// Of get().
struct ReadResult {
  ReadResult() {}
  bool found = false;
  std::string value;          // empty if not found
  std::uint64_t version = 0;  // of this value; 0 if not found. For Expected::version().
  ReadInfo info;
};

struct ReadItem {
  ReadItem() {}
  bool found = false;
  std::string value;
  std::uint64_t version = 0;
};

// Of multi_get(): items in the order of the keys asked for, all as of info.timestamp.
struct MultiReadResult {
  MultiReadResult() {}
  std::vector<ReadItem> items;
  ReadInfo info;
};

// Of put(), remove(), write_batch(): the version written.
struct WriteResult {
  WriteResult() {}
  std::uint64_t version = 0;
};

// Of compare_and_set(). succeeded: version is the one written; otherwise the one found, 0 if the key was absent.
struct CompareAndSetResult {
  CompareAndSetResult() {}
  bool succeeded = false;
  std::uint64_t version = 0;
};

// What a key must hold for compare_and_set() to write.
class Expected {
 public:
  static Expected absent() { return Expected(Kind::kAbsent, {}, 0); }
  static Expected value(std::string value) { return Expected(Kind::kValue, std::move(value), 0); }
  // ReadResult::version, WriteResult::version. Tells also an equal value written again.
  static Expected version(std::uint64_t version) { return Expected(Kind::kVersion, {}, version); }

  enum class Kind : std::uint8_t { kAbsent, kValue, kVersion };
  Kind kind() const { return kind_; }
  const std::string& expected_value() const { return value_; }
  std::uint64_t expected_version() const { return version_; }

 private:
  Expected(Kind kind, std::string value, std::uint64_t version)
      : kind_(kind), value_(std::move(value)), version_(version) {}
  Kind kind_;
  std::string value_;
  std::uint64_t version_;
};

// What the key holds afterwards.
class Desired {
 public:
  static Desired value(std::string value) { return Desired(std::move(value)); }
  static Desired removed() { return Desired(std::nullopt); }
  const std::optional<std::string>& desired_value() const { return value_; }  // nullopt: removed

 private:
  explicit Desired(std::optional<std::string> value) : value_(std::move(value)) {}
  std::optional<std::string> value_;
};

// Several writes, all or nothing, at one timestamp. 1 to 100,000 of them, no key twice, 4 MiB in all.
//
//   client.write_batch(meridian::WriteBatch().put("a", "1").remove("b"));
class WriteBatch {
 public:
  WriteBatch() {}
  WriteBatch& put(std::string key, std::string value) {
    bytes_ += key.size() + value.size();
    mutations_.emplace_back(std::move(key), std::optional<std::string>(std::move(value)));
    return *this;
  }
  WriteBatch& remove(std::string key) {
    bytes_ += key.size();
    mutations_.emplace_back(std::move(key), std::nullopt);
    return *this;
  }
  std::size_t size() const { return mutations_.size(); }
  bool empty() const { return mutations_.empty(); }
  std::size_t bytes() const { return bytes_; }  // keys and values
  void clear() {
    mutations_.clear();
    bytes_ = 0;
  }
  // Key, and value or nullopt for a removal; in the order they were added.
  const std::vector<std::pair<std::string, std::optional<std::string>>>& mutations() const { return mutations_; }

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> mutations_;
  std::size_t bytes_ = 0;
};

// Which keys a scan covers.
class ScanRange {
 public:
  static ScanRange all() { return ScanRange({}, {}, {}); }
  static ScanRange prefix(std::string prefix) { return ScanRange({}, {}, std::move(prefix)); }
  // [start, end): end itself is not in it. Empty end: to the last key.
  static ScanRange between(std::string start, std::string end) {
    return ScanRange(std::move(start), std::move(end), {});
  }
  const std::string& start_key() const { return start_; }
  const std::string& end_key() const { return end_; }
  const std::string& key_prefix() const { return prefix_; }

 private:
  ScanRange(std::string start, std::string end, std::string prefix)
      : start_(std::move(start)), end_(std::move(end)), prefix_(std::move(prefix)) {}
  std::string start_;
  std::string end_;
  std::string prefix_;
};

class ScanOptions {
 public:
  ScanOptions() {}
  // From the end of the range to its start.
  ScanOptions& reverse(bool reverse = true) {
    reverse_ = reverse;
    return *this;
  }
  // Entries of the whole scan. 0, the default: no limit.
  ScanOptions& limit(std::uint64_t entries) {
    limit_ = entries;
    return *this;
  }
  // Entries fetched at once, 1 to 10,000; default 1,000. A page may hold fewer (4 MiB at most).
  ScanOptions& page_size(std::uint32_t entries) {
    page_size_ = entries;
    return *this;
  }
  // Leaves Entry::value empty.
  ScanOptions& keys_only(bool keys_only = true) {
    keys_only_ = keys_only;
    return *this;
  }
  bool is_reverse() const { return reverse_; }
  std::uint64_t limit() const { return limit_; }
  std::uint32_t page_size() const { return page_size_; }
  bool is_keys_only() const { return keys_only_; }

 private:
  bool reverse_ = false;
  bool keys_only_ = false;
  std::uint32_t page_size_ = 1'000;
  std::uint64_t limit_ = 0;
};

// Of a scan.
struct Entry {
  Entry() {}
  Entry(std::string k, std::string v, std::uint64_t ver) : key(std::move(k)), value(std::move(v)), version(ver) {}
  std::string key;
  std::string value;
  std::uint64_t version = 0;
};

struct ScanPage {
  ScanPage() {}
  std::vector<Entry> entries;
  bool last = false;  // nothing follows
  ReadInfo info;
};

MERIDIAN_SDK_END
