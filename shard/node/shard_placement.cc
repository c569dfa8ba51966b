#include "shard/node/shard_placement.h"

namespace meridian {

void ShardPlacement::attach(Operations::Deps deps) {
  replica_ = &deps.replica;
  announced_ = std::exchange(recovered_, nullptr);
  operations_ = std::make_unique<Operations>(std::move(deps));
  replica_->on_applied([this] { applied(); });
}

std::shared_ptr<const api::ClusterState> ShardPlacement::topology() const {
  return replica_ != nullptr ? replica_->cluster() : recovered_;
}

void ShardPlacement::change(const api::ChangeRequest& request, ChangeReply reply) {
  if (replica_->leads()) return operations_->submit(request, std::move(reply));
  api::ChangeResponse response;
  *response.mutable_not_leader() = replica_->where();
  reply(std::move(response));
}

void ShardPlacement::applied() {
  operations_->poke();
  if (replica_->cluster() == announced_) return;
  announced_ = replica_->cluster();
  if (on_change_) on_change_();
}

}  // namespace meridian
