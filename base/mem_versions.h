// The ordered multi-version map under MemEngine: pure, deterministic, not thread-safe.
//
// Each write has a number; a key's chain holds its versions in that order, and one that no version is
// left of is absent. Two questions are answered: what is visible as of write n, and what is left after
// a crash that only the first n writes survived (the versions of ingests survive every crash).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/engine.h"

namespace meridian {

class VersionedMap {
 public:
  using Number = std::uint64_t;
  struct Entry {
    const std::string* key;
    const std::string* value;
  };

  Number last() const { return last_; }
  Number flushed() const { return flushed_; }
  std::uint64_t bytes() const { return bytes_; }

  void apply(const WriteBatch& batch);
  // The ranges are cleared, contents are there instead; durable at once, while older writes are not.
  void ingest(const std::vector<KeyRange>& ranges, const std::map<std::string, std::string>& contents);
  void flush();

  // Null: absent.
  const std::string* find(std::string_view key, Number as_of) const;
  const std::string* find_persisted(std::string_view key) const;
  // The first entry >= key and the last entry < key (an empty key: of all), as of a write that is the last
  // one or pinned.
  std::optional<Entry> first_from(std::string_view key, Number as_of) const;
  std::optional<Entry> last_before(std::string_view key, Number as_of) const;
  // Every entry of the range in order.
  template <class Visit>
  void for_each(const KeyRange& range, Number as_of, Visit visit) const {
    if (!range.end.empty() && range.end <= range.start) return;
    const auto stop = range.end.empty() ? chains_.end() : chains_.lower_bound(range.end);
    for (auto at = chains_.lower_bound(range.start); at != stop; ++at) {
      if (const std::string* value = visible(at->second, as_of)) visit(at->first, *value);
    }
  }

  // What was visible as of this write, the last one or a pinned one, stays readable until unpinned as often.
  void pin(Number number);
  void unpin(Number number);

  // Requires: flushed() <= survivor <= last(). Everything in the result is flushed.
  VersionedMap after_crash(Number survivor) const;

 private:
  struct Version {
    Number number;
    bool ingested;
    std::optional<std::string> value;  // nullopt: deleted
  };
  using Chain = std::vector<Version>;
  using Chains = std::map<std::string, Chain, std::less<>>;

  static const std::string* visible(const Chain& chain, Number as_of);
  static const std::string* surviving(const Chain& chain, Number survivor);
  void add(std::string_view key, std::optional<std::string> value);
  void add(Chains::iterator at, Version version);
  void remove_range(const std::string& start, const std::string& end);
  bool prune(Chain& chain);
  std::pair<Chains::iterator, Chains::iterator> bounds(const std::string& start, const std::string& end);

  Chains chains_;
  // Keys whose chains may have something to prune at a flush.
  std::set<std::string, std::less<>> dirty_;
  std::multiset<Number> pins_;
  Number last_ = 0;
  Number flushed_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace meridian
