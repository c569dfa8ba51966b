// Changes of the members, and leaders that leave while they are under way.
#include <algorithm>

#include <fmt/format.h>

#include "shard/api/methods.h"
#include "tests/stories/bed.h"

namespace meridian::stories {
namespace {

RunOptions with_spares(int spares, std::uint64_t seed = 1) {
  RunOptions options = quiet_cluster(3, seed);
  options.spares = spares;
  return options;
}

using Asked = std::function<void(const Result<v1::NodeOperationResponse>&)>;

client::Call admin_call(Bed& bed) {
  client::Call call;
  call.deadline = bed.cluster.admin().runtime->now() + Duration(5'000'000);
  return call;
}

void start_replace(Bed& bed, int old, int spare, Asked done) {
  v1::ReplaceNodeRequest request;
  request.set_old_node_id(bed.cluster.member_id(old));
  request.mutable_node()->set_address(bed.cluster.node_address(spare));
  request.mutable_node()->set_region(bed.cluster.node_region(spare));
  bed.cluster.admin().core->replace_node(std::move(request), admin_call(bed), std::move(done));
}

void start_remove(Bed& bed, std::uint64_t id, Asked done) {
  v1::RemoveNodeRequest request;
  request.set_node_id(id);
  bed.cluster.admin().core->remove_node(std::move(request), admin_call(bed), std::move(done));
}

// The nodes that the topology names are the replicas that vote.
void expect_members_are_voters(Bed& bed) {
  const int leader = bed.await_leader();
  std::vector<ReplicaId> voters = bed.cluster.raft_status(leader)->membership.voters, named;
  for (const int i : bed.cluster.members()) {
    const auto status = bed.cluster.raft_status(i);
    ASSERT_TRUE(status.has_value()) << "node " << i << " is named, and has no replica";
    named.push_back(status->id);
  }
  std::ranges::sort(voters);
  std::ranges::sort(named);
  EXPECT_EQ(named, voters);
}

// A voter that was restarted may not campaign for a while (L2), and says nothing of it. It has everything, so the
// leader that ends may well ask it.
TEST(Members, ALeaderThatEndsHandsOverAlthoughAnotherWasJustRestarted) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Bed bed(quiet_cluster(3, seed));
    const int leader = bed.await_leader();
    const Term term = bed.cluster.term();
    const int restarted = seed % 2 == 0 ? (leader + 1) % 3 : (leader + 2) % 3;
    bed.cluster.crash_node(restarted, false);
    bed.cluster.start_node(restarted);
    const auto caught_up = [&] {
      const auto status = bed.cluster.raft_status(restarted);
      return status && status->leader == bed.cluster.raft_status(leader)->id &&
             status->last_index == bed.cluster.raft_status(leader)->last_index;
    };
    ASSERT_TRUE(bed.run_until(caught_up));
    bed.world.run_for(150'000);  // the leader has heard of it, too
    bool ended = false;
    std::optional<int> next;
    bed.cluster.end_node(leader, [&] { ended = true, next = bed.cluster.leader(); });
    ASSERT_TRUE(bed.run_until([&] { return ended; }));
    EXPECT_TRUE(next.has_value()) << "seed " << seed << ": nobody leads when the old leader has ended";
    EXPECT_EQ(bed.cluster.term(), term.next()) << "seed " << seed;
    bed.cluster.start_node(leader);
  }
}

// Nobody writes, so nothing is applied after the entry by which a leader begins.
TEST(Members, AChangeGoesOnUnderWhoeverLeadsWithoutAWrite) {
  Bed bed(with_spares(1));
  const int spare = 3;
  int leader = bed.await_leader();
  bool asked = false;
  start_replace(bed, (leader + 1) % 3, spare, [&](const auto& answer) { asked = answer.has_value(); });
  ASSERT_TRUE(bed.run_until([&] { return asked; }));
  // The new node is out of reach while leadership goes to another and back.
  const auto cut_off = [&] {
    for (int i = 0; i < 3; ++i) {
      bed.cluster.network().cut(bed.cluster.node_address(i), bed.cluster.node_address(spare));
      bed.cluster.network().cut(bed.cluster.node_address(spare), bed.cluster.node_address(i));
    }
  };
  cut_off();
  ASSERT_TRUE(bed.cluster.changing_members());
  const int first = leader, second = (leader + 2) % 3;
  for (const int next : {second, first}) {
    bed.start_transfer(next);
    ASSERT_TRUE(bed.run_until([&] { return bed.cluster.leader() == next; }));
    bed.world.run_for(3'000'000);
  }
  bed.cluster.network().heal();
  EXPECT_TRUE(bed.run_until([&] { return !bed.cluster.changing_members(); }));
  expect_members_are_voters(bed);
}

// The operator changes their mind at every moment of a replacement: it is either undone or refused, and done.
TEST(Members, ACancelledReplacementLeavesTheTopologyTrue) {
  int cancelled = 0, refused = 0;
  for (std::int64_t wait = 0; wait < 800'000; wait += 1'000) {
    Bed bed(with_spares(1, 1 + static_cast<std::uint64_t>(wait)));
    const int spare = 3;
    const int leader = bed.await_leader();
    std::uint64_t joining = 0;
    start_replace(bed, (leader + 1) % 3, spare, [&](const auto& answer) {
      ASSERT_TRUE(answer.has_value());
      joining = answer->node_id();
    });
    ASSERT_TRUE(bed.run_until([&] { return joining != 0; }));
    bed.world.run_for(wait);
    bool answered = false;
    start_remove(bed, joining, [&](const auto& answer) {
      answered = true;
      answer.has_value() ? ++cancelled : ++refused;
    });
    ASSERT_TRUE(bed.run_until([&] { return answered && !bed.cluster.changing_members(); })) << wait;
    SCOPED_TRACE(wait);
    expect_members_are_voters(bed);
  }
  EXPECT_GT(cancelled, 0);
  EXPECT_GT(refused, 0);
}

// It votes alone, so there is nobody to hand over to until the new one votes beside it.
TEST(Members, TheOnlyVoterIsReplaced) {
  RunOptions options = quiet_cluster(1);
  options.spares = 1;
  Bed bed(options);
  ASSERT_TRUE(bed.put("key", "v"));
  bool asked = false;
  start_replace(bed, 0, 1, [&](const auto& answer) { asked = answer.has_value(); });
  ASSERT_TRUE(bed.run_until([&] { return asked; }));
  ASSERT_TRUE(bed.run_until([&] { return !bed.cluster.changing_members(); }));
  EXPECT_EQ(bed.await_leader(), 1);
  expect_members_are_voters(bed);
  EXPECT_TRUE(bed.run_until([&] { return bed.cluster.removed(0); }));
  const auto read = bed.get("key");
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->value, "v");
}

