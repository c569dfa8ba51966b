// Writes records in batches, several in flight, and knows up to where all are acknowledged. The same key
// twice in a file ends with its last value: batches under way at once never share a key. Main thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include <meridian/client.h>

#include "tools/ctl/records.h"

namespace meridian::ctl {

class Importer {
 public:
  struct Options {
    std::size_t batch_records = 200;
    std::size_t batch_bytes = std::size_t{512} << 10;
    std::size_t in_flight = 8;
    std::chrono::milliseconds retry_for{60'000};  // how long one batch is tried again
    bool skip_bad = false;
  };
  // Everything before offset is acknowledged.
  struct Position {
    std::uint64_t offset = 0;
    std::uint64_t line = 1;
    std::uint64_t records = 0;
    std::uint64_t skipped = 0;
  };
  // A record that the cluster refuses as it is, of this line.
  using OnBad = std::function<void(std::uint64_t line, const std::string& why)>;
  Importer(sdk::Client client, sdk::CallOptions call, Options options, Position begin, OnBad on_bad);

  // May wait for batches under way. next_line: where the reader is now. An error: nothing more is accepted
  // but drain().
  sdk::Result<void> add(Record record, std::uint64_t next_line);
  // A record that was left out counts as done once everything before is.
  sdk::Result<void> skip(std::uint64_t end_offset, std::uint64_t next_line);
  // Sends the rest and waits for everything under way.
  sdk::Result<void> finish();
  // Waits for what is under way and counts what can be counted, after an error.
  void drain();

  const Position& acknowledged() const { return acknowledged_; }

 private:
  struct Batch {
    sdk::WriteBatch writes;
    std::vector<std::uint64_t> lines;
    Position end;
    std::optional<sdk::RequestId> id;
    sdk::Future<sdk::WriteResult> answer;
  };
  sdk::CallOptions call_of(const Batch& batch) const;
  sdk::Result<void> send();
  sdk::Result<void> settle(std::size_t left);
  sdk::Result<void> settle_first();
  // Again, until retry_for is over: under the same id while the batch may still be applied under it, else under a new
  // one, for an id lives only as long as the cluster's request window, and an outage may last longer.
  sdk::Result<sdk::WriteResult> retry(Batch& batch, sdk::Error error);
  // One by one, so that the bad ones can be named.
  sdk::Result<void> write_singly(Batch& batch);

  sdk::Client client_;
  sdk::CallOptions call_;
  Options options_;
  OnBad on_bad_;
  Position acknowledged_;
  Position read_;  // behind the last record given
  Batch open_;     // being filled
  std::unordered_set<std::string> open_keys_;
  std::deque<Batch> under_way_;
  std::unordered_set<std::string> keys_under_way_;
};

}  // namespace meridian::ctl
