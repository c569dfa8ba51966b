// Where reads, writes and scans go, and what is refused before they go anywhere.

#include "tests/proxy/fake_cluster.h"

namespace meridian::proxy {
namespace {

using ProxyData = FakeCluster;

TEST_F(ProxyData, WritesAndStrongReadsGoToTheLeader) {
  start_proxy();
  const auto written = put("k", "v");
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(written->version(), 1'000'001u);
  EXPECT_GT(written->cluster_time_us(), 0u);
  const auto got = get("k");
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(got->value(), "v");
  EXPECT_EQ(got->info().node_id(), 1u);
  EXPECT_EQ(got->info().role(), v1::REPLICA_ROLE_LEADER);
  EXPECT_EQ(got->info().region(), "r0");
  EXPECT_EQ(node(1).writes.size(), 1u);
  EXPECT_EQ(node(1).reads.size(), 1u);
  EXPECT_TRUE(node(2).reads.empty() && node(3).reads.empty());
  EXPECT_EQ(proxy->stats().requests, 2u);
  EXPECT_EQ(proxy->stats().retries, 0u);
  EXPECT_TRUE(proxy->ready());
  EXPECT_EQ(proxy->in_flight(), 0u);
}

TEST_F(ProxyData, ARequestWithoutAnIdGetsOneOfTheClustersTime) {
  start_proxy();
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(put("b", "2"));
  const auto& first = node(1).writes[0].id();
  const auto& second = node(1).writes[1].id();
  EXPECT_NE(first.client(), 0u);
  EXPECT_EQ(first.client(), second.client());
  EXPECT_NE(first.sequence(), second.sequence());
  EXPECT_LE(static_cast<std::int64_t>(second.time_us()), sim::SimClocks::kEpochUs + world.now() + 250'000);
  EXPECT_GE(static_cast<std::int64_t>(second.time_us()), sim::SimClocks::kEpochUs - 250'000);
}

TEST_F(ProxyData, FollowsANewLeaderInOneHop) {
  start_proxy();
  ASSERT_TRUE(put("k", "1"));
  elect(3, 6);
  ASSERT_TRUE(put("k", "2"));
  EXPECT_EQ(node(1).writes.size(), 2u);
  EXPECT_EQ(node(3).writes.size(), 1u);
  EXPECT_EQ(node(1).writes[1].id().sequence(), node(3).writes[0].id().sequence());
  EXPECT_EQ(proxy->stats().redirects, 1u);
  EXPECT_LT(elapsed, 5ms);
  ASSERT_TRUE(put("k", "3"));
  EXPECT_EQ(node(1).writes.size(), 2u);
}

TEST_F(ProxyData, CompareAndSetIsACondition) {
  start_proxy();
  node(1).on_write = [](const api::WriteRequest&, auto& reply) {
    api::WriteResponse response;
    response.set_version(99);
    reply(std::move(response));
    return true;
  };
  v1::CompareAndSetRequest request;
  request.set_key("k");
  request.set_expected_version(5);
  request.set_value("v");
  const auto answer = call(v1::kCompareAndSet, request);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->succeeded());
  EXPECT_EQ(answer->version(), 99u);
  EXPECT_EQ(node(1).writes[0].condition().kind(), api::Condition::VERSION);
  EXPECT_EQ(node(1).writes[0].condition().version(), 5u);
  EXPECT_EQ(node(1).writes[0].condition().key(), "k");
}

TEST_F(ProxyData, BatchesAndSeveralKeysAreOneRequest) {
  start_proxy();
  v1::WriteBatchRequest batch;
  for (const char* key : {"a", "b"}) {
    auto* m = batch.add_mutations();
    m->set_key(key);
    m->set_value(key);
  }
  ASSERT_TRUE(call(v1::kWriteBatch, batch));
  v1::MultiGetRequest request;
  for (const char* key : {"b", "x", "a"}) request.add_keys(key);
  const auto got = call(v1::kMultiGet, request);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->items_size(), 3);
  EXPECT_EQ(got->items(0).value(), "b");
  EXPECT_FALSE(got->items(1).found());
  EXPECT_EQ(got->items(2).value(), "a");
  EXPECT_EQ(node(1).writes.size(), 1u);
  EXPECT_EQ(node(1).reads.size(), 1u);
}

TEST_F(ProxyData, AnAnswerOfTheFirstKeysSaysHowManyAreLeft) {
  start_proxy();
  int answered = 2;
  node(1).on_read = [&](const api::ReadRequest&, auto& reply) {
    api::ReadResponse response;
    for (int i = 0; i < answered; ++i) response.add_items()->set_value("v");
    response.mutable_info()->set_timestamp(77);
    reply(std::move(response));
    return true;
  };
  v1::MultiGetRequest request;
  for (const char* key : {"a", "b", "c", "d", "e"}) request.add_keys(key);
  const auto got = call(v1::kMultiGet, request);
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(got->items_size(), 2);
  EXPECT_EQ(got->rest(), 3u);
  for (const int wrong : {0, 6}) {
    answered = wrong;
    const auto bad = call(v1::kMultiGet, request);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code(), ErrorCode::kInternal);
  }
}

TEST_F(ProxyData, AnyReplicaIsANearOneAndFallsOver) {
  start_proxy();
  data["k"] = "v";
  for (int i = 0; i < 5; ++i) {
    const auto got = get("k", v1::CONSISTENCY_ANY_REPLICA);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->info().node_id(), 2u);  // the proxy is in r1
    EXPECT_EQ(got->info().role(), v1::REPLICA_ROLE_FOLLOWER);
  }
  node(2).crash(true);
  const auto got = get("k", v1::CONSISTENCY_ANY_REPLICA);
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_NE(got->info().node_id(), 2u);
  node(2).start();
  world.run_for(6'000'000);
  ASSERT_TRUE(get("k", v1::CONSISTENCY_ANY_REPLICA));
  world.run_for(1'000'000);
  EXPECT_EQ(get("k", v1::CONSISTENCY_ANY_REPLICA)->info().node_id(), 2u);
}

