// Adding, removing and replacing nodes: long work, recorded in the cluster state, carried on by whoever
// leads. Level-triggered: each step looks at what is, and does the next thing towards what is wanted, so
// that it may be repeated, and continued by another leader at any point.
//
//   add:     tell the node who it is → learner → caught up → voter → ACTIVE
//   remove:  (leadership elsewhere) → out of the membership → REMOVED
//   replace: as add, but becoming a voter and the old one's leaving are one joint change
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/lifetime.h"
#include "base/runtime.h"
#include "base/transport.h"
#include "shard/api/methods.h"
#include "shard/replica.h"

namespace meridian {

class Operations {
 public:
  struct Deps {
    Runtime& runtime;
    Transport& transport;
    Replica& replica;
    NodeId self;
  };
  explicit Operations(Deps deps) : deps_(deps) {}

  using ChangeReply = std::move_only_function<void(Result<api::ChangeResponse>)>;
  // Checked against the present topology and recorded, or refused. Requires: the replica leads.
  void submit(const api::ChangeRequest& request, ChangeReply reply);
  // The state was applied, or leadership changed: look whether there is something to do.
  void poke();

 private:
  void ask_new_node(const api::ChangeRequest& request, ChangeReply reply);
  void record(const api::ChangeRequest& request, ChangeReply reply);
  Result<api::ClusterState> planned(const api::ChangeRequest& request, api::ChangeResponse& response) const;
  Result<> plan_add(api::ClusterState& state, const api::NodeSpec& spec, api::Operation& operation) const;
  Result<> plan_remove(api::ClusterState& state, const api::ChangeRequest& request, api::Operation& operation) const;
  Result<> transfer(NodeId to);

  void step();
  void step_add(const api::Operation& operation);
  void step_remove(const api::Operation& operation);
  void tell_new_node(const api::Operation& operation);
  void hand_over_from(ReplicaId leaving);
  void finish(const api::Operation& operation, std::optional<std::string> error);
  void again();

  Deps deps_;
  TimerId timer_ = 0;
  bool busy_ = false;  // a call or a proposal of ours is under way
  Lifetime lifetime_;
};

}  // namespace meridian
