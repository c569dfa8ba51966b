// A group of cores with disks, state machines and clocks of their own, and a network between them: what the
// scripts and the random test drive. Nothing moves by itself; every step is a call.
//
// The driver here is as careless as the contract allows: writes finish late, in order; a crash keeps any prefix of
// what was under way; applying lags; messages stay in `network` until somebody delivers, copies or drops them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raft/core.h"
#include "tests/raft/judge.h"

namespace meridian::raft::testing {

struct Machine {  // the applied state
  LogIndex applied;
  Term term;
  std::uint64_t digest = 0;
  Membership membership;
};

struct Envelope {
  Message message;
  Machine snapshot;  // kSnapshot: the state itself
};

struct Disk {
  bool fresh = true;
  HardState hard_state;
  LogIndex base;
  Term base_term;
  std::vector<Entry> entries;
  Machine flushed;
};

struct Node : Disk {
  ReplicaId id;
  Options options;
  std::optional<Core> core;  // none: it is down
  // Its clock shows clock_offset + rate * the true time.
  double rate = 1;
  std::int64_t clock_offset = 0;

  // On the way.
  std::deque<StoredRead> reading;  // entries asked back from the disk
  std::deque<Persist> persisting;
  std::deque<Entry> applying;
  Machine machine;
  std::optional<SnapshotMeta> installing;
  std::map<std::uint64_t, Machine> received;  // snapshots, by index
  std::map<std::uint64_t, LogIndex> asked;    // read_index: context → newest commit at that moment
  bool removed = false, stopped = false;

  std::optional<std::pair<Disk, LogView>> copy;  // of the disk, as it once was
  LogView view;
  bool dirty = false;  // outputs are waiting
  Role role = Role::kFollower;
};

class Group {
 public:
  using Log = std::function<void(std::string)>;  // what happened, for scripts

  // A fresh replica, not started yet. `base`: where a bootstrapped log starts, its term is then 1.
  Node& add_node(Options options, Membership membership, LogIndex base = LogIndex());
  void start(Node& n);
  Node& node(ReplicaId id);
  bool has(ReplicaId id) const { return nodes_.contains(id.value()); }
  std::vector<ReplicaId> ids() const;
  std::vector<ReplicaId> running() const;
  MonoTime clock(const Node& n) const {
    return MonoTime(n.clock_offset + static_cast<std::int64_t>(n.rate * static_cast<double>(true_time.us())));
  }
  // The true time at which the node's clock shows t.
  std::int64_t true_us(const Node& n, MonoTime t) const;

  // Runs call(core, now) and looks at the core afterwards. Outputs stay inside until drain().
  template <class Call>
  decltype(auto) act(Node& n, Call&& call) {
    n.dirty = true;
    struct Look {
      Group& g;
      Node& n;
      ~Look() { g.observe(n); }
    } look{*this, n};
    return call(*n.core, clock(n));
  }
  void observe(Node& n);
  void drain(Node& n);
  void tick_if_due(Node& n);

  void deliver(Envelope envelope);
  void drop(const Envelope& envelope);
  bool finish_read(Node& n);
  bool finish_persist(Node& n);  // the oldest write; false: none
  bool apply(Node& n, std::size_t most);
  bool finish_install(Node& n);
  void flush(Node& n) { n.flushed = n.machine; }
  void compact(Node& n, LogIndex index);
  void crash(Node& n, std::size_t writes_kept);
  void restart(Node& n);
  // Somebody copies its disk, and puts the copy back while it is down.
  void back_up(Node& n) { n.copy.emplace(n, n.view); }
  void roll_back(Node& n);

  MonoTime true_time;
  std::vector<Envelope> network;
  Judge judge;
  bool forgetful = false;  // somebody meddles with disks, and replicas may stop by themselves
  Log log = [](std::string) {};

 private:
  void take(Node& n, Output out);
  void write(Node& n, const Persist& persist);

  std::map<std::uint64_t, Node> nodes_;
};

std::string describe(const Message& m);
std::string_view name_of(MessageType type);
std::string_view name_of(Role role);

}  // namespace meridian::raft::testing
