// The way of a read through a replica. On the shard's loop; driven by Replica's passes.
//
//   linearizable, or at a timestamp not closed yet: the leader; by lease, else by asking a quorum
//     (read-index); then once applied >= the commit index known at that moment (L4); then as of a
//     timestamp r that no pending write is at or below, that the ceiling covers (T10), and that the wall
//     clock has passed (T11)
//   any replica: whatever is applied here, as of its closed timestamp (T15)
//
// A read never blocks the loop: what is not in memory is read on the pool, over the same snapshot (S7).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "base/engine.h"
#include "base/hlc.h"
#include "base/lifetime.h"
#include "base/node_clock.h"
#include "base/runtime.h"
#include "raft/core.h"
#include "shard/api/methods.h"
#include "shard/blocking_reads.h"
#include "shard/options.h"
#include "shard/state_machine.h"
#include "shard/version_cache.h"
#include "shard/write_path.h"
#include "txn/mvcc.h"

namespace meridian {

using ReadReply = std::move_only_function<void(Result<api::ReadResponse>)>;
using ScanReply = std::move_only_function<void(Result<api::ScanResponse>)>;

class ReadPath {
 public:
  struct Deps {
    Runtime& runtime;
    Engine& engine;
    NodeClock& clock;
    raft::Core& core;
    const StateMachine& machine;
    WritePath& writes;
    VersionCache& versions;
    const ReplicaOptions& options;
    Callback wake;
    std::move_only_function<api::NotLeader()> where;
    std::function<bool()> log_is_full;
    std::function<void(Error)> damaged;  // this node's disk gave back what is wrong: it must stop (S7b)
  };
  explicit ReadPath(Deps deps) : deps_(std::move(deps)), blocking_(deps_.runtime) {}

  void submit(api::ReadRequest&& request, MonoTime deadline, ReadReply reply);
  void submit(api::ScanRequest&& request, MonoTime deadline, ScanReply reply);

  // One pass: confirms leadership for what has arrived, serves what has become ready.
  void run(MonoTime now);
  void read_index_answered(const raft::ReadState& state);
  // Nothing more can be applied, and why: what is not closed and applied here already is refused. nullopt: it can
  // again.
  void nothing_newer(std::optional<Error> why) { nothing_newer_ = std::move(why); }
  void shut_down();

 private:
  struct Get {
    api::ReadRequest request;
    ReadReply reply;
  };
  struct Scan {
    api::ScanRequest request;
    ScanReply reply;
  };
  struct Read {
    std::variant<Get, Scan> what;
    Timestamp at;  // zero: now
    MonoTime deadline;
    WallTime arrived;
    std::optional<LogIndex> index;  // leadership confirmed: serve once this is applied
  };

  void submit(Read read, api::Consistency consistency);
  // The timestamp at which a local answer is possible right now: closed and applied here.
  std::optional<Timestamp> local_timestamp(const Read& read) const;
  void confirm_leadership(MonoTime now);
  void serve_ready(MonoTime now);
  std::optional<Timestamp> serving_timestamp(const Read& read);
  std::optional<Timestamp> serving_timestamp_at(const Read& read);
  bool may_answer(Timestamp at) const;
  void serve(Read read, Timestamp at);
  void serve_get(Get get, Timestamp at, MonoTime deadline);
  Result<> read_from_memory(const api::ReadRequest& request, Timestamp at, api::ReadResponse& response);
  void serve_scan(Scan scan, Timestamp at, MonoTime deadline);
  api::ReadInfo info(Timestamp at);
  // Why a read of the engine failed. Damage stops this node; the caller is sent to another.
  template <class Reply>
  void answer_failed(Reply& reply, Error error);
  void answer_error(Read read, Error error);
  void answer_not_leader(Read read);
  void refuse_all(const Error& why);
  void retry_at(WallTime when);

  Deps deps_;
  BlockingReads blocking_;
  std::deque<Read> arrived_;                          // leadership not asked for yet
  std::map<std::uint64_t, std::vector<Read>> asked_;  // by read-index context
  std::deque<Read> confirmed_;
  std::uint64_t next_context_ = 1;
  std::optional<Error> nothing_newer_;
  bool stopped_ = false;
  TimerId clock_timer_ = 0;
  MonoTime checked_early_until_;  // a deliberate bug's
  Lifetime lifetime_;
};

}  // namespace meridian
