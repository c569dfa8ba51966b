// Snapshots between replicas: files that the engine exports here and ingests there.
//
//   sender                                receiver
//   ask: may I? so much ────────────────► room, and nothing else under way
//   export, as of one moment
//   chunks, several on their way ───────► stored in order
//   ask: where are you? (after a break) ► so far: it goes on from there
//   the last chunk ─────────────────────► the Raft core decides whether it is wanted; Replica installs it (S5)
//
// One transfer per follower at a time. From the moment of the export the log is kept for it (S4a, log_trimmer.h). A
// refusal is followed by a pause that grows with each, so that nobody exports again and again for nothing.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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
  // A snapshot as of this entry, or a later one, is being made for it or sent to it.
  std::optional<LogIndex> on_its_way(ReplicaId to) const;
  // For people: who needs a snapshot and does not take it, and why. Empty: nobody.
  std::string trouble() const;

 private:
  struct Made {
    raft::SnapshotMeta meta;
    ExportedFiles files;
    std::string directory;
  };
  struct Position {
    std::uint32_t file = 0;
    std::uint64_t offset = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
  };
  struct Sending {
    std::optional<LogIndex> as_of;  // unset: it was not exported yet
  };
  struct Window;  // the chunks on their way

  Task<void> run(ReplicaId to, Term term, std::weak_ptr<char> alive);
  Task<Result<>> try_once(ReplicaId to, Term term, std::weak_ptr<char> alive, LogIndex& sent);
  // Only the leader of that term speaks in it: signed with a later one, of which another may be the leader, the last
  // chunk would be heard as a second leader.
  static Result<> may_go_on(const std::weak_ptr<char>& alive, const raft::Core& core, Term term);
  bool still_wanted(ReplicaId to) const;
  Task<Result<Position>> ask(ReplicaId to, std::uint64_t transfer, std::uint64_t bytes);
  Task<Result<Made>> make(ReplicaId to);
  static Result<Made> export_now(Engine& engine, FileSystem& fs, const ReplicaOptions& options,
                                 const EngineSnapshot& snapshot, const std::string& directory);
  Task<Result<>> transfer(ReplicaId to, Term term, std::uint64_t id, const Made& made, std::weak_ptr<char> alive);
  Task<Result<>> stream(ReplicaId to, Term term, std::uint64_t id, const Made& made, Position& at,
                        std::weak_ptr<char> alive);
  wire::SnapshotChunk chunk_of(ReplicaId to, Term term, const Made& made, Position at, std::string data,
                               bool end) const;
  Duration pause_after(int failures);

  Deps deps_;
  std::map<ReplicaId, Sending> sending_;
  std::map<ReplicaId, int> failures_;  // in a row
  std::map<ReplicaId, Error> troubles_;
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

  // Answers a question, or stores a chunk. Refused: kBusy, one is being installed; kDiskFull; kConflict, it does not
  // follow the last one: ask; kCorruption.
  void receive(wire::SnapshotChunk chunk, Reply reply);

  // The files of the snapshot that the core decided to install; the receiver takes no other one until
  // finished() is called.
  std::vector<std::string> files(const raft::SnapshotMeta& meta) const;
  void finished();

 private:
  struct Queued {
    std::shared_ptr<wire::SnapshotChunk> chunk;
    Reply reply;
  };
  struct Transfer {
    std::uint64_t id = 0;
    // What comes next, behind what is queued.
    std::uint32_t file = 0;
    std::uint64_t offset = 0;
    std::deque<Queued> queue;
    std::size_t queued_bytes = 0;
    bool writing = false;
    bool complete = false;
    raft::SnapshotMeta meta;
    std::vector<std::string> paths;
    std::unique_ptr<File> open;
  };
  void asked(const wire::SnapshotChunk& chunk, Reply reply);
  void begin(const wire::SnapshotChunk& question, Reply reply);
  static wire::SnapshotChunkResponse position_of(const Transfer& transfer);
  void write_next();
  static Result<> store(FileSystem& fs, const std::string& directory, const wire::SnapshotChunk& chunk,
                        Transfer& transfer);
  void stored(Queued done, Result<> result);
  void give_up(Error error);
  void complete(wire::SnapshotChunk& chunk, Reply reply);

  Deps deps_;
  std::shared_ptr<Transfer> transfer_;
  bool installing_ = false;
  Lifetime lifetime_;
};

}  // namespace meridian
