// A random life of one log on one simulated disk, judged against a model: appends, truncations, resets,
// removals, prefix truncations and with tiny segments rewriting, interrupted at any operation on a file by
// power loss or a kill, by full disks and failed syncs.
//
// What is judged: what is read back, at any moment and after each restart, is what the model has. After each restart: the log is exactly what was requested up to some call, for all shards
// together, and that call is not before the last acknowledged one. What is acknowledged, is so in order.
// A bit flipped below the last mark is reported.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "shard/log/log_store.h"
#include "tests/log/fake_runtime.h"
#include "tests/sim/sim_file.h"

namespace meridian {

class LogLife {
 public:
  explicit LogLife(std::uint64_t seed);
  // nullopt: all was well. Otherwise what was not.
  std::optional<std::string> live(int incarnations);

  std::uint64_t acknowledged_in_all() const { return acknowledged_in_all_; }
  std::uint64_t segments_removed() const { return segments_removed_; }
  std::uint64_t restarts_behind() const { return restarts_behind_; }
  std::uint64_t flips_found() const { return flips_found_; }
  std::uint64_t entries_read_back() const { return entries_read_back_; }

 private:
  struct Shard {
    ReplicaId min_allowed, replica;
    LogBase base;
    std::optional<raft::HardState> hard_state;
    std::vector<raft::Entry> entries;
    LogIndex last() const { return base.index + entries.size(); }
  };
  using Model = std::map<ShardId, Shard>;

  std::uint64_t below(std::uint64_t bound) { return rng_() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  LogOptions options();
  void open();  // with crashes in the middle
  void judge(const OpenedLog& opened);
  std::vector<raft::Entry> read_back(LogStore& store, ShardId shard, LogIndex from, LogIndex to);
  void read_some();
  void flip_a_bit();
  void act();
  void pump();
  void end();
  void append();
  LogUpdate random_update(ShardId id, Shard& shard);
  void truncate_prefix();
  void remove();
  void requested();  // a call was made; model_ is what the log should say now
  Callback acknowledge();
  void break_after(std::uint64_t operations);  // every later file operation fails, until mend()
  void mend();
  void fail(std::string what);
  static bool equal(const Shard& a, const Shard& b);
  static bool equal(const Model& a, const Model& b);

  std::mt19937_64 rng_;
  SimFileSystem fs_;
  std::unique_ptr<FakeRuntime> runtime_;
  std::unique_ptr<LogStore> store_;
  std::optional<std::string> failure_;
  Model model_;
  std::vector<Model> states_;  // [i]: after call number first_state_ + i
  std::uint64_t first_state_ = 0;
  std::uint64_t calls_ = 0;         // made in all
  std::uint64_t acknowledged_ = 0;  // the last call that is
  std::uint64_t last_waiting_ = 0;  // the last call that asked to be
  bool fatal_ = false;
  std::uint64_t next_payload_ = 0;
  std::uint64_t acknowledged_in_all_ = 0, segments_removed_ = 0, restarts_behind_ = 0, flips_found_ = 0, entries_read_back_ = 0;
};

}  // namespace meridian
