// Request ids (rule R1), the choice of a proxy, and the pure parts below them.
#include <map>
#include <set>

#include "tests/client/core_bed.h"

namespace meridian::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(ClientCoreTest, LearnsTheClustersTimeBeforeTheFirstWrite) {
  make_core({"p1", "p2"});
  transport.cluster_time_us = 5'000'000'000;
  std::vector<Slot<v1::WriteResponse>> writes;
  for (int i = 0; i < 10; ++i) writes.push_back(begin_put());
  for (auto& write : writes) EXPECT_TRUE(finish(write));
  EXPECT_EQ(transport.hellos.size(), 1u);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < 10; ++i) {
    const v1::RequestId id = id_of(i);
    EXPECT_EQ(id.time_us(), 5'000'000'000u);
    EXPECT_EQ(id.client(), id_of(0).client());
    EXPECT_NE(id.client(), 0u);
    ids.insert(text(id));
  }
  EXPECT_EQ(ids.size(), 10u);
}

TEST_F(ClientCoreTest, AReadNeedsNoTime) {
  make_core({"p1"});
  ASSERT_TRUE(get());
  EXPECT_TRUE(transport.hellos.empty());
  ASSERT_TRUE(put());
  EXPECT_TRUE(transport.hellos.empty()) << "the read's answer told the time";
}

