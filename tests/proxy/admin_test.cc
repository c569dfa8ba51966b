// Before there is a cluster, forming one, changing it, and what GetStatus says.

#include <algorithm>

#include "tests/proxy/fake_cluster.h"

namespace meridian::proxy {
namespace {

ErrorCode code(const auto& answer) { return answer ? ErrorCode{} : answer.error().code(); }

struct ProxyAdmin : FakeCluster {
  void uninitialise() {
    for (const auto& n : nodes) n->initialised = false;
  }
  v1::InitClusterRequest init() const {
    v1::InitClusterRequest request;
    for (const auto& n : nodes) {
      auto* spec = request.add_nodes();
      spec->set_address(n->address);
      spec->set_region(n->region);
    }
    return request;
  }
  static bool says(const v1::GetStatusResponse& status, std::string_view what) {
    return std::ranges::any_of(status.problems(),
                               [&](const std::string& problem) { return problem.find(what) != std::string::npos; });
  }
};

TEST_F(ProxyAdmin, BeforeThereIsAClusterDataCallsFailQuicklyAndSayWhatToDo) {
  uninitialise();
  start_proxy();
  for (int i = 0; i < 2; ++i) {
    const auto written = put("k", "v");
    ASSERT_EQ(code(written), ErrorCode::kUnavailable);
    EXPECT_NE(written.error().message().find("meridianctl cluster init"), std::string::npos);
    EXPECT_LT(elapsed, 100ms);
    world.run_for(1'000'000);
  }
  const auto hello = call(v1::kHello, v1::HelloRequest());
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->cluster_id(), 0u);
  EXPECT_NE(hello->cluster_time_us(), 0u);
  EXPECT_EQ(hello->region(), "r1");
  EXPECT_EQ(hello->version(), "test");
  const auto status = call(v1::kGetStatus, v1::GetStatusRequest());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->cluster_id(), 0u);
  EXPECT_FALSE(status->healthy());
  EXPECT_TRUE(says(*status, "meridianctl cluster init"));
  EXPECT_FALSE(proxy->ready());
}

TEST_F(ProxyAdmin, FormsAClusterOnce) {
  uninitialise();
  start_proxy();
  const auto formed = call(v1::kInitCluster, init());
  ASSERT_TRUE(formed) << formed.error().to_string();
  EXPECT_EQ(formed->cluster_id(), 0xc1u);
  ASSERT_EQ(formed->nodes_size(), 3);
  EXPECT_EQ(formed->nodes(1).replica_id(), 12u);
  ASSERT_EQ(node(1).bootstraps.size(), 1u);
  EXPECT_EQ(node(1).bootstraps[0].nodes_size(), 3);
  EXPECT_TRUE(put("k", "v"));
  EXPECT_EQ(call(v1::kHello, v1::HelloRequest())->cluster_id(), 0xc1u);
  EXPECT_EQ(call(v1::kInitCluster, init())->cluster_id(), 0xc1u);
  v1::InitClusterRequest other = init();
  other.mutable_nodes(2)->set_address("n9:1");
  EXPECT_EQ(code(call(v1::kInitCluster, other)), ErrorCode::kAlreadyExists);
  EXPECT_EQ(node(1).bootstraps.size(), 1u);
}

TEST_F(ProxyAdmin, RefusesNodesThatCannotFormACluster) {
  uninitialise();
  start_proxy();
  const auto refused = [&](auto change) {
    v1::InitClusterRequest request = init();
    change(request);
    return code(call(v1::kInitCluster, request)) == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& r) { r.clear_nodes(); }));
  EXPECT_TRUE(refused([](auto& r) { r.mutable_nodes(2)->set_address(r.nodes(0).address()); }));
  EXPECT_TRUE(refused([](auto& r) { r.mutable_nodes(0)->set_region(""); }));
  for (const char* address : {"", "host", ":7401", "host:", "host:0", "host:65536", "host:7x", "http://host:1"}) {
    EXPECT_TRUE(refused([&](auto& r) { r.mutable_nodes(0)->set_address(address); })) << address;
  }
  EXPECT_TRUE(refused([](auto& r) {
    for (int i = 0; i < 7; ++i) {
      auto* spec = r.add_nodes();
      spec->set_address("m" + std::to_string(i) + ":1");
      spec->set_region("r");
    }
  }));
  EXPECT_TRUE(node(1).bootstraps.empty());
}

