#include "raft/membership.h"

#include <gtest/gtest.h>

#include "raft/hasher.h"
#include "raft/membership_log.h"

namespace meridian::raft {
namespace {

std::vector<ReplicaId> ids(std::initializer_list<std::uint64_t> list) {
  std::vector<ReplicaId> out;
  for (const std::uint64_t id : list) out.emplace_back(id);
  return out;
}

TEST(RaftMembership, SurvivesItsEncoding) {
  const Membership m{ids({1, 3, 500}), ids({1, 2}), ids({7, 1ull << 40}), ids({2})};
  const auto back = decode_membership(encode(m));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(*back, m);
  EXPECT_EQ(*decode_membership(encode(Membership())), Membership());
}

TEST(RaftMembership, RefusesEveryCutAndEveryBrokenRule) {
  const std::string bytes = encode({ids({1, 2, 3}), ids({1, 2, 4}), ids({9}), ids({4})});
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_membership(bytes.substr(0, n))) << n;
  EXPECT_FALSE(decode_membership(bytes + "x"));
  EXPECT_FALSE(decode_membership(std::string("\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10)));
  EXPECT_FALSE(decode_membership(encode({ids({2, 1})})));                       // not sorted
  EXPECT_FALSE(decode_membership(encode({ids({1, 1})})));                       // twice
  EXPECT_FALSE(decode_membership(encode({ids({0, 1})})));                       // nobody
  EXPECT_FALSE(decode_membership(encode({ids({1}), {}, ids({1})})));            // voter and learner
  EXPECT_FALSE(decode_membership(encode({ids({1}), ids({2}), ids({2})})));      // outgoing and learner
  EXPECT_FALSE(decode_membership(encode({ids({1}), ids({2}), {}, ids({3})})));  // learners_next not outgoing
  EXPECT_FALSE(decode_membership(encode({{}, {}, ids({3})})));                  // nobody decides
}

TEST(RaftMembership, AnyBytesAreDecodedOrRefused) {
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(1, '\x01');
    for (std::uint64_t n = random.below(12); n > 0; --n) bytes.push_back(static_cast<char>(random.below(6)));
    const auto m = decode_membership(bytes);
    if (m) EXPECT_TRUE(well_formed(*m));
  }
}

TEST(RaftMembership, AJointQuorumNeedsBothHalves) {
  const Membership m{ids({1, 2, 3}), ids({3, 4, 5}), {}, {}};
  const auto value = [&](std::initializer_list<std::uint64_t> at_ten) {
    return quorum_value<int>(
        m, [&](ReplicaId id) { return std::find(at_ten.begin(), at_ten.end(), id.value()) != at_ten.end() ? 10 : 1; });
  };
  EXPECT_EQ(value({1, 2, 3}), 1);
  EXPECT_EQ(value({2, 3, 4}), 10);
  EXPECT_EQ(value({1, 2, 4, 5}), 10);
  EXPECT_EQ(quorum_value<int>(Membership{ids({1, 2})}, [](ReplicaId id) { return id == ReplicaId(1) ? 9 : 3; }), 3);
}

TEST(RaftMembership, VotesAreLostAsSoonAsTheyCanNotBeWon) {
  const Membership m{ids({1, 2, 3}), ids({3, 4, 5}), {}, {}};
  const auto result = [&](std::initializer_list<std::uint64_t> yes, std::initializer_list<std::uint64_t> no) {
    return count_votes(m, [&](ReplicaId id) {
      if (std::find(yes.begin(), yes.end(), id.value()) != yes.end()) return 1;
      return std::find(no.begin(), no.end(), id.value()) != no.end() ? -1 : 0;
    });
  };
  EXPECT_EQ(result({1, 2}, {}), VoteResult::kPending);
  EXPECT_EQ(result({1, 2}, {4, 5}), VoteResult::kLost);
  EXPECT_EQ(result({1, 3, 5}, {2, 4}), VoteResult::kWon);
}

TEST(RaftMembership, OutgoingVotersBecomeLearnersOnlyAtTheEnd) {
  const Membership now{ids({1, 2, 3}), {}, ids({4}), {}};
  const Membership joint = membership_towards(now, ids({1, 2, 4}), ids({3, 5}));
  EXPECT_EQ(describe(joint), "voters 1 2 4 outgoing 1 2 3 learners 5 learners_next 3");
  EXPECT_EQ(describe(leave_joint(joint)), "voters 1 2 4 learners 3 5");
  EXPECT_FALSE(membership_towards(now, ids({1, 2, 3}), ids({9})).joint());
}

TEST(RaftMembershipLog, ForgetsWhatIsTruncatedAndRemembersWhoWasIn) {
  MembershipLog log(ReplicaId(3), LogIndex(5), {ids({1, 2, 3})});
  log.append(LogIndex(8), {ids({1, 2}), ids({1, 2, 3})});
  log.append(LogIndex(9), {ids({1, 2})});
  EXPECT_EQ(log.as_of(LogIndex(8)).index, LogIndex(8));
  EXPECT_TRUE(log.was_member_before(LogIndex(9)));
  EXPECT_TRUE(log.truncate(LogIndex(9)));
  EXPECT_FALSE(log.truncate(LogIndex(9)));
  EXPECT_EQ(log.index(), LogIndex(8));
  log.append(LogIndex(9), {ids({1, 2})});
  log.prune(LogIndex(12));
  EXPECT_EQ(log.records().size(), 1u);
  EXPECT_TRUE(log.was_member_before(LogIndex(12)));
  MembershipLog fresh(ReplicaId(4), LogIndex(0), {});
  fresh.append(LogIndex(3), {ids({1, 2})});
  EXPECT_FALSE(fresh.was_member_before(LogIndex(3)));
}

TEST(RaftMembershipLog, AnAdditionThatWasNeverCommittedIsNoMembership) {
  for (const bool committed : {false, true}) {
    MembershipLog log(ReplicaId(4), LogIndex(8), {ids({1, 2, 3})});
    log.append(LogIndex(9), {ids({1, 2, 3}), {}, ids({4})});
    log.reset(LogIndex(36), {ids({1, 2, 3})}, LogIndex(committed ? 9 : 8));
    EXPECT_EQ(log.was_member_before(LogIndex(36)), committed);
  }
}

}  // namespace
}  // namespace meridian::raft