TEST_F(ProxyData, AReplicaWithoutDataIsPassedOver) {
  start_proxy();
  node(2).on_read = [](const api::ReadRequest&, auto& reply) {
    reply(fail(ErrorCode::kUnavailable, "this replica holds no data yet"));
    return true;
  };
  const auto got = get("k", v1::CONSISTENCY_ANY_REPLICA);
  ASSERT_TRUE(got);
  EXPECT_NE(got->info().node_id(), 2u);
}

TEST_F(ProxyData, ABrokenReplicasErrorIsToldOnceAllWereTried) {
  start_proxy();
  for (const auto& n : nodes) {
    n->on_read = [](const api::ReadRequest&, auto& reply) {
      reply(fail(ErrorCode::kCorruption, "checksum"));
      return true;
    };
  }
  const auto refused = get("k", v1::CONSISTENCY_ANY_REPLICA);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kCorruption);
  EXPECT_LT(elapsed, 50ms);
  for (const auto& n : nodes) EXPECT_EQ(n->reads.size(), 1u);
  node(3).on_read = nullptr;
  const auto got = get("k", v1::CONSISTENCY_ANY_REPLICA);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->info().node_id(), 3u);
}

TEST_F(ProxyData, ATimestampThatIsNotClosedNearbyIsReadAtTheLeader) {
  start_proxy();
  node(2).on_read = [this](const api::ReadRequest&, auto& reply) {
    api::ReadResponse response;
    *response.mutable_not_leader() = node(2).where();
    reply(std::move(response));
    return true;
  };
  const auto got = get("k", v1::CONSISTENCY_ANY_REPLICA, 900'000);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->info().node_id(), 1u);
  EXPECT_EQ(got->info().timestamp(), 900'000u);
}

TEST_F(ProxyData, EveryPageIsAsOfTheFirstOnesTimestamp) {
  start_proxy();
  for (char c = 'a'; c <= 'g'; ++c) data["p/" + std::string(1, c)] = "v";
  data["q"] = "outside";
  for (const bool reverse : {false, true}) {
    v1::ScanRequest request;
    request.set_prefix("p/");
    request.set_limit(3);
    request.set_reverse(reverse);
    std::string keys;
    std::uint64_t timestamp = 0;
    for (int page = 0; page < 3; ++page) {
      const auto answer = call(v1::kScan, request);
      ASSERT_TRUE(answer) << answer.error().to_string();
      for (const auto& entry : answer->entries()) keys += entry.key().back();
      if (page == 0) timestamp = answer->info().timestamp();
      EXPECT_EQ(answer->info().timestamp(), timestamp);
      EXPECT_EQ(answer->next_page_token().empty(), page == 2);
      request.set_page_token(answer->next_page_token());
      ++clock;
    }
    EXPECT_EQ(keys, reverse ? "gfedcba" : "abcdefg");
  }
  EXPECT_EQ(node(1).scans[0].at_timestamp(), 0u);
  EXPECT_EQ(node(1).scans[0].end(), "p0");
  EXPECT_EQ(node(1).scans[1].at_timestamp(), node(1).scans[2].at_timestamp());
  EXPECT_NE(node(1).scans[1].at_timestamp(), 0u);
}

TEST_F(ProxyData, AScanWithoutALimitHasOne) {
  start_proxy();
  ASSERT_TRUE(call(v1::kScan, v1::ScanRequest()));
  EXPECT_EQ(node(1).scans[0].limit(), 1000u);
}

TEST_F(ProxyData, ForeignPageTokensAreRefused) {
  start_proxy();
  for (char c = 'a'; c <= 'd'; ++c) data[std::string(1, c)] = "v";
  v1::ScanRequest request;
  request.set_limit(2);
  const std::string token = call(v1::kScan, request)->next_page_token();
  ASSERT_FALSE(token.empty());
  const std::size_t scans = node(1).scans.size();
  const auto refused = [&](v1::ScanRequest changed) {
    const auto answer = call(v1::kScan, changed);
    return !answer && answer.error().code() == ErrorCode::kInvalidArgument;
  };
  for (std::size_t i = 0; i < token.size(); ++i) {
    v1::ScanRequest tampered = request;
    std::string bytes = token;
    bytes[i] = static_cast<char>(bytes[i] ^ 1);
    tampered.set_page_token(bytes);
    EXPECT_TRUE(refused(tampered)) << "byte " << i;
    tampered.set_page_token(token.substr(0, i == 0 ? 1 : i));
    EXPECT_TRUE(refused(tampered)) << "cut to " << i;
  }
  request.set_page_token(token);
  v1::ScanRequest other = request;
  other.set_reverse(true);
  EXPECT_TRUE(refused(other));
  other = request;
  other.set_start("a");
  EXPECT_TRUE(refused(other));
  other = request;
  other.mutable_options()->set_consistency(v1::CONSISTENCY_ANY_REPLICA);
  EXPECT_TRUE(refused(other));
  EXPECT_EQ(node(1).scans.size(), scans);
  request.set_limit(1);
  EXPECT_TRUE(call(v1::kScan, request));
}

TEST_F(ProxyData, BadInputIsRefusedBeforeItGoesAnywhere) {
  start_proxy();
  const auto code = [](const auto& answer) { return answer ? ErrorCode{} : answer.error().code(); };
  EXPECT_EQ(code(put("", "v")), ErrorCode::kInvalidArgument);
  const auto long_key = put(std::string(4097, 'k'), "v");
  ASSERT_EQ(code(long_key), ErrorCode::kInvalidArgument);
  EXPECT_NE(long_key.error().message().find("4097"), std::string::npos);
  EXPECT_NE(long_key.error().message().find("4096"), std::string::npos);
  EXPECT_EQ(code(put("k", std::string((1 << 20) + 1, 'v'))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(get("")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(call(v1::kWriteBatch, v1::WriteBatchRequest())), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(call(v1::kMultiGet, v1::MultiGetRequest())), ErrorCode::kInvalidArgument);
  v1::WriteBatchRequest batch;
  batch.add_mutations()->set_key("k");
  EXPECT_EQ(code(call(v1::kWriteBatch, batch)), ErrorCode::kInvalidArgument);  // no action
  batch.mutable_mutations(0)->set_value("1");
  *batch.add_mutations() = batch.mutations(0);
  EXPECT_EQ(code(call(v1::kWriteBatch, batch)), ErrorCode::kInvalidArgument);  // twice
  v1::CompareAndSetRequest cas;
  cas.set_key("k");
  cas.set_value("v");
  EXPECT_EQ(code(call(v1::kCompareAndSet, cas)), ErrorCode::kInvalidArgument);
  v1::ScanRequest scan;
  scan.set_prefix("p");
  scan.set_end("q");
  EXPECT_EQ(code(call(v1::kScan, scan)), ErrorCode::kInvalidArgument);
  scan.clear_prefix();
  scan.clear_end();
  scan.set_limit(10'001);
  EXPECT_EQ(code(call(v1::kScan, scan)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(call_bytes(v1::kPut.id, "\xff\xff garbage")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(call_bytes(0x1ff, "")), ErrorCode::kUnimplemented);
  v1::PutRequest elsewhere;
  elsewhere.set_keyspace("orders");
  elsewhere.set_key("k");
  const auto not_found = call(v1::kPut, elsewhere);
  ASSERT_EQ(code(not_found), ErrorCode::kNotFound);
  EXPECT_NE(not_found.error().message().find("orders"), std::string::npos);
  EXPECT_TRUE(node(1).writes.empty() && node(1).reads.empty() && node(1).scans.empty());
}

TEST_F(ProxyData, TooManyAtOnceAreBusyAndDrainingIsUnavailable) {
  start_proxy({.max_inflight = 2});
  node(1).on_write = [this](const api::WriteRequest&, auto& reply) {
    node(1).kept.push_back(std::move(reply));
    return true;
  };
  std::vector<Result<std::string>> answers;
  const auto dispatch = [&] {
    v1::PutRequest request;
    request.set_key("k");
    proxy->dispatch(v1::kPut.id, v1::encode(request), proxy_runtime->now() + 500ms,
                    [&](Result<std::string> answer) { answers.push_back(std::move(answer)); });
  };
  proxy_runtime->post([&] {
    for (int i = 0; i < 3; ++i) dispatch();
  });
  world.run_for(1'000);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].error().code(), ErrorCode::kBusy);
  EXPECT_GT(answers[0].error().retry_after_ms(), 0u);
  EXPECT_EQ(proxy->in_flight(), 2u);
  proxy->drain();
  proxy_runtime->post(dispatch);
  world.run_for(1'000);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].error().code(), ErrorCode::kUnavailable);
  world.run_for(1'000'000);
  ASSERT_EQ(answers.size(), 4u);  // what was under way was answered
  EXPECT_EQ(answers[3].error().code(), ErrorCode::kUnknownOutcome);
  EXPECT_FALSE(proxy->ready());
}

// In an outage every place is taken by a request that does not end; that is when status and administration are needed.
TEST_F(ProxyData, StatusAdministrationAndHelloHavePlacesOfTheirOwn) {
  ProxyOptions options;
  options.min_inflight = options.max_inflight = 1;
  options.max_control_inflight = 2;
  start_proxy(options);
  std::vector<Respond<api::ReadResponse>> stuck;
  node(1).on_read = [&](const api::ReadRequest&, auto& reply) {
    stuck.push_back(std::move(reply));
    return true;
  };
  v1::GetRequest get_request;
  get_request.set_key("k");
  proxy_runtime->post([&] {
    proxy->dispatch(v1::kGet.id, v1::encode(get_request), proxy_runtime->now() + 10s, [](Result<std::string>) {});
  });
  ASSERT_TRUE(world.run_until([&] { return !stuck.empty(); }, world.now() + 100'000));
  const auto refused = get("other", v1::CONSISTENCY_LINEARIZABLE, 0, 1s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kBusy);

  const auto status = call(v1::kGetStatus, v1::GetStatusRequest());
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_EQ(status->nodes_size(), 3);
  EXPECT_TRUE(call(v1::kHello, v1::HelloRequest()));
  v1::TransferLeaderRequest transfer;
  transfer.set_node_id(2);
  const auto transferred = call(v1::kTransferLeader, transfer);
  EXPECT_TRUE(transferred) << transferred.error().to_string();

  // They, too, are bounded; Hello takes no place.
  std::vector<Respond<api::ChangeResponse>> changes;
  node(1).on_change = [&](const api::ChangeRequest&, auto& reply) {
    changes.push_back(std::move(reply));
    return true;
  };
  for (int i = 0; i < 2; ++i) {
    proxy_runtime->post([&] {
      proxy->dispatch(v1::kTransferLeader.id, v1::encode(transfer), proxy_runtime->now() + 30s, [](Result<std::string>) {});
    });
  }
  ASSERT_TRUE(world.run_until([&] { return changes.size() == 2; }, world.now() + 100'000));
  const auto third = call(v1::kTransferLeader, transfer, 1s);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kBusy) << third.error().to_string();
  EXPECT_TRUE(call(v1::kHello, v1::HelloRequest()));
  proxy_runtime->post([&] { proxy.reset(); });  // drops what is stuck, before the vectors go
  world.run_for(1'000);
}

TEST_F(ProxyData, RequestsUnderWayAreCountedInBytesToo) {
  ProxyOptions options;
  options.max_inflight_bytes = 1'000'000;
  start_proxy(options);
  std::vector<Respond<api::WriteResponse>> stuck;
  node(1).on_write = [&](const api::WriteRequest&, auto& reply) {
    stuck.push_back(std::move(reply));
    return true;
  };
  v1::PutRequest request;
  request.set_key("k");
  request.set_value(std::string(900'000, 'v'));
  proxy_runtime->post([&] {
    proxy->dispatch(v1::kPut.id, v1::encode(request), proxy_runtime->now() + 10s, [](Result<std::string>) {});
  });
  ASSERT_TRUE(world.run_until([&] { return !stuck.empty(); }, world.now() + 100'000));
  const auto refused = put("other", std::string(900'000, 'w'), 1s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kBusy) << refused.error().to_string();
  EXPECT_TRUE(get("small"));
  proxy_runtime->post([&] { proxy.reset(); });
  world.run_for(1'000);
}

// Nothing but the question itself makes an idle proxy look.
TEST_F(ProxyData, IsNotReadyWithoutALeaderAndReadyAgainWithOne) {
  start_proxy();
  ASSERT_TRUE(put("k", "v"));
  bool ready = true;
  const auto ask = [&] {
    proxy_runtime->post([&] { ready = proxy->ready(); });
    world.run_for(1'000);
    return ready;
  };
  EXPECT_TRUE(ask());
  elect(0, 6);  // it stepped down; nobody won
  for (int i = 0; i < 10 && ask(); ++i) world.run_for(1'000'000);
  EXPECT_FALSE(ask());
  proxy_runtime->post([&] { EXPECT_EQ(proxy->not_ready(), "no leader answers; writes and linearizable reads wait"); });
  world.run_for(1'000);
  elect(2, 7);
  for (int i = 0; i < 3 && !ask(); ++i) world.run_for(1'000'000);
  EXPECT_TRUE(ask());
  cut_off(2);
  for (int i = 0; i < 10 && ask(); ++i) world.run_for(1'000'000);
  EXPECT_FALSE(ask());
}

TEST_F(ProxyData, ManyRequestsWithoutALeaderAskForTheTopologySparingly) {
  start_proxy();
  elect(0, 6);
  for (const auto& n : nodes) n->term = 6;
  const int before = node(3).topologies;
  int answered = 0;
  proxy_runtime->post([&] {
    for (int i = 0; i < 500; ++i) {
      v1::PutRequest request;
      request.set_key("k");
      proxy->dispatch(v1::kPut.id, v1::encode(request), proxy_runtime->now() + 5s, [&](Result<std::string> answer) {
        EXPECT_TRUE(answer);
        ++answered;
      });
    }
  });
  later(1s, [this] { elect(2, 7); });
  world.run_for(1'300'000);
  EXPECT_EQ(answered, 500);
  EXPECT_LT(node(3).topologies - before, 130);
}

}  // namespace
}  // namespace meridian::proxy
