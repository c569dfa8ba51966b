// What the caller is told where nodes die, fall silent, are busy or lie about who leads.

#include "tests/proxy/fake_cluster.h"

namespace meridian::proxy {
namespace {

using ProxyOutcomes = FakeCluster;

ErrorCode code(const auto& answer) { return answer ? ErrorCode{} : answer.error().code(); }

auto answer_with(Error error, std::function<void()> first = {}) {
  return [error, first](const auto&, auto& reply) {
    if (first) first();
    reply(fail(error));
    return true;
  };
}

TEST_F(ProxyOutcomes, WritesResumeSoonAfterTheLeadersDeath) {
  start_proxy();
  ASSERT_TRUE(put("k", "1"));
  node(1).crash(true);
  later(1'200ms, [this] { elect(2, 6); });
  const auto written = put("k", "2");
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_GE(elapsed, 1'200ms);
  EXPECT_LT(elapsed, 1'450ms);
  EXPECT_EQ(data["k"], "2");
}

TEST_F(ProxyOutcomes, ASilentLeaderIsLeftForTheNewOne) {
  start_proxy();
  ASSERT_TRUE(put("k", "1"));
  cut_off(1);
  later(700ms, [this] {
    for (const std::uint64_t id : {2, 3}) node(id).leader = 2, node(id).term = 6;
  });
  const auto written = put("k", "2");
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_LT(elapsed, 1'600ms);
  // The next one does not even try the old leader.
  ASSERT_TRUE(put("k", "3"));
  EXPECT_LT(elapsed, 10ms);
}

TEST_F(ProxyOutcomes, FollowersThatHaveNotNoticedDoNotRestoreTrustInADeadLeader) {
  start_proxy();
  ASSERT_TRUE(put("k", "1"));
  cut_off(1);
  // Longer than an attempt: its followers name it all the while.
  later(1'500ms, [this] {
    for (const std::uint64_t id : {2, 3}) node(id).leader = 3, node(id).term = 6;
  });
  ASSERT_TRUE(put("k", "2"));
  EXPECT_LT(elapsed, 1'900ms);
}

TEST_F(ProxyOutcomes, ABrokenConnectionToALivingLeaderCostsOneRoundTrip) {
  start_proxy();
  bool once = false;
  node(1).on_write = [&](const api::WriteRequest&, auto& reply) {
    if (std::exchange(once, true)) return false;
    reply(fail(ErrorCode::kConnectionLost, "reset"));
    return true;
  };
  ASSERT_TRUE(put("k", "1"));
  EXPECT_LT(elapsed, 20ms);
  EXPECT_EQ(node(1).writes.size(), 2u);
}

TEST_F(ProxyOutcomes, ARetryCarriesTheSameIdAndAppliesOnce) {
  start_proxy();
  // It applies the write and dies before it answers.
  node(1).on_write = [this](const api::WriteRequest& request, auto& reply) {
    outcomes[{request.id().client(), request.id().sequence()}] = 77;
    ++applied;
    node(1).kept.push_back(std::move(reply));
    later(1ms, [this] {
      node(1).crash(true);
      elect(2, 6);
    });
    return true;
  };
  const auto written = put("k", "1");
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(written->version(), 77u);
  EXPECT_EQ(applied, 1);
  ASSERT_EQ(node(2).writes.size(), 1u);
}

TEST_F(ProxyOutcomes, AWriteThatNobodyAnsweredIsUnknown) {
  start_proxy();
  node(1).on_write = [this](const api::WriteRequest&, auto& reply) {
    node(1).kept.push_back(std::move(reply));
    return true;
  };
  const auto written = put("k", "1", 3'500ms);
  ASSERT_EQ(code(written), ErrorCode::kUnknownOutcome);
  EXPECT_NE(written.error().message().find("may have been received"), std::string::npos);  // the proxy's own word
  EXPECT_LT(elapsed, 3'600ms);  // the two clocks' rates differ
  ASSERT_GE(node(1).writes.size(), 2u);
  for (const auto& write : node(1).writes) {
    EXPECT_EQ(write.id().sequence(), node(1).writes[0].id().sequence());
    EXPECT_EQ(write.id().client(), node(1).writes[0].id().client());
  }
  EXPECT_EQ(proxy->stats().unknown_outcomes, 1u);
}

TEST_F(ProxyOutcomes, AReadThatNobodyAnsweredIsJustLate) {
  start_proxy();
  std::vector<Respond<api::ReadResponse>> kept;
  node(1).on_read = [&](const api::ReadRequest&, auto& reply) {
    kept.push_back(std::move(reply));
    return true;
  };
  const auto got = get("k", v1::CONSISTENCY_LINEARIZABLE, 0, 2s);
  EXPECT_TRUE(code(got) == ErrorCode::kDeadlineExceeded || code(got) == ErrorCode::kUnavailable)
      << got.error().to_string();
  stop_proxy();
}

TEST_F(ProxyOutcomes, WhatALaterAttemptIsToldDoesNotMakeAnEarlierOneUndone) {
  start_proxy();
  for (const ErrorCode later_code :
       {ErrorCode::kBusy, ErrorCode::kDiskFull, ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded,
        ErrorCode::kInvalidArgument, ErrorCode::kOutOfRange}) {
    int attempts = 0;
    node(1).on_write = [&](const api::WriteRequest&, auto& reply) {
      reply(fail(++attempts == 1 ? ErrorCode::kUnknownOutcome : later_code, "scripted"));
      return true;
    };
    EXPECT_EQ(code(put("k", "1", 800ms)), ErrorCode::kUnknownOutcome) << to_string(later_code);
    EXPECT_GE(attempts, 2) << to_string(later_code);
    world.run_for(2'000'000);
  }
}

TEST_F(ProxyOutcomes, ADefiniteAnswerAfterADoubtfulAttemptIsTheAnswer) {
  start_proxy();
  int attempts = 0;
  node(1).on_write = [&](const api::WriteRequest&, auto& reply) {
    if (++attempts == 1) {
      reply(fail(ErrorCode::kUnknownOutcome, "leadership ended"));
      return true;
    }
    api::WriteResponse response;
    response.set_version(42);
    reply(std::move(response));
    return true;
  };
  v1::CompareAndSetRequest request;
  request.set_key("k");
  request.set_expected_absent(true);
  request.set_value("v");
  const auto answer = call(v1::kCompareAndSet, request);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->succeeded());
  EXPECT_EQ(answer->version(), 42u);
}

TEST_F(ProxyOutcomes, DefiniteRefusalsArePassedOnAtOnce) {
  start_proxy();
  for (const ErrorCode refusal : {ErrorCode::kInvalidArgument, ErrorCode::kOutOfRange, ErrorCode::kNotFound}) {
    node(1).writes.clear();
    node(1).on_write = answer_with(Error(refusal, "no"));
    const auto written = put("k", "1");
    EXPECT_EQ(code(written), refusal);
    EXPECT_EQ(written.error().message(), "no");
    EXPECT_EQ(node(1).writes.size(), 1u);
  }
}

TEST_F(ProxyOutcomes, ABusyLeaderIsWaitedForAndLookedForAgain) {
  start_proxy();
  int attempts = 0;
  node(1).on_write = [&](const api::WriteRequest&, auto& reply) {
    if (++attempts > 2) return false;
    reply(fail(Error(ErrorCode::kBusy, "full").with_retry_after(40)));
    return true;
  };
  ASSERT_TRUE(put("k", "1"));
  EXPECT_GE(elapsed, 80ms);
  EXPECT_LT(elapsed, 300ms);
  node(1).on_write = answer_with(Error(ErrorCode::kBusy, "full").with_retry_after(40));
  const auto refused = put("k", "1", 200ms);
  EXPECT_EQ(code(refused), ErrorCode::kBusy);
  EXPECT_EQ(refused.error().retry_after_ms(), 40u);
  EXPECT_LT(elapsed, 200ms);
  later(100ms, [this] { elect(2, 6); });
  ASSERT_TRUE(put("k", "2"));
  EXPECT_LT(elapsed, 500ms);
}

TEST_F(ProxyOutcomes, WithoutALeaderAWriteCertainlyDidNotHappen) {
  start_proxy();
  elect(0, 6);
  const auto written = put("k", "1", 2s);
  EXPECT_EQ(code(written), ErrorCode::kUnavailable) << written.error().to_string();
  EXPECT_TRUE(is_definite(written.error()));
  EXPECT_GT(elapsed, 1'800ms);
  EXPECT_LT(elapsed, 2s);
}

TEST_F(ProxyOutcomes, WithoutAnyNodeAWriteCertainlyDidNotHappen) {
  for (const auto& n : nodes) n->crash(true);
  start_proxy();
  const auto written = put("k", "1");
  EXPECT_EQ(code(written), ErrorCode::kUnavailable);
  EXPECT_NE(written.error().message().find("n1:1"), std::string::npos);
  EXPECT_FALSE(proxy->ready());
  EXPECT_NE(proxy->not_ready(), "");
  for (const auto& n : nodes) n->start();
  world.run_for(3'000'000);
  EXPECT_TRUE(proxy->ready());
  EXPECT_TRUE(put("k", "2"));
}

TEST_F(ProxyOutcomes, AFullDiskIsToldOnceLeadershipHadTimeToMove) {
  start_proxy();
  node(1).on_write = answer_with(Error(ErrorCode::kDiskFull, "full"));
  EXPECT_EQ(code(put("k", "1")), ErrorCode::kDiskFull);
  EXPECT_GT(node(1).writes.size(), 2u);
  later(50ms, [this] { elect(2, 6); });
  EXPECT_TRUE(put("k", "1"));
}

TEST_F(ProxyOutcomes, AnIdThatTheClusterForgotIsNotAskedForAgainAndAgain) {
  start_proxy();
  node(1).on_write = answer_with(Error(ErrorCode::kUnknownOutcome, "older than the window"));
  v1::PutRequest request;
  request.set_key("k");
  request.mutable_id()->set_time_us(static_cast<std::uint64_t>(sim::SimClocks::kEpochUs) - 700'000'000);
  request.mutable_id()->set_client(1);
  EXPECT_EQ(code(call(v1::kPut, request)), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(node(1).writes.size(), 1u);
  EXPECT_LT(elapsed, 20ms);
}

TEST_F(ProxyOutcomes, OneSeedIsEnoughAndMayDieLater) {
  start_proxy({.nodes = {"n3:1"}});
  ASSERT_TRUE(put("k", "1"));
  node(3).crash(true);
  ASSERT_TRUE(put("k", "2"));
  elect(2, 6);
  ASSERT_TRUE(put("k", "3"));
}

TEST_F(ProxyOutcomes, ANodeOfAnotherClusterIsNotListenedTo) {
  start_proxy();
  ASSERT_TRUE(put("k", "1"));
  api::ClusterState other = state;
  other.set_cluster_id(0xbad);
  other.set_version(1000);
  other.mutable_nodes(0)->set_address("nowhere:1");
  node(3).own_state = other;
  node(3).leader = 3;
  node(3).term = 99;
  world.run_for(6'000'000);
  ASSERT_TRUE(put("k", "2"));
  world.run_for(1'000'000);
  ASSERT_TRUE(put("k", "3"));
  EXPECT_EQ(node(1).writes.size(), 3u);
  EXPECT_TRUE(node(3).writes.empty());
}

TEST_F(ProxyOutcomes, AProxyThatGoesAnswersNothingTwice) {
  start_proxy();
  node(1).on_write = [this](const api::WriteRequest&, auto& reply) {
    node(1).kept.push_back(std::move(reply));
    return true;
  };
  int answers = 0;
  proxy_runtime->post([&] {
    for (int i = 0; i < 3; ++i) {
      v1::PutRequest request;
      request.set_key("k");
      proxy->dispatch(v1::kPut.id, v1::encode(request), proxy_runtime->now() + 5s, [&](Result<std::string> answer) {
        EXPECT_EQ(code(answer), ErrorCode::kUnknownOutcome);
        ++answers;
      });
    }
  });
  world.run_for(100'000);
  stop_proxy();
  EXPECT_EQ(answers, 3);
}

}  // namespace
}  // namespace meridian::proxy
