// A leader's evaluation of write requests: over the applied state PLUS what it has appended itself and not
// yet applied (the overlay, T13), exactly once (R), each at a fresh timestamp above everything it answered.
// A pure core over an Engine; lives on the shard's loop; one instance per leadership, so that nothing
// evaluated in one term can be trusted in another (L5, L7).
//
// Invariant: stamps are strictly increasing, in the order in which the requests are appended to the log.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "base/engine.h"
#include "base/hlc.h"
#include "base/lookup_map.h"
#include "base/result.h"
#include "base/types.h"
#include "txn/request_memory.h"
#include "txn/types.h"

namespace meridian::txn {

struct EvaluatorOptions {
  Duration max_clock_offset{250'000};      // δ
  Duration request_window{600'000'000};    // R1
  std::size_t remembered_requests = 1u << 20;
};

// What is to be replicated for one request; applying it is blind.
struct Command {
  RequestId id;
  std::uint64_t payload_hash = 0;
  KeyspaceId keyspace;
  Timestamp stamp;
  WriteOutcome outcome;
  std::vector<Mutation> mutations;  // outcome.applied
  std::string anchor;               // otherwise: where the outcome record lives
};

class Evaluator {
 public:
  // An attempt of the same request is in the log: its answer is this one's.
  struct WaitForPending {};
  // Not in memory: load the request's keys on the pool, then evaluate it again.
  struct WouldBlock {};
  using Evaluation = std::variant<Command, WriteOutcome, WaitForPending, WouldBlock>;

  Evaluator(Engine& engine, FlooredHlc& hlc, WallTime started, EvaluatorOptions options)
      : engine_(engine),
        hlc_(hlc),
        options_(options),
        memory_(started, options.max_clock_offset, options.remembered_requests) {}

  // kOutOfRange: an id from the future. kUnknownOutcome: one older than the window.
  // kInvalidArgument: the id was used with another payload. kCorruption, kIo.
  // may_block kYes reads from disk rather than answer WouldBlock: the last resort after several rounds.
  Result<Evaluation> evaluate(WriteRequest&& request, WallTime wall, MayBlock may_block);

  // The command goes into the log, after everything appended before. Called before the next evaluation,
  // which has to see it. Requires: in order of stamps.
  void appended(const Command& command);
  // The oldest appended command was applied to the engine: it leaves the overlay, its outcome is an answer.
  void oldest_applied(Timestamp stamp);

  // The smallest stamp that is appended and not applied.
  std::optional<Timestamp> oldest_pending() const {
    return pending_.empty() ? std::nullopt : std::optional(pending_.front().stamp);
  }
  std::size_t remembered() const { return memory_.size(); }

 private:
  struct OverlayValue {
    Timestamp version;
    std::optional<std::string> value;
  };
  struct Pending {  // appended and not applied
    Timestamp stamp;
    RequestId id;
    WriteOutcome outcome;
    std::vector<std::string> overlay_keys;
  };
  struct Current {  // what a key holds now
    bool found;
    std::string value;
    Timestamp version;
  };
  Result<> check_id(const RequestId& id, WallTime wall) const;
  Result<std::optional<WriteOutcome>> search(const WriteRequest& request, std::uint64_t hash, MayBlock may_block);
  Result<Current> current(KeyspaceId keyspace, const std::string& key, MayBlock may_block);
  static std::string overlay_key(KeyspaceId keyspace, const std::string& key);

  Engine& engine_;
  FlooredHlc& hlc_;
  const EvaluatorOptions options_;
  RequestMemory memory_;
  LookupMap<std::string, OverlayValue> overlay_;
  std::deque<Pending> pending_;  // in order of stamps
};

// Reads from disk what evaluating the request needs, so that the cache holds it. On the pool.
void warm_up(Engine& engine, const WriteRequest& request);

}  // namespace meridian::txn
