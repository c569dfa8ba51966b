// A node's data directory: its lock, and the identity that says whose data this is. Every start raises the
// incarnation, durably, before anything is said in its name. Blocking; for start-up and the pool.
//
//   LOCK       held while the process lives
//   IDENTITY   JSON: format, the directory's own id, cluster, node, replica, region, incarnation
//   JOIN       how this node became part of its cluster (api.JoinRequest), until its data is created
//   BOOTSTRAP  the plan of the cluster that this node was asked to form (api.ClusterState)
//   log/ data/ snapshots/
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "shard/api/api.pb.h"
#include "shard/wire/wire.pb.h"

namespace meridian {

class DataDirectory {
 public:
  static constexpr std::uint32_t kFormatVersion = 1;

  // Creates or opens, locks, reads the identity and raises the incarnation.
  //   kFailedPrecondition: held by another process; written by a newer version.
  //   kCorruption: the identity does not parse.
  static Result<std::unique_ptr<DataDirectory>> open(FileSystem& fs, std::string path);

  const std::string& path() const { return path_; }
  const wire::Identity& identity() const { return identity_; }
  bool in_cluster() const { return identity_.cluster_id() != 0; }

  // Durable when it returns; the owner adopts it then (on its loop, where identity() is read).
  Result<> store(const wire::Identity& identity) const;
  void adopt(wire::Identity identity) { identity_ = std::move(identity); }
  Result<> store_join(const api::JoinRequest& join) const;
  Result<std::optional<api::JoinRequest>> load_join() const;
  Result<> store_plan(const api::ClusterState& plan) const;
  Result<std::optional<api::ClusterState>> load_plan() const;

 private:
  DataDirectory(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  template <class M>
  Result<std::optional<M>> load(const std::string& name) const;

  FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<FileLock> lock_;
  wire::Identity identity_;
};

}  // namespace meridian
