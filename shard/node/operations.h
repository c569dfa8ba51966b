// Adding, removing and replacing nodes: long work, recorded in the cluster state, carried on by whoever
// leads. Level-triggered: each step looks at what is, and does the next thing towards what is wanted, so
// that it may be repeated, and continued by another leader at any point.
//
//   add:     tell the node who it is → learner → caught up → voter → ACTIVE
//   remove:  (leadership elsewhere) → out of the membership → REMOVED
//   replace: as add, but becoming a voter and the old one's leaving are one joint change
//
// One operation at a time. Removing the node that is being added cancels the addition. Beside them: a node that was
// started at another address is heard, and its record follows.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/lifetime.h"
#include "base/runtime.h"
#include "base/transport.h"
#include "shard/api/methods.h"
#include "shard/placement_source.h"
#include "shard/replica.h"

namespace meridian {

class Operations {
 public:
  struct Deps {
    Runtime& runtime;
    Transport& transport;
    Replica& replica;
    NodeId self;
    // Where a node, this one included, is reached now, which need not be what is recorded.
    std::function<std::optional<Address>(NodeId)> address_of;
  };
  explicit Operations(Deps deps) : deps_(deps) {}

  using ChangeReply = PlacementSource::ChangeReply;
  // Checked against the present topology and recorded, or refused. Requires: the replica leads.
  void submit(const api::ChangeRequest& request, ChangeReply reply);
  // The state was applied, or leadership changed: look whether there is something to do.
  void poke();
  // A node may be reached elsewhere than before.
  void heard_of_process() {
    look_at_addresses_ = true;
    poke();
  }

 private:
  void ask_new_node(const api::ChangeRequest& request, ChangeReply reply);
  // directory_id: of the node that is to enter.
  void record(const api::ChangeRequest& request, std::uint64_t directory_id, ChangeReply reply);
  void record_state(api::ClusterState state, std::move_only_function<void(Result<>)> done);
  Result<api::ClusterState> planned(const api::ChangeRequest& request, std::uint64_t directory_id,
                                    api::ChangeResponse& response) const;
  Result<> plan_add(api::ClusterState& state, const api::NodeSpec& spec, std::uint64_t directory_id,
                    api::Operation& operation) const;
  Result<> plan_cancel(api::ClusterState& state, std::uint64_t operation_id) const;
  Result<> plan_remove(api::ClusterState& state, const api::ChangeRequest& request, api::Operation& operation) const;
  Result<> transfer(NodeId to);

  void step();
  // Records where nodes are that were started at another address. True: it has begun to.
  bool record_addresses();
  void step_add(const api::Operation& operation);
  void step_remove(const api::Operation& operation);
  void tell_new_node(const api::Operation& operation);
  void leave_to(ReplicaId added, const raft::Status& status);
  void finish(const api::Operation& operation, std::optional<std::string> error);
  void again();

  Deps deps_;
  TimerId timer_ = 0;
  bool busy_ = false;       // a new node is being told
  // A topology of ours is on its way. Each follows from the one that is applied: two at once would lose one, and a
  // membership proposed beside a cancellation would go on without its operation.
  bool recording_ = false;
  bool look_at_addresses_ = true;
  Term looked_in_;     // the term in which this was last done
  Lifetime lifetime_;
};

}  // namespace meridian