TEST_F(ProxyAdmin, SaysWhoDoesNotAnswer) {
  start_proxy();
  auto status = call(v1::kGetStatus, v1::GetStatusRequest());
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->healthy());
  EXPECT_EQ(status->problems_size(), 0);
  EXPECT_EQ(status->leader_node_id(), 1u);
  EXPECT_EQ(status->cluster_id(), 0xc1u);
  ASSERT_EQ(status->nodes_size(), 3);
  EXPECT_TRUE(status->nodes(2).reachable());
  EXPECT_EQ(status->nodes(2).role(), v1::REPLICA_ROLE_FOLLOWER);
  EXPECT_EQ(status->nodes(2).replica_id(), 13u);
  EXPECT_EQ(status->nodes(2).state(), v1::NODE_STATE_ACTIVE);
  EXPECT_EQ(status->keyspaces(0), "default");

  cut_off(3);
  node(2).trouble = "the disk is full";
  status = call(v1::kGetStatus, v1::GetStatusRequest());
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->healthy());
  EXPECT_FALSE(status->nodes(2).reachable());
  EXPECT_TRUE(says(*status, "node 3 (r2, n3:1) does not answer"));
  EXPECT_TRUE(says(*status, "the disk is full"));
  EXPECT_LT(elapsed, 2s);

  cut_off(2);
  status = call(v1::kGetStatus, v1::GetStatusRequest());
  EXPECT_FALSE(status->healthy());
  EXPECT_TRUE(says(*status, "only 1 of 3 voters"));
  cut_off(1);
  status = call(v1::kGetStatus, v1::GetStatusRequest());
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_FALSE(status->healthy());
  EXPECT_EQ(status->leader_node_id(), 0u);
}

TEST_F(ProxyAdmin, TellsHowFarAnOperationHasCome) {
  make_nodes(1);
  state.mutable_nodes(3)->set_state(api::JOINING);
  auto* operation = state.add_operations();
  operation->set_id(7);
  operation->set_kind(api::Operation::ADD);
  operation->set_node_id(4);
  start_proxy({.nodes = {"n1:1"}});
  const auto status = call(v1::kGetStatus, v1::GetStatusRequest());
  ASSERT_TRUE(status);
  ASSERT_EQ(status->operations_size(), 1);
  EXPECT_EQ(status->operations(0).kind(), "add node");
  EXPECT_EQ(status->operations(0).progress(), "catching up: 3,120 of 61,004 entries");
}

TEST_F(ProxyAdmin, ChangesGoToTheLeaderAndAreNeverSentTwice) {
  start_proxy();
  v1::AddNodeRequest add;
  add.mutable_node()->set_address("n4:1");
  add.mutable_node()->set_region("r3");
  elect(2, 6);
  const auto added = call(v1::kAddNode, add);
  ASSERT_TRUE(added) << added.error().to_string();
  EXPECT_EQ(added->operation_id(), 7u);
  EXPECT_EQ(added->node_id(), 4u);
  ASSERT_EQ(node(2).changes.size(), 1u);
  EXPECT_EQ(node(2).changes[0].add().region(), "r3");

  node(2).on_change = [](const api::ChangeRequest&, auto& reply) {
    reply(fail(ErrorCode::kUnknownOutcome, "leadership ended"));
    return true;
  };
  EXPECT_EQ(code(call(v1::kAddNode, add)), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(node(2).changes.size(), 2u);
  node(2).on_change = [](const api::ChangeRequest&, auto& reply) {
    reply(fail(ErrorCode::kFailedPrecondition, "too few nodes would remain"));
    return true;
  };
  v1::RemoveNodeRequest remove;
  EXPECT_EQ(code(call(v1::kRemoveNode, remove)), ErrorCode::kInvalidArgument);
  remove.set_node_id(3);
  EXPECT_EQ(code(call(v1::kRemoveNode, remove)), ErrorCode::kFailedPrecondition);
  v1::ReplaceNodeRequest replace;
  replace.set_old_node_id(3);
  EXPECT_EQ(code(call(v1::kReplaceNode, replace)), ErrorCode::kInvalidArgument);
  node(2).on_change = nullptr;
  v1::TransferLeaderRequest transfer;
  transfer.set_node_id(3);
  EXPECT_TRUE(call(v1::kTransferLeader, transfer));
  EXPECT_EQ(node(2).changes.back().transfer_to_node_id(), 3u);
}

}  // namespace
}  // namespace meridian::proxy
