// What a start makes of what it finds, what applying promises, and who may speak.
#include <gtest/gtest.h>

#include "base/mem_engine.h"
#include "shard/node/data_directory.h"
#include "shard/node/peers.h"
#include "shard/node/recovery.h"
#include "shard/wire/codec.h"
#include "tests/sim/sim_file.h"
#include "txn/mvcc.h"

namespace meridian {
namespace {

class StateTest : public ::testing::Test {
 protected:
  StateTest() : fs_([this] { return random_++; }), engine_(fs_) {}

  static api::ClusterState cluster() {
    api::ClusterState state;
    state.set_cluster_id(77);
    auto* shard = state.add_shards();
    shard->set_id(1);
    for (const std::uint64_t id : {3, 1, 2}) shard->add_replicas()->set_replica_id(id);
    return state;
  }
  void create() { ASSERT_TRUE(create_initial_state(engine_, ShardId(1), KeyspaceId(1), cluster()).has_value()); }
  static raft::Entry entry(std::uint64_t index, std::uint64_t stamp, std::uint64_t closed) {
    wire::EntryPayload payload;
    payload.set_closed_timestamp(closed);
    wire::Command* command = payload.add_commands();
    command->set_keyspace_id(1);
    command->set_stamp(stamp);
    api::Mutation* m = command->add_mutations();
    m->set_key("k");
    m->set_value("v");
    return {LogIndex(index), Term(1), raft::EntryType::kCommand,
            std::make_shared<const std::string>(payload.SerializeAsString())};
  }
  static RecoveredLog log(std::uint64_t base, std::uint64_t base_term, std::vector<raft::Entry> entries) {
    return {ShardId(1),
            ReplicaId(1),
            raft::HardState{Term(5), ReplicaId(2), LogIndex(1)},
            {LogIndex(base), Term(base_term)},
            {},
            std::move(entries)};
  }