// Asked again while the connection is one to an earlier process there.
template <class Request, class Response>
Result<Response> ask(Bed& bed, int node, const Method<Request, Response>& method, const Request& request) {
  std::optional<Result<Response>> out;
  do {
    out.reset();
    CallOptions options{.deadline = bed.cluster.admin().runtime->now() + Duration(5'000'000)};
    call(*bed.cluster.admin().transport, bed.cluster.node_address(node), method, request, std::move(options),
         [&](Result<Response> answer) { out.emplace(std::move(answer)); });
    CHECK(bed.run_until([&] { return out.has_value(); }));
  } while (!*out && out->error().code() == ErrorCode::kConnectionLost);
  return *std::move(out);
}

// M6. The request by which a node was taken in arrives again, late, when the node was removed and its machine wiped.
TEST(Members, AWipedMachineDoesNotComeBackUnderItsOldId) {
  Bed bed(with_spares(1));
  const int old = (bed.await_leader() + 1) % 3, spare = 3;
  const auto before = ask(bed, old, api::kNodeStatus, {});
  ASSERT_TRUE(before.has_value());
  ASSERT_NE(before->directory_id(), 0u);
  start_replace(bed, old, spare, [](const auto& answer) { ASSERT_TRUE(answer.has_value()); });
  ASSERT_TRUE(bed.run_until([&] { return bed.cluster.removed(old) && !bed.cluster.changing_members(); }));
  bed.cluster.crash_node(old, false);
  bed.cluster.wipe_node(old);
  bed.cluster.start_node(old);

  api::JoinRequest again;
  again.set_cluster_id(before->cluster_id());
  again.set_node_id(before->node_id());
  again.set_replica_id(before->node_id());
  again.set_region(bed.cluster.node_region(old));
  again.set_directory_id(before->directory_id());
  const auto joined = ask(bed, old, api::kJoin, again);
  ASSERT_FALSE(joined.has_value());
  EXPECT_EQ(joined.error().code(), ErrorCode::kFailedPrecondition) << joined.error().to_string();

  // As a new node it is welcome. (The leader may have to learn first that its connection there is broken.)
  for (bool added = false; !added;) {
    v1::AddNodeRequest request;
    request.mutable_node()->set_address(bed.cluster.node_address(old));
    request.mutable_node()->set_region(bed.cluster.node_region(old));
    bool answered = false;
    bed.cluster.admin().core->add_node(std::move(request), admin_call(bed),
                                       [&](const auto& answer) { answered = true, added = answer.has_value(); });
    ASSERT_TRUE(bed.run_until([&] { return answered; }));
  }
  ASSERT_TRUE(bed.run_until([&] { return !bed.cluster.changing_members(); }));
  expect_members_are_voters(bed);
}

}  // namespace
}  // namespace meridian::stories
