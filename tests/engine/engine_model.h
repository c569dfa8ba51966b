// The simple truth that engines are compared with: maps, copied for every snapshot, and the list of what
// happened since the last flush.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/engine.h"

namespace meridian {

using Contents = std::map<std::string, std::string>;

inline bool contains(const KeyRange& range, std::string_view key) {
  return key >= range.start && (range.end.empty() || key < range.end);
}

Contents restricted(const Contents& contents, const std::vector<KeyRange>& ranges);

class EngineModel {
 public:
  const Contents& latest() const { return latest_; }
  void write(const WriteBatch& batch);
  void ingest(const std::vector<KeyRange>& ranges, const Contents& contents);
  void flush();

  // All that a crash now may leave: what the first n events since the last flush made, and the later ingests.
  std::vector<Contents> survivors() const;
  // It was `left` that the crash left.
  void become(const Contents& left);

 private:
  struct Ingest {
    std::vector<KeyRange> ranges;
    Contents contents;
  };
  using Event = std::variant<WriteBatch, Ingest>;
  static void apply(const WriteBatch& batch, Contents& contents);
  static void apply(const Ingest& ingest, Contents& contents);

  Contents latest_;
  Contents flushed_;
  std::vector<Event> since_flush_;
};

}  // namespace meridian
