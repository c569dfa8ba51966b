// One replica of one shard: the driver around the Raft core, the state machine, and the paths of reads and
// writes. On the shard's loop; no locks.
//
// Everything happens in passes: messages, requests and reports gather in inboxes and ask for a pass; one
// pass steps the core with all of it, evaluates and proposes what is queued, and hands out one batch each
// for the log, the network and the engine. What a pass started (a sync, an engine write, a snapshot)
// reports back by asking for another one.
//
// The parts: write_path.h, read_path.h, snapshots.h, log_trimmer.h. The node around it: shard/node.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/engine.h"
#include "base/file.h"
#include "base/hlc.h"
#include "base/lifetime.h"
#include "base/node_clock.h"
#include "base/runtime.h"
#include "raft/core.h"
#include "shard/log/log_store.h"
#include "shard/log_trimmer.h"
#include "shard/options.h"
#include "shard/placement_source.h"
#include "shard/read_path.h"
#include "shard/snapshots.h"
#include "shard/state_machine.h"
#include "shard/version_cache.h"
#include "shard/write_path.h"

namespace meridian {

// What a replica holds in memory, besides its caches.
struct ReplicaMemory {
  std::size_t log_bytes = 0;    // entries
  std::size_t queue_bytes = 0;  // requests that wait for evaluation, entries not committed or not applied
  std::size_t remembered_requests = 0;
};

class Replica {
 public:
  struct Deps {
    Runtime& runtime;
    Engine& engine;
    LogStore& log;
    FileSystem& fs;
    NodeClock& clock;
    const PlacementSource& placement;
    // Ships consensus messages; may lose them.
    std::function<void(std::vector<raft::Message>)> send;
    // Ships one chunk of a snapshot and waits for its answer.
    SnapshotSender::Ship ship;
    // After this nothing may be trusted any more: the process stops.
    std::function<void(Error)> fatal;
    std::string scratch_directory;
  };

  // What a start found: the engine's state and the log's, already made to fit (recovery.h).
  Replica(Deps deps, ReplicaOptions options, StateMachine machine, raft::InitialState initial);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  void read(api::ReadRequest request, MonoTime deadline, ReadReply reply);
  void scan(api::ScanRequest request, MonoTime deadline, ScanReply reply);
  void write(api::WriteRequest request, MonoTime deadline, WriteReply reply);

  void receive(raft::Message message);
  // Chunks of a snapshot from the leader; answers once stored, the last one once handed to the core.
  void receive_snapshot(wire::SnapshotChunk chunk, SnapshotReceiver::Reply reply);

  // Administration; on the leader. kNotLeader and the errors of raft::Core.
  Result<> propose_membership(std::vector<ReplicaId> voters, std::vector<ReplicaId> learners);
  Result<> transfer_leadership(ReplicaId to);
  // To whom raft::Core::successor names; false: there is nobody, or one is being asked already.
  bool hand_over();
  void change_cluster_state(api::ClusterState state, std::move_only_function<void(Result<>)> done);

  // No new requests; leadership goes to whoever is furthest. done: nothing is left to hand over.
  void step_aside(Callback done);

  bool is_leader() const { return core_.is_leader(); }
  // Leader, and may answer: an entry of its own term is applied.
  bool leads() const { return core_.may_evaluate() && writes_.leading(); }
  Term term() const { return core_.term(); }
  raft::Status raft_status() const { return core_.status(); }
  const AppliedState& applied() const { return machine_.state(); }
  // The record of the topology that this shard keeps as part of its state.
  const std::shared_ptr<const api::ClusterState>& cluster() const { return machine_.cluster(); }
  const VersionCache::Stats& version_cache() const { return versions_.stats(); }
  ReplicaMemory memory() const;
  api::NotLeader where() const;
  const std::optional<Error>& trouble() const { return trouble_; }
  // As snapshots.h.
  std::string snapshot_trouble() const { return snapshots_out_.trouble(); }
  // The replica was removed from its shard.
  bool removed() const { return removed_; }
  // Called after each applied batch, e.g. to follow the topology, and when leads() has begun.
  void on_applied(std::function<void()> callback) { on_applied_ = std::move(callback); }
  // Called once, when this replica has found that it does not hold what it has acknowledged (L10). It takes part in
  // nothing any more, and must never again under this replica id.
  void on_lost_memory(std::function<void(Error)> callback) { on_lost_memory_ = std::move(callback); }
  // Called once, when this replica has learnt that it is not a member any more.
  void on_removed(std::function<void()> callback) { on_removed_ = std::move(callback); }

 private:
  void wake();
  void pass();
  void set_timer(MonoTime now);
  void take_output(MonoTime now);
  void read_stored(const raft::StoredRead& read);
  void stop(raft::Stop why);
  void persist(raft::Persist persist);
  void apply(std::vector<raft::Entry> entries);
  void apply_next();
  void write_batch(MayBlock may_block);
  void batch_written(Result<> result);
  void install(const raft::SnapshotMeta& meta);
  void installed(const raft::SnapshotMeta& meta, StateMachine machine);
  // Nothing can be applied, and why: writes are refused, and reads of what is not here yet. nullopt: served again.
  void refuse_with(std::optional<Error> trouble);
  void data_disk_full();
  bool unfit() const;
  void hand_over_if_unfit();
  void watch_clock();

  Deps deps_;
  const ReplicaOptions options_;
  StateMachine machine_;
  VersionCache versions_;
  raft::Core core_;
  WritePath writes_;
  ReadPath reads_;
  SnapshotSender snapshots_out_;
  SnapshotReceiver snapshots_in_;
  LogTrimmer trimmer_;

  std::vector<raft::Message> inbox_;
  std::vector<std::uint64_t> persisted_;  // sequences reported by the log
  std::deque<raft::Entry> to_apply_;
  std::size_t unapplied_bytes_ = 0;  // of those, and of what is being written
  std::optional<PreparedApply> applying_;  // its batch is being written
  std::size_t applying_bytes_ = 0;
  bool installing_ = false;
  bool removed_ = false;
  std::optional<Error> trouble_;
  std::function<void()> on_applied_, on_removed_;
  std::function<void(Error)> on_lost_memory_;

  bool pass_scheduled_ = false;
  TimerId timer_ = 0;
  MonoTime timer_at_;
  Lifetime lifetime_;
};

}  // namespace meridian
