// The PlacementSource of a cluster of one shard: the topology is a record in that shard's own state, its
// leader decides about changes (ADR 0008). On the node's loop.
#pragma once

#include <memory>
#include <utility>

#include "shard/node/operations.h"
#include "shard/placement_source.h"
#include "shard/replica.h"

namespace meridian {

class ShardPlacement final : public PlacementSource {
 public:
  // recovered: what the shard's state says at the start. Never null.
  explicit ShardPlacement(std::shared_ptr<const api::ClusterState> recovered) : recovered_(std::move(recovered)) {}

  // The replica is built on this port, so it comes later; once, before anything but topology() is called.
  void attach(Operations::Deps deps);
  void heard_of_process() { operations_->heard_of_process(); }

  std::shared_ptr<const api::ClusterState> topology() const override;
  void on_change(std::function<void()> callback) override { on_change_ = std::move(callback); }
  void change(const api::ChangeRequest& request, ChangeReply reply) override;

 private:
  void applied();

  std::shared_ptr<const api::ClusterState> recovered_;
  std::shared_ptr<const api::ClusterState> announced_;
  Replica* replica_ = nullptr;
  std::unique_ptr<Operations> operations_;
  std::function<void()> on_change_;
};

}  // namespace meridian
