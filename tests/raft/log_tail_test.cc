#include "raft/log_tail.h"

#include <gtest/gtest.h>

#include "raft/lease_tracker.h"
#include "raft/progress.h"

namespace meridian::raft {
namespace {

void append(LogTail& log, std::uint64_t term, int count = 1) {
  for (; count > 0; --count) log.append({log.last_index().next(), Term(term)});
}

Persist begin(LogTail& log, std::uint64_t sequence) {
  Persist p;
  p.sequence = sequence;
  log.begin_persist(p);
  log.check_invariants();
  return p;
}

TEST(RaftLogTail, AReportOfReplacedEntriesDoesNotCount) {
  LogTail log;
  append(log, 1, 5);
  begin(log, 1);
  log.truncate(LogIndex(3));
  append(log, 2, 4);
  const Persist second = begin(log, 2);
  EXPECT_EQ(second.truncate_from, LogIndex(3));
  EXPECT_EQ(second.entries.size(), 4u);
  log.finish_persist(1);  // of 1..5, but 3..5 are other entries now
  EXPECT_EQ(log.stable(), LogIndex(2));
  log.finish_persist(2);
  EXPECT_EQ(log.stable(), LogIndex(6));
}

TEST(RaftLogTail, TruncatesOnDiskOnlyWhatTheDiskWasGiven) {
  LogTail log;
  append(log, 1, 5);
  log.truncate(LogIndex(2));
  append(log, 2);
  const Persist p = begin(log, 1);
  EXPECT_FALSE(p.truncate_from);
  EXPECT_EQ(p.entries.size(), 2u);
  log.truncate(LogIndex(2));
  log.truncate(LogIndex(1));
  append(log, 3, 3);
  EXPECT_EQ(begin(log, 2).truncate_from, LogIndex(1));
}

TEST(RaftLogTail, OneReportCoversAllBeforeIt) {
  LogTail log;
  append(log, 1);
  begin(log, 1);
  append(log, 1);
  begin(log, 2);
  log.finish_persist(2);
  EXPECT_EQ(log.stable(), LogIndex(2));
  log.finish_persist(1);
  EXPECT_EQ(log.stable(), LogIndex(2));
}

// S4a: what is applied and old need not be in memory; its terms are known all the same.
TEST(RaftLogTail, LetsGoOfOldEntriesAndKeepsTheirTerms) {
  LogTail log(LogIndex(10), Term(1), {{LogIndex(11), LogIndex(12), Term(2)}}, {});
  append(log, 2);
  append(log, 4, 2);
  begin(log, 1);
  log.finish_persist(1);
  EXPECT_EQ(log.evicted(), LogIndex(12));
  log.evict(LogIndex(14), 0);
  EXPECT_EQ(log.evicted(), LogIndex(14));
  EXPECT_FALSE(log.in_memory(LogIndex(14)));
  EXPECT_TRUE(log.in_memory(LogIndex(15)));
  EXPECT_EQ(log.bytes(), log.bytes_after(LogIndex(14)));
  EXPECT_EQ(log.term_at(LogIndex(12)), Term(2));
  EXPECT_EQ(log.term_at(LogIndex(13)), Term(2));
  EXPECT_EQ(log.term_at(LogIndex(14)), Term(4));
  EXPECT_EQ(log.last_that_may_match(LogIndex(99), Term(3)), LogIndex(13));
  EXPECT_EQ(log.last_that_may_match(LogIndex(12), Term(3)), LogIndex(12));
  EXPECT_EQ(log.last_that_may_match(LogIndex(99), Term(1)), LogIndex(10));
  log.check_invariants();
  log.compact(LogIndex(12));
  EXPECT_EQ(log.term_at(LogIndex(11)), std::nullopt);
  EXPECT_EQ(log.term_at(LogIndex(13)), Term(2));
  log.compact(LogIndex(15));
  EXPECT_EQ(log.last_index(), LogIndex(15));
  log.check_invariants();
}

TEST(RaftLogTail, KeepsTheTermOfItsBase) {
  LogTail log(LogIndex(10), Term(4), {}, {});
  append(log, 4, 2);
  append(log, 6, 2);
  begin(log, 1);
  log.finish_persist(1);
  log.compact(LogIndex(13));
  EXPECT_EQ(log.term_at(LogIndex(13)), Term(6));
  EXPECT_EQ(log.term_at(LogIndex(12)), std::nullopt);
  EXPECT_EQ(log.term_at(LogIndex(15)), std::nullopt);
  EXPECT_EQ(log.last_that_may_match(LogIndex(99), Term(5)), LogIndex(13));
  log.reset(LogIndex(20), Term(7));
  EXPECT_EQ(log.last_index(), LogIndex(20));
  EXPECT_EQ(log.last_term(), Term(7));
  log.check_invariants();
}

TEST(RaftLogTail, ASnapshotOutdatesWritesUnderWay) {
  LogTail log;
  append(log, 1, 30);
  begin(log, 1);
  log.reset(LogIndex(20), Term(2));
  log.finish_persist(1);  // of 30 entries that are gone
  EXPECT_EQ(log.stable(), LogIndex(20));
  log.check_invariants();
}

TEST(RaftProgress, AcknowledgementsFreeTheWindow) {
  Progress p(ReplicaId(2), false, LogIndex(1), MonoTime());
  p.become_replicate();
  p.sent(LogIndex(3), 60);
  p.sent(LogIndex(5), 60);
  EXPECT_FALSE(p.may_send(100));
  EXPECT_TRUE(p.acknowledge(LogIndex(3)));
  EXPECT_TRUE(p.may_send(100));
  EXPECT_FALSE(p.acknowledge(LogIndex(2)));  // late
  p.become_probe(LogIndex(2));
  EXPECT_EQ(p.next, LogIndex(4));  // never at or below match
  p.check_invariants();
}

TEST(RaftLeaseTracker, KnowsOnlyRoundsThatWereConfirmed) {
  LeaseTracker t;
  const auto first = t.begin_round(MonoTime(100));
  const auto second = t.begin_round(MonoTime(200));
  EXPECT_EQ(t.confirmed_since(MonoTime(300)), std::nullopt);
  t.confirm(second);
  EXPECT_EQ(t.confirmed_since(MonoTime(300)), MonoTime(200));
  t.confirm(first);  // another membership: its quorum has confirmed less, and that is forgotten
  EXPECT_EQ(t.confirmed_since(MonoTime(300)), std::nullopt);
  t.confirm(LeaseTracker::kAlways);
  EXPECT_EQ(t.confirmed_since(MonoTime(300)), MonoTime(300));
}

}  // namespace
}  // namespace meridian::raft
