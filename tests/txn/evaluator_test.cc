#include "tests/txn/fixture.h"

namespace meridian::txn {
namespace {

using Kind = Condition::Kind;

TEST_F(EvaluatorTest, StampsIncreaseAlsoWithinOneMicrosecond) {
  const Timestamp first = append(put(id(1), "a", "1")).stamp;
  const Timestamp second = append(put(id(2), "a", "2")).stamp;
  EXPECT_LT(first, second);
  EXPECT_EQ(evaluator_->oldest_pending(), first);
  apply_oldest();
  EXPECT_EQ(evaluator_->oldest_pending(), second);
}

TEST_F(EvaluatorTest, ConditionsSeeWhatIsAppendedAndNotApplied) {
  append(put(id(1), "k", "one"));
  // T13: the applied state still says absent.
  EXPECT_FALSE(append(put_if(id(2), "k", "two", {.kind = Kind::kAbsent})).outcome.applied);
  EXPECT_TRUE(append(put_if(id(3), "k", "three", {.kind = Kind::kValue, .value = "one"})).outcome.applied);
  append(remove(id(4), "k"));
  EXPECT_TRUE(append(put_if(id(5), "k", "five", {.kind = Kind::kAbsent})).outcome.applied);
  while (!pending_.empty()) apply_oldest();
  const auto value = read_version(engine_, kKeyspace, "k", Timestamp::max(), {});
  EXPECT_EQ(value->value, "five");
}

TEST_F(EvaluatorTest, AnOlderAppliedValueDoesNotHideANewerAppendedOne) {
  append(put(id(1), "k", "one"));
  const Timestamp second = append(put(id(2), "k", "two")).stamp;
  apply_oldest();
  EXPECT_TRUE(append(put_if(id(3), "k", "three", {.kind = Kind::kVersion, .version = second})).outcome.applied);
}

TEST_F(EvaluatorTest, ARetryWaitsForThePendingFirstAttemptAndThenGetsItsAnswer) {
  const Command first = append(put(id(1), "k", "one"));
  auto again = evaluate(put(id(1), "k", "one"));
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(std::holds_alternative<Evaluator::WaitForPending>(*again));
  apply_oldest();
  EXPECT_EQ(outcome_of(put(id(1), "k", "one")), first.outcome);
}

// R2: the delayed first attempt arrives at the next leader after its retry was applied by the last one.
TEST_F(EvaluatorTest, ANewLeaderFindsAnAppliedRequestInTheVersions) {
  const Command first = append(put(id(1), "k", "one"));
  apply_oldest();
  append(put(id(2), "k", "two"));
  apply_oldest();
  lead();
  EXPECT_EQ(outcome_of(put(id(1), "k", "one")), first.outcome);
  const auto value = read_version(engine_, kKeyspace, "k", Timestamp::max(), {});
  EXPECT_EQ(value->value, "two");
}

TEST_F(EvaluatorTest, ARemoveIsFoundByItsTombstoneEvenOverNothing) {
  const Command removed = append(remove(id(1), "never there"));
  apply_oldest();
  lead();
  EXPECT_EQ(outcome_of(remove(id(1), "never there")), removed.outcome);
}

// R3: told that it failed, the client moves on; the delayed first attempt must fail too.
TEST_F(EvaluatorTest, AFailedConditionStaysFailedAfterItWouldHoldAndUnderANewLeader) {
  append(put(id(1), "k", "one"));
  apply_oldest();
  const Command failed = append(put_if(id(2), "k", "mine", {.kind = Kind::kAbsent}));
  EXPECT_FALSE(failed.outcome.applied);
  apply_oldest();
  append(remove(id(3), "k"));
  apply_oldest();
  EXPECT_EQ(outcome_of(put_if(id(2), "k", "mine", {.kind = Kind::kAbsent})), failed.outcome);
  lead();
  EXPECT_EQ(outcome_of(put_if(id(2), "k", "mine", {.kind = Kind::kAbsent})), failed.outcome);
}

TEST_F(EvaluatorTest, OneIdWithTwoPayloadsIsRefusedPendingAppliedAndUnderANewLeader) {
  append(put(id(1), "k", "one"));
  EXPECT_EQ(evaluate(put(id(1), "k", "other")).error().code(), ErrorCode::kInvalidArgument);
  apply_oldest();
  EXPECT_EQ(evaluate(put(id(1), "k", "other")).error().code(), ErrorCode::kInvalidArgument);
  lead();
  EXPECT_EQ(evaluate(put(id(1), "k", "other")).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(EvaluatorTest, AForgottenIdIsSoughtInTheVersions) {
  lead(/*remembered=*/1);
  wall_ = wall_ + Duration(10'000'000);  // past the time in which a new leader seeks every id
  const Command first = append(put(id(1), "a", "1"));
  apply_oldest();
  append(put(id(2), "b", "2"));
  apply_oldest();
  EXPECT_EQ(evaluator_->remembered(), 1u);
  EXPECT_EQ(outcome_of(put(id(1), "a", "1")), first.outcome);
}

TEST_F(EvaluatorTest, AnIdFromTheFutureIsRefusedAndAnAncientOneHasAnUnknownOutcome) {
  const auto now = static_cast<std::uint64_t>(wall_.us());
  EXPECT_EQ(evaluate(put({now + 250'001, 1, 1}, "k", "v")).error().code(), ErrorCode::kOutOfRange);
  EXPECT_EQ(evaluate(put({UINT64_MAX, 1, 1}, "k", "v")).error().code(), ErrorCode::kOutOfRange);
  const auto ancient = evaluate(put({now - 600'000'001, 1, 1}, "k", "v"));
  EXPECT_EQ(ancient.error().code(), ErrorCode::kUnknownOutcome);
  EXPECT_FALSE(is_definite(ancient.error()));
  EXPECT_TRUE(evaluate(put({now + 250'000, 1, 1}, "k", "v")).has_value());
}

}  // namespace
}  // namespace meridian::txn
