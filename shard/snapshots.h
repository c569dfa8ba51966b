// Snapshots between replicas: files that the engine exports here and ingests there.
//
// Sender: exports as of one moment on the pool, and ships the files in chunks, one transfer per follower
// at a time. Receiver: gathers one transfer in a directory of its own; when it is whole the Raft core
// decides whether it is wanted, and Replica installs it (S5).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/engine.h"
#include "base/file.h"
#include "base/lifetime.h"
#include "base/runtime.h"
#include "base/task.h"
#include "raft/core.h"
#include "shard/options.h"
#include "shard/wire/codec.h"

namespace meridian {

class SnapshotSender {
 public:
  // Fills in the sender and delivers; done with the peer's answer.
  using Ship = std::function<void(ReplicaId to, wire::SnapshotChunk chunk,
                                  std::move_only_function<void(Result<wire::SnapshotChunkResponse>)> done)>;
  struct Deps {
    Runtime& runtime;
    Engine& engine;
    FileSystem& fs;
    raft::Core& core;
    const ReplicaOptions& options;
    Ship ship;
    Callback wake;
    std::string directory;  // of its own
  };
  explicit SnapshotSender(Deps deps) : deps_(std::move(deps)) {}

  // Makes and sends one, unless one is on its way there; ends in core.snapshot_sent().
  void send(ReplicaId to);

 private:
  struct Made {
    raft::SnapshotMeta meta;
    ExportedFiles files;
  };
  Task<void> run(ReplicaId to, Term term, std::weak_ptr<char> alive);
  Task<Result<>> transfer(ReplicaId to, Term term, const Made& made, std::weak_ptr<char> alive);
  static Result<Made> make(Engine& engine, FileSystem& fs, const ReplicaOptions& options, const EngineSnapshot& snapshot,
                           const std::string& directory);

  Deps deps_;
  std::set<ReplicaId> sending_;
  std::uint64_t next_directory_ = 1;
  Lifetime lifetime_;
};

class SnapshotReceiver {
 public:
  using Reply = std::move_only_function<void(Result<wire::SnapshotChunkResponse>)>;
  struct Deps {
    Runtime& runtime;
    FileSystem& fs;
    std::function<void(raft::Message)> deliver;  // the whole snapshot has arrived
    std::string directory;                       // of its own
  };
  explicit SnapshotReceiver(Deps deps) : deps_(std::move(deps)) {}

  // Stores a chunk. Chunks of a transfer come in order; anything else is kConflict and the sender starts over.
  void receive(wire::SnapshotChunk chunk, Reply reply);

  // The files of the snapshot that the core decided to install; the receiver takes no other one until
  // finished() is called.
  std::vector<std::string> files(const raft::SnapshotMeta& meta) const;
  void finished();

 private:
  struct Transfer {
    std::uint64_t id = 0;
    std::uint32_t file = 0;
    std::uint64_t offset = 0;
    bool writing = false;
    bool complete = false;
    raft::SnapshotMeta meta;
    std::vector<std::string> paths;
    std::unique_ptr<File> open;
  };
  static Result<> store(FileSystem& fs, const std::string& directory, const wire::SnapshotChunk& chunk, Transfer& transfer);
  void stored(std::shared_ptr<wire::SnapshotChunk> chunk, Result<> result, Reply reply);

  Deps deps_;
  std::shared_ptr<Transfer> transfer_;
  bool installing_ = false;
  Lifetime lifetime_;
};

}  // namespace meridian
