// An engine in memory with an evaluator over it, and a hand-driven "log": what was evaluated is applied when
// the test says so, as the state machine would.
#pragma once

#include <deque>
#include <string>

#include <gtest/gtest.h>

#include "base/mem_engine.h"
#include "tests/sim/sim_file.h"
#include "txn/evaluator.h"
#include "txn/mvcc.h"

namespace meridian::txn {

class EvaluatorTest : public ::testing::Test {
 protected:
  static constexpr KeyspaceId kKeyspace{1};
  static constexpr RegionId kOrigin{1};

  EvaluatorTest() : fs_([this] { return random_++; }), engine_(fs_) { lead(); }

  // A new leadership: remembers nothing.
  void lead(std::size_t remembered = 1000) {
    evaluator_.emplace(engine_, hlc_, wall_, EvaluatorOptions{.remembered_requests = remembered});
  }

  RequestId id(std::uint64_t sequence) const { return {static_cast<std::uint64_t>(wall_.us()), 7, sequence}; }
  static WriteRequest put(RequestId id, std::string key, std::string value) {
    WriteRequest request;
    request.id = id;
    request.keyspace = kKeyspace;
    request.mutations.push_back({std::move(key), std::move(value)});
    return request;
  }
  static WriteRequest remove(RequestId id, std::string key) {
    WriteRequest request = put(id, std::move(key), "");
    request.mutations[0].value.reset();
    return request;
  }
  static WriteRequest put_if(RequestId id, std::string key, std::string value, Condition condition) {
    WriteRequest request = put(id, key, std::move(value));
    condition.key = key;
    request.condition = std::move(condition);
    return request;
  }

  Result<Evaluator::Evaluation> evaluate(WriteRequest request) {
    return evaluator_->evaluate(std::move(request), wall_, MayBlock::kYes);
  }
  // Evaluates and appends; the test fails if no command came of it.
  Command append(WriteRequest request) {
    auto evaluated = evaluate(std::move(request));
    EXPECT_TRUE(evaluated.has_value()) << evaluated.error().to_string();
    EXPECT_TRUE(std::holds_alternative<Command>(*evaluated));
    Command command = std::get<Command>(std::move(*evaluated));
    evaluator_->appended(command);
    pending_.push_back(command);
    return command;
  }
  void apply_oldest() {
    const Command command = std::move(pending_.front());
    pending_.pop_front();
    WriteBatch batch;
    VersionHeader header{false, command.id, command.payload_hash};
    for (const Mutation& m : command.mutations) {
      header.tombstone = !m.value.has_value();
      batch.put(version_key(command.keyspace, m.key, command.stamp, kOrigin), version_value(header, m.value.value_or("")));
    }
    if (!command.outcome.applied) {
      batch.put(outcome_key(command.keyspace, command.anchor, command.id),
                outcome_value(command.payload_hash, command.outcome.version));
    }
    ASSERT_TRUE(engine_.write(batch, MayBlock::kYes).has_value());
    evaluator_->oldest_applied(command.stamp);
  }
  WriteOutcome outcome_of(WriteRequest request) {
    auto evaluated = evaluate(std::move(request));
    EXPECT_TRUE(evaluated.has_value()) << evaluated.error().to_string();
    EXPECT_TRUE(std::holds_alternative<WriteOutcome>(*evaluated));
    return std::get<WriteOutcome>(*evaluated);
  }

  std::uint64_t random_ = 1;
  SimFileSystem fs_;
  MemEngine engine_;
  Hlc node_hlc_;
  FlooredHlc hlc_{node_hlc_, Timestamp()};
  WallTime wall_{1'800'000'000'000'000};
  std::optional<Evaluator> evaluator_;
  std::deque<Command> pending_;
};

}  // namespace meridian::txn