  std::uint64_t random_ = 1;
  SimFileSystem fs_;
  MemEngine engine_;
};

TEST_F(StateTest, EveryFirstReplicaStartsWithTheSameStateAndVoters) {
  create();
  auto recovered = recover_replica(engine_, ShardId(1), nullptr);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_EQ(recovered->machine.state().index, kInitialBase.index);
  EXPECT_EQ(recovered->initial.membership.voters, (std::vector{ReplicaId(1), ReplicaId(2), ReplicaId(3)}));
  EXPECT_EQ(recovered->machine.cluster()->cluster_id(), 77u);
  EXPECT_TRUE(recovered->initial.fresh);
}

// S5: the process died between the ingest of a snapshot and the reset of the log.
TEST_F(StateTest, ALogOlderThanTheDataIsDiscardedButItsVoteIsKept) {
  create();
  const RecoveredLog old = log(0, 0, {});
  auto recovered = recover_replica(engine_, ShardId(1), &old);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_TRUE(recovered->discard_log);
  EXPECT_EQ(recovered->initial.base.index, LogIndex(1));
  EXPECT_EQ(recovered->initial.hard_state.term, Term(5));
  EXPECT_FALSE(recovered->initial.fresh);
}

TEST_F(StateTest, ALogWithAnotherTermAtTheAppliedIndexIsDiscarded) {
  create();
  raft::Entry other{LogIndex(1), Term(4), raft::EntryType::kNoop, nullptr};
  const RecoveredLog old = log(0, 0, {other});
  EXPECT_TRUE(recover_replica(engine_, ShardId(1), &old)->discard_log);
}

TEST_F(StateTest, DataOlderThanTheLogsStartStopsTheNode) {
  create();
  const RecoveredLog newer = log(9, 3, {});
  EXPECT_EQ(recover_replica(engine_, ShardId(1), &newer).error().code(), ErrorCode::kCorruption);
}

TEST_F(StateTest, ApplyingRaisesTheCeilingToTheLargestStamp) {
  create();
  StateMachine machine = *load_state_machine(engine_, ShardId(1));
  PreparedApply prepared = machine.prepare({entry(2, 10, 10), entry(3, 15, 20)});
  ASSERT_TRUE(engine_.write(prepared.batch, MayBlock::kYes).has_value());
  machine.written(prepared);
  EXPECT_EQ(machine.state().closed, Timestamp(20));
  EXPECT_EQ(machine.state().ceiling, Timestamp(20));
  const StateMachine reloaded = *load_state_machine(engine_, ShardId(1));
  EXPECT_EQ(reloaded.state().index, LogIndex(3));
  EXPECT_EQ(reloaded.state().closed, Timestamp(20));
}

using StateDeathTest = StateTest;

// C: closed timestamps never go back, nothing is written at or below one, and entries follow one another.
TEST_F(StateDeathTest, AnEntryThatBreaksAClosedTimestampStopsTheReplica) {
  create();
  StateMachine machine = *load_state_machine(engine_, ShardId(1));
  EXPECT_DEATH((void)machine.prepare({entry(2, 10, 10), entry(3, 9, 20)}), "writes at");
  EXPECT_DEATH((void)machine.prepare({entry(2, 10, 10), entry(3, 9, 9)}), "closes");
  EXPECT_DEATH((void)machine.prepare({entry(3, 10, 10)}), "is applied after");
}

TEST_F(StateTest, EveryStartRaisesTheIncarnationAndKeepsTheIdentity) {
  {
    auto first = DataDirectory::open(fs_, "/d");
    ASSERT_TRUE(first.has_value()) << first.error().to_string();
    wire::Identity identity = (*first)->identity();
    EXPECT_EQ(identity.incarnation(), 1u);
    identity.set_cluster_id(9);
    ASSERT_TRUE((*first)->store(identity).has_value());
    EXPECT_EQ(DataDirectory::open(fs_, "/d").error().code(), ErrorCode::kFailedPrecondition);  // it is locked
  }
  fs_.crash();
  auto second = DataDirectory::open(fs_, "/d");
  EXPECT_EQ((*second)->identity().incarnation(), 2u);
  EXPECT_EQ((*second)->identity().cluster_id(), 9u);
}

TEST_F(StateTest, AnIdentityOfANewerFormatIsRefusedAndNotTouched) {
  ASSERT_TRUE(fs_.create_directories("/d").has_value());
  const std::string newer = R"({"format_version": 2, "cluster_id": "9", "shape": "unheard of"})";
  ASSERT_TRUE(write_file_atomically(fs_, "/d/IDENTITY", newer).has_value());
  const auto opened = DataDirectory::open(fs_, "/d");
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(opened.error().message().find("format 2"), std::string::npos);
  EXPECT_EQ(*read_file(fs_, "/d/IDENTITY"), newer);
}

wire::Sender sender(std::uint64_t node, std::uint64_t incarnation, std::uint64_t process) {
  wire::Sender out;
  out.set_cluster_id(77);
  out.set_node_id(node);
  out.set_incarnation(incarnation);
  out.set_process(process);
  out.set_address(fmt::format("n{}-{}", node, process));
  return out;
}

TEST(Peers, OfTwoProcessesWithOneIdentityTheNewerIncarnationIsBelieved) {
  Peers peers(sender(1, 1, 100));
  EXPECT_EQ(peers.hear(sender(2, 3, 200), 1), Peers::Verdict::kAccept);
  EXPECT_EQ(peers.hear(sender(2, 3, 201), 1), Peers::Verdict::kImpostor);  // a twin: the first one stays
  EXPECT_EQ(peers.hear(sender(2, 4, 202), 1), Peers::Verdict::kAccept);    // a restart
  EXPECT_EQ(peers.hear(sender(2, 3, 200), 1), Peers::Verdict::kImpostor);  // late, from before it
  EXPECT_EQ(peers.address_of(NodeId(2)), "n2-202");
  EXPECT_EQ(peers.hear(sender(1, 1, 101), 1), Peers::Verdict::kImpostor);  // somebody speaks as ourselves
}

TEST(Peers, AnotherClustersMessagesAndThoseForAnotherNodeAreNotHeard) {
  Peers peers(sender(1, 1, 100));
  wire::Sender stranger = sender(2, 1, 200);
  stranger.set_cluster_id(78);
  EXPECT_EQ(peers.hear(stranger, 1), Peers::Verdict::kOtherCluster);
  EXPECT_EQ(peers.hear(sender(2, 1, 200), 3), Peers::Verdict::kOtherCluster);
  EXPECT_EQ(peers.address_of(NodeId(2)), std::nullopt);
}

// A leader's lease would outlast the promise of a voter with a shorter election timeout.
TEST(Peers, ANodeWithAnotherElectionTimeoutIsNotHeard) {
  wire::Sender self = sender(1, 1, 100);
  self.set_election_timeout_us(500'000);
  Peers peers(self);
  wire::Sender other = sender(2, 1, 200);
  other.set_election_timeout_us(400'000);
  EXPECT_EQ(peers.hear(other, 1), Peers::Verdict::kOtherTiming);
  other.set_election_timeout_us(500'000);
  EXPECT_EQ(peers.hear(other, 1), Peers::Verdict::kAccept);
}

TEST(Codec, ARaftMessageSurvivesTheWireAndNonsenseIsRefused) {
  raft::Message message;
  message.type = raft::MessageType::kAppend;
  message.from = ReplicaId(1);
  message.to = ReplicaId(2);
  message.term = Term(3);
  message.log_index = LogIndex(4);
  message.round = 99;
  message.entries.push_back(
      {LogIndex(5), Term(3), raft::EntryType::kCommand, std::make_shared<const std::string>("x")});
  wire::RaftMessage wire_message;
  wire::to_wire(message, &wire_message);
  const auto back = wire::from_wire(wire::RaftMessage(wire_message));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->round, 99u);
  EXPECT_EQ(*back->entries[0].data, "x");
  wire::RaftMessage gap = wire_message;
  gap.mutable_entries(0)->set_index(7);
  EXPECT_EQ(wire::from_wire(std::move(gap)).error().code(), ErrorCode::kInvalidArgument);
  wire::RaftMessage unknown = wire_message;
  unknown.set_type(200);
  EXPECT_EQ(wire::from_wire(std::move(unknown)).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace meridian
