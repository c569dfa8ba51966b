// The way of a write through a leader: queue → evaluate → group into entries → (replicate) → answer after
// apply. On the shard's loop; driven by Replica's passes.
//
// Everything that belongs to one leadership lives in Leadership and dies with it: what was evaluated in
// one term is never proposed, remembered or answered in another (L5, L7).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/engine.h"
#include "base/hlc.h"
#include "base/lifetime.h"
#include "base/node_clock.h"
#include "base/runtime.h"
#include "raft/core.h"
#include "shard/options.h"
#include "shard/placement_source.h"
#include "shard/state_machine.h"
#include "shard/wire/codec.h"
#include "txn/evaluator.h"

namespace meridian {

using WriteReply = std::move_only_function<void(Result<api::WriteResponse>)>;

class WritePath {
 public:
  struct Deps {
    Runtime& runtime;
    Engine& engine;
    NodeClock& clock;
    raft::Core& core;
    const StateMachine& machine;
    const PlacementSource& placement;
    const ReplicaOptions& options;
    Callback wake;                                    // asks for a pass
    std::move_only_function<api::NotLeader()> where;  // who leads instead
    std::function<std::size_t()> unapplied_bytes;     // of committed entries
    std::function<void(Error)> damaged;               // this node's disk gave back what is wrong: it must stop (S7b)
  };
  explicit WritePath(Deps deps) : deps_(std::move(deps)) {}

  // Checked and queued, or refused at once: kInvalidArgument, kBusy, kDeadlineExceeded.
  void submit(api::WriteRequest&& request, MonoTime deadline, WriteReply reply);
  // Replicates a new cluster state; done once it is applied. One at a time: kBusy.
  void submit_cluster_state(api::ClusterState state, std::move_only_function<void(Result<>)> done);
  // A read needs the ceiling at least there; free where that is on its way already.
  void want_ceiling(Timestamp at_least);
  // A read needs any entry to be committed.
  void want_entry();

  // One pass: notices gained and lost leadership, evaluates what is queued and proposes it.
  void run(MonoTime now);
  void entry_applied(const AppliedEntry& entry);
  // The disk is full or the clock is off: every write is refused with this until it is cleared.
  void refuse_with(std::optional<Error> trouble) { trouble_ = std::move(trouble); }

  // Of the present leadership: the smallest stamp appended and not applied.
  std::optional<Timestamp> oldest_pending() const {
    return leadership_ ? leadership_->evaluator.oldest_pending() : std::nullopt;
  }
  bool leading() const { return leadership_ != nullptr; }
  // Requires: leading().
  FlooredHlc& clock() { return leadership_->clock; }
  // Tells the core what a successor has to know (L3).
  void tell_answered();
  std::size_t queued_bytes() const { return queued_bytes_; }
  std::size_t remembered_requests() const { return leadership_ ? leadership_->evaluator.remembered() : 0; }
  // The node stops: nothing queued will be evaluated any more.
  void shut_down();

 private:
  std::size_t log_under_way() const;
  struct Queued {
    txn::WriteRequest request;
    WriteReply reply;
    MonoTime deadline;
    std::size_t bytes = 0;
    int attempts = 0;
  };
  struct PendingCommand {
    txn::RequestId id;
    Timestamp stamp;
    txn::WriteOutcome outcome;
    WriteReply reply;
  };
  struct PendingEntry {
    LogIndex index;
    std::vector<PendingCommand> commands;
    std::move_only_function<void(Result<>)> cluster_done;
    Timestamp ceiling;
  };
  struct Leadership {
    Leadership(Engine& engine, Hlc& hlc, Timestamp floor, Term in_term, WallTime started,
               const txn::EvaluatorOptions& options)
        : term(in_term), clock(hlc, floor), evaluator(engine, clock, started, options) {}
    Term term;
    FlooredHlc clock;  // above all that this shard was ever answered with
    txn::Evaluator evaluator;
    std::deque<PendingEntry> pending;
    Timestamp proposed_ceiling;
    // Later attempts of requests that are in the log: answered with them.
    LookupMap<txn::RequestId, std::vector<WriteReply>, txn::RequestIdHash> waiting;
  };
  class Group;  // the entry being put together

  void follow_leadership();
  Timestamp starting_floor() const;
  void end_leadership();
  bool may_propose(MonoTime now) const;
  void evaluate_queue(MonoTime now, Group& group);
  void evaluate_one(MonoTime now, Queued&& queued, Group& group);
  void load_and_retry(Queued&& queued);
  void propose(MonoTime now, Group& group);
  Timestamp next_ceiling(WallTime wall) const;
  void answer(WriteReply reply, const txn::WriteOutcome& outcome, Timestamp stamp);
  void answer_not_leader(WriteReply reply);
  void refuse_queued(const Error& why);

  Deps deps_;
  std::deque<Queued> queue_;
  std::size_t queued_bytes_ = 0;
  std::unique_ptr<Leadership> leadership_;
  std::optional<api::ClusterState> cluster_state_;
  std::move_only_function<void(Result<>)> cluster_done_;
  Timestamp wanted_ceiling_;
  bool entry_wanted_ = false;
  std::optional<Error> trouble_;
  bool stopped_ = false;
  Lifetime lifetime_;
};

}  // namespace meridian