TEST_F(ClientCoreTest, IdTimesFollowTheClustersClockNotThisMachines) {
  make_core({"p1"});
  clocks.set_wall_offset(world.now(), 86'400'000'000);  // this machine is a day ahead
  transport.cluster_time_us = 5'000'000'000;
  put();
  world.run_for(3'000'000);
  transport.cluster_time_us = 9'000'000'000;
  put();
  EXPECT_NEAR(static_cast<double>(id_of(1).time_us()), 5'003'001'000, 2'000);
  put();
  EXPECT_EQ(id_of(2).time_us(), 9'000'000'000u) << "renewed by the answer";
}

TEST_F(ClientCoreTest, TakesAnIdGivenByTheCallerAndAsksForNoTime) {
  make_core({"p1"});
  Call call;
  call.id.emplace();
  call.id->set_time_us(42);
  call.id->set_client(43);
  call.id->set_sequence(44);
  ASSERT_TRUE(put(call));
  EXPECT_TRUE(transport.hellos.empty());
  EXPECT_EQ(text(id_of(0)), text(*call.id));
}

TEST_F(ClientCoreTest, AnIdFromTheFutureIsMadeAgainWithTheRightTime) {
  make_core({"p1"});
  transport.cluster_time_us = 9'000'000'000;  // a proxy whose clock was wrong
  get();
  transport.cluster_time_us = 5'000'000'000;
  transport.will_fail(ErrorCode::kOutOfRange);
  ASSERT_TRUE(put());
  ASSERT_EQ(transport.attempts.size(), 3u);
  EXPECT_GE(id_of(1).time_us(), 9'000'000'000u);
  EXPECT_NEAR(static_cast<double>(id_of(2).time_us()), 5'000'000'000, 10'000);
  // Once; and never for an id of the caller's, or one that may have been received.
  transport.will_fail(ErrorCode::kOutOfRange);
  transport.will_fail(ErrorCode::kOutOfRange);
  expect_error(put(), ErrorCode::kOutOfRange);
  transport.will_fail(ErrorCode::kConnectionLost);
  transport.will_fail(ErrorCode::kOutOfRange);
  expect_error(put(), ErrorCode::kUnknownOutcome);
  Call call;
  call.id.emplace();
  call.id->set_client(1);
  transport.will_fail(ErrorCode::kOutOfRange);
  expect_error(put(call), ErrorCode::kOutOfRange);
}

TEST_F(ClientCoreTest, AnIdTheClusterHasForgottenIsNotAskedForAgain) {
  make_core({"p1"});
  transport.cluster_time_us = 5'000'000'000;
  get();
  transport.attempts.clear();
  Call call = within(seconds(10));
  call.id.emplace();
  call.id->set_time_us(5'000'000'000 - 601'000'000);
  call.id->set_client(1);
  transport.will_fail(ErrorCode::kUnknownOutcome, "older than the window");
  expect_error(put(call), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(transport.attempts.size(), 1u);
}

TEST_F(ClientCoreTest, AnIdThatNobodySawIsMadeAgainBeforeItGrowsOld) {
  make_core({"p1"});
  put();
  transport.take_down("p1");
  auto written = begin_put(within(minutes(60)));
  world.run_for(20 * 60'000'000LL);
  transport.bring_back("p1");
  transport.attempts.clear();
  ASSERT_TRUE(finish(written));
  EXPECT_LT(transport.time() - id_of(0).time_us(), 301'000'000u);
}

TEST_F(ClientCoreTest, HandsOutIdsForLaterUse) {
  make_core({"p1"});
  auto made = std::make_shared<std::optional<Result<v1::RequestId>>>();
  const auto store = [made](Result<v1::RequestId> id) { made->emplace(std::move(id)); };
  core->new_request_id({}, store);
  const auto first = finish(made);
  ASSERT_TRUE(first);
  made->reset();
  core->new_request_id({}, store);
  const auto second = finish(made);
  EXPECT_EQ(second->sequence(), first->sequence() + 1);
  EXPECT_EQ(transport.hellos.size(), 1u);
  transport.take_down("p1");
  core.reset();
  make_core({"p1"});
  made->reset();
  core->new_request_id(within(seconds(1)), store);
  expect_error(finish(made), ErrorCode::kUnavailable);
}

TEST_F(ClientCoreTest, WritesThatWaitForTheTimeGoOnWhenAProxyComesBack) {
  make_core({"p1"});
  transport.take_down("p1");
  auto late = begin_put(within(seconds(30)));
  auto early = begin_put(within(seconds(1)));
  expect_error(finish(early), ErrorCode::kUnavailable);
  world.run_for(9'000'000);
  transport.bring_back("p1");
  EXPECT_TRUE(finish(late));
}

TEST_F(ClientCoreTest, ProxiesThatTellNoTimeAreRefused) {
  make_core({"p1"});
  transport.hello_error = ErrorCode::kFailedPrecondition;
  expect_error(put(), ErrorCode::kFailedPrecondition);
}

TEST_F(ClientCoreTest, FailsOverAtOnceAndRemembersForAWhile) {
  make_core({"p1", "p2"});
  transport.take_down("p1");
  const MonoTime before = runtime.now();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(get());
  EXPECT_LE(runtime.now() - before, milliseconds(25)) << "no back-off while another proxy is there";
  std::map<Address, int> attempts;
  for (const auto& a : transport.attempts) ++attempts[a.to];
  EXPECT_EQ(attempts["p1"], 1);
  EXPECT_EQ(attempts["p2"], 20);
}

TEST_F(ClientCoreTest, AProxyThatCameBackIsProbedAndUsedAgain) {
  make_core({"p1", "p2"});
  transport.take_down("p1");
  for (int i = 0; i < 5; ++i) get();
  transport.bring_back("p1");
  world.run_for(400'000);
  get();  // asks it with a Hello on the side
  ASSERT_EQ(transport.hellos.size(), 1u);
  EXPECT_EQ(transport.hellos[0].to, "p1");
  transport.attempts.clear();
  for (int i = 0; i < 40; ++i) get();
  std::map<Address, int> attempts;
  for (const auto& a : transport.attempts) ++attempts[a.to];
  EXPECT_GT(attempts["p1"], 5);
  EXPECT_GT(attempts["p2"], 5);
}

TEST_F(ClientCoreTest, AProxyThatAnswersItsProbeBusyIsThere) {
  make_core({"p1", "p2"});
  transport.take_down("p1");
  for (int i = 0; i < 5; ++i) get();
  transport.bring_back("p1");
  world.run_for(400'000);
  transport.hello_error = ErrorCode::kBusy;
  get();
  world.run_for(10'000);
  ASSERT_EQ(transport.hellos.size(), 1u);
  EXPECT_TRUE(core->proxies().healthy(0));
}

TEST_F(ClientCoreTest, ASilentProxyIsLeftAfterAnAttemptsTime) {
  make_core({"p1", "p2"});
  transport.take_down("p1", ErrorCode::kUnknownOutcome);
  for (int i = 0; i < 5; ++i) {
    const MonoTime before = runtime.now();
    ASSERT_TRUE(put());
    EXPECT_LE(runtime.now() - before, milliseconds(4'100));
  }
  int silent = 0;
  for (const auto& a : transport.attempts) silent += a.to == "p1";
  EXPECT_LE(silent, 2);
}

TEST_F(ClientCoreTest, AttemptsAreGivenMoreTimeEachTime) {
  make_core({"p1"});
  get();
  transport.attempts.clear();
  transport.take_down("p1", ErrorCode::kUnknownOutcome);
  get(within(seconds(60)));
  ASSERT_GE(transport.attempts.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& a = transport.attempts[i];
    EXPECT_EQ(a.deadline - a.at, seconds(2 << i));
  }
}

TEST_F(ClientCoreTest, CallsAreBalancedByWhatIsUnderWay) {
  make_core({"p1", "p2", "p3"});
  transport.latency = milliseconds(50);
  std::vector<Slot<v1::GetResponse>> reads;
  for (int i = 0; i < 300; ++i) reads.push_back(begin_get());
  for (ProxySet::Index i = 0; i < 3; ++i) EXPECT_NEAR(static_cast<double>(core->proxies().in_flight(i)), 100, 10);
  for (auto& read : reads) finish(read);
  for (ProxySet::Index i = 0; i < 3; ++i) EXPECT_EQ(core->proxies().in_flight(i), 0u);
}

TEST(ProxySet, PrefersHealthyThenSoonestDue) {
  ProxySet set({"a", "b", "c"}, {});
  const std::vector<bool> none(3, false);
  set.failed(0, MonoTime(1'000'000), 0);
  set.failed(1, MonoTime(2'000'000), 0);
  for (std::uint64_t r = 0; r < 100; ++r) EXPECT_EQ(set.pick(none, r), 2u);
  EXPECT_TRUE(set.has_healthy_untried(none));
  EXPECT_FALSE(set.has_healthy_untried({false, false, true}));
  EXPECT_EQ(set.pick({false, false, true}, 0), 0u) << "failed longest ago";
  EXPECT_EQ(set.pick({true, false, true}, 0), 1u);
  EXPECT_EQ(set.pick({true, true, true}, 0), 2u);
  set.failed(2, MonoTime(3'000'000), 0);
  EXPECT_EQ(set.pick(none, 5), 0u);
  EXPECT_EQ(set.take_probe(MonoTime(1'100'000)), std::nullopt);
  EXPECT_EQ(set.take_probe(MonoTime(1'250'000)), 0u);
  EXPECT_EQ(set.take_probe(MonoTime(1'250'000)), std::nullopt) << "one probe at a time";
  set.succeeded(0);
  EXPECT_EQ(set.pick(none, 5), 0u);
}

TEST(ProxySet, LeavesAProxyAloneLongerWithEachFailureButNotForLong) {
  ProxySet set({"a"}, {});
  MonoTime now(0);
  std::vector<Duration> waits;
  for (int i = 0; i < 12; ++i) {
    set.failed(0, now, ~0ull);
    const MonoTime failed = now;
    while (!set.take_probe(now)) now = now + milliseconds(10);
    waits.push_back(now - failed);
  }
  for (std::size_t i = 1; i < waits.size(); ++i) EXPECT_GE(waits[i] + milliseconds(2500), waits[i - 1]);
  EXPECT_GT(waits[4], waits[0]);
  EXPECT_LE(waits.back(), seconds(5) + milliseconds(10));
}

TEST(RequestClock, IsNotSetBackByAnAnswerThatLaySomewhere) {
  RequestClock clock;
  EXPECT_FALSE(clock.known());
  clock.learn(WallTime(1'000'000'000), MonoTime(0), MonoTime(10));
  // Sent before a suspend of 11 minutes, read by the server at once, received after it.
  const MonoTime woken = MonoTime(10) + minutes(11);
  clock.learn(WallTime(1'000'000'100), MonoTime(20), woken);
  EXPECT_EQ(clock.estimate(woken), WallTime(1'000'000'000) + minutes(11));
  // A clock that was too far ahead is corrected by the next answer.
  clock.learn(WallTime(9'000'000'000), woken, woken + Duration(500));
  clock.learn(WallTime(1'700'000'000), woken + Duration(600), woken + Duration(1'000));
  EXPECT_EQ(clock.estimate(woken + Duration(1'000)), WallTime(1'700'000'000));
  clock.forget();
  EXPECT_FALSE(clock.known());
}

TEST(RequestClock, IsNeverAheadOfTheServer) {
  RequestClock clock;
  clock.learn(WallTime(0), MonoTime(0), MonoTime(10));
  EXPECT_FALSE(clock.known()) << "a server that does not say";
  // Whenever in [sent, received] the server read its clock, now it shows at least as much.
  clock.learn(WallTime(1'000), MonoTime(0), MonoTime(200));
  EXPECT_EQ(clock.estimate(MonoTime(200)), WallTime(1'000));
  EXPECT_EQ(clock.estimate(MonoTime(300)), WallTime(1'100));
}

TEST(BackOff, IsJitteredBoundedAndPatient) {
  const BackOff back_off;
  EXPECT_GE(back_off.wait(0, 0, 0), Duration(2'500));
  EXPECT_LE(back_off.wait(0, 0, ~0ull), Duration(5'000));
  for (int round = 0; round < 100; ++round) {
    for (std::uint64_t r = 0; r < 50; ++r) EXPECT_LE(back_off.wait(round, 0, r * 977), seconds(1));
  }
  EXPECT_GE(back_off.wait(50, 0, 0), milliseconds(500));
  EXPECT_GE(back_off.wait(0, 300, 0), milliseconds(300));
  EXPECT_LE(back_off.wait(0, 300, ~0ull), milliseconds(450));
}

}  // namespace
}  // namespace meridian::client
