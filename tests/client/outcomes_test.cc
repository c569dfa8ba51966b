// What the caller is told, for everything that attempts may meet.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>

#include "tests/client/core_bed.h"

namespace meridian::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(ClientCoreTest, AnswersWithWhatTheServerSays) {
  make_core({"p1"});
  const auto written = put();
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(written->version(), 7u);
  EXPECT_TRUE(get());
}

TEST_F(ClientCoreTest, RetriesAWriteUnderTheSameId) {
  make_core({"p1", "p2"});
  transport.will_fail(ErrorCode::kConnectionLost);
  transport.will_be_silent();
  transport.will_fail(ErrorCode::kBusy);
  ASSERT_TRUE(put());
  ASSERT_EQ(transport.attempts.size(), 4u);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(transport.attempts[i].request, transport.attempts[0].request);
}

TEST_F(ClientCoreTest, WhoWillNotWaitIsToldOnceEveryProxyIsBusy) {
  make_core({"p1", "p2"});
  ASSERT_TRUE(put());  // the cluster's time is known
  Call call = within(seconds(9));
  call.fail_when_busy = true;
  const std::size_t before = transport.attempts.size();
  transport.will_fail(ErrorCode::kBusy, "full", 400);
  EXPECT_TRUE(put(call)) << "the other one had time";
  transport.will_fail(ErrorCode::kBusy, "full", 400);
  transport.will_fail(ErrorCode::kBusy, "full", 400);
  const MonoTime began = runtime.now();
  const auto written = put(call);
  expect_error(written, ErrorCode::kBusy);
  EXPECT_EQ(written.error().retry_after_ms(), 400u);
  EXPECT_LT(runtime.now() - began, milliseconds(100));
  EXPECT_EQ(transport.attempts.size(), before + 4);
  EXPECT_NE(transport.attempts[before + 2].to, transport.attempts[before + 3].to);
}

TEST_F(ClientCoreTest, ABusyProxyDoesNotUndoWhatAnotherMayHaveReceived) {
  make_core({"p1", "p2"});
  ASSERT_TRUE(put());
  Call call = within(seconds(9));
  call.fail_when_busy = true;
  transport.will_fail(ErrorCode::kConnectionLost);
  transport.will_fail(ErrorCode::kBusy, "full", 400);
  expect_error(put(call), ErrorCode::kUnknownOutcome);
}

TEST_F(ClientCoreTest, AWriteNeverSentEndsWithItsDefiniteError) {
  make_core({"p1"});
  put();
  transport.take_down("p1");
  const auto written = put(within(seconds(2)));
  expect_error(written, ErrorCode::kUnavailable);
  EXPECT_TRUE(is_definite(written.error()));
  ASSERT_NE(written.error().cause(), nullptr);
  EXPECT_GT(transport.attempts.size(), 5u);
}

TEST_F(ClientCoreTest, AWriteNeverSentBeforeTheTimeIsKnownIsUnavailable) {
  make_core({"p1", "p2"});
  transport.take_down("p1");
  transport.take_down("p2");
  const MonoTime before = runtime.now();
  expect_error(put(within(milliseconds(700))), ErrorCode::kUnavailable);
  EXPECT_LE(runtime.now() - before, milliseconds(701));
  EXPECT_TRUE(transport.attempts.empty());
}

TEST_F(ClientCoreTest, AWriteWhoseHelloIsNeverAnsweredIsDefinite) {
  make_core({"p1"});
  transport.take_down("p1", ErrorCode::kUnknownOutcome);  // silence
  expect_error(put(within(seconds(3))), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(transport.attempts.empty());
}

TEST_F(ClientCoreTest, ASilentProxyMakesAWriteUnknownNotLate) {
  make_core({"p1"});
  put();
  transport.take_down("p1", ErrorCode::kUnknownOutcome);
  const MonoTime before = runtime.now();
  expect_error(put(within(milliseconds(500))), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(runtime.now() - before, milliseconds(500));
}

TEST_F(ClientCoreTest, ADeadlineBeforeTheWriteWasSentIsDefinite) {
  make_core({"p1"});
  put();
  transport.will_fail(ErrorCode::kDeadlineExceeded);
  transport.latency = milliseconds(50);
  expect_error(put(within(milliseconds(50))), ErrorCode::kDeadlineExceeded);
}

TEST_F(ClientCoreTest, ADeadlineInThePastSendsNothing) {
  make_core({"p1"});
  put();
  const std::size_t before = transport.attempts.size();
  Call call;
  call.deadline = runtime.now() - milliseconds(1);
  expect_error(put(call), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(transport.attempts.size(), before);
}

// The first attempt may still be on its way: what a later one is told says nothing of it.
TEST_F(ClientCoreTest, ALaterDefiniteErrorDoesNotMakeAWriteDefinite) {
  for (const ErrorCode later :
       {ErrorCode::kUnavailable, ErrorCode::kBusy, ErrorCode::kNotLeader, ErrorCode::kDeadlineExceeded,
        ErrorCode::kInvalidArgument, ErrorCode::kFailedPrecondition, ErrorCode::kOutOfRange, ErrorCode::kConflict,
        ErrorCode::kDiskFull, ErrorCode::kNotFound, ErrorCode::kCancelled, ErrorCode::kUnimplemented}) {
    transport.attempts.clear();
    make_core({"p1"});
    transport.will_fail(ErrorCode::kConnectionLost);
    for (int i = 0; i < 300; ++i) transport.will_fail(later);
    const auto written = put(within(seconds(2)));
    expect_error(written, ErrorCode::kUnknownOutcome);
    EXPECT_EQ(written.error().cause()->code(), later);
    EXPECT_GE(transport.attempts.size(), 2u) << to_string(later);
    transport.forget_plan();
  }
}

TEST_F(ClientCoreTest, ADefiniteErrorBeforeAnUncertainOneDoesNotMakeAWriteDefinite) {
  make_core({"p1"});
  transport.will_fail(ErrorCode::kUnavailable);
  transport.will_be_silent();
  expect_error(put(within(seconds(1))), ErrorCode::kUnknownOutcome);
}

TEST_F(ClientCoreTest, AnAnswerAfterAnUncertainAttemptSettlesIt) {
  make_core({"p1"});
  v1::CompareAndSetResponse refused;
  refused.set_succeeded(false);
  refused.set_version(3);
  transport.will_fail(ErrorCode::kConnectionLost);
  transport.will_answer(refused);
  v1::CompareAndSetRequest request;
  request.set_key("k");
  const auto result = finish(begin(v1::kCompareAndSet, request));
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->succeeded());
}

TEST_F(ClientCoreTest, ErrorsThatCannotChangeEndTheCallAtOnce) {
  make_core({"p1", "p2"});
  for (const ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kFailedPrecondition, ErrorCode::kNotFound,
                               ErrorCode::kAlreadyExists, ErrorCode::kConflict, ErrorCode::kCancelled}) {
    transport.attempts.clear();
    transport.will_fail(code, "as the server put it");
    const auto written = put();
    expect_error(written, code);
    EXPECT_EQ(written.error().message(), "as the server put it");
    EXPECT_EQ(transport.attempts.size(), 1u);
  }
}

TEST_F(ClientCoreTest, WhatOneProxyCannotDoTheOthersAreAskedForOnce) {
  make_core({"p1", "p2", "p3"});
  for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kInternal, ErrorCode::kCorruption, ErrorCode::kDiskFull}) {
    transport.attempts.clear();
    for (int i = 0; i < 3; ++i) transport.will_fail(code);
    expect_error(get(), code);
    EXPECT_EQ(transport.attempts.size(), 3u);
  }
  transport.attempts.clear();
  for (int i = 0; i < 3; ++i) transport.will_fail(ErrorCode::kInternal);
  expect_error(put(), ErrorCode::kUnknownOutcome);
  transport.attempts.clear();
  for (int i = 0; i < 3; ++i) transport.will_fail(ErrorCode::kDiskFull);
  expect_error(put(), ErrorCode::kDiskFull);
}

TEST_F(ClientCoreTest, AnUnreadableAnswerToAWriteIsAnUnknownOutcome) {
  make_core({"p1"});
  transport.will_answer_bytes("\xff\xff\xff");
  expect_error(put(), ErrorCode::kUnknownOutcome);
  transport.will_answer_bytes("\xff\xff\xff");
  expect_error(get(), ErrorCode::kInternal);
}

TEST_F(ClientCoreTest, ACodeFromANewerServerIsNotTakenForDefinite) {
  make_core({"p1"});
  transport.will_fail(static_cast<ErrorCode>(999));
  expect_error(put(), ErrorCode::kUnknownOutcome);
}

TEST_F(ClientCoreTest, AReadWithoutAnAnswerIsLateNotUnknown) {
  make_core({"p1"});
  transport.take_down("p1", ErrorCode::kUnknownOutcome);
  expect_error(get(within(milliseconds(300))), ErrorCode::kDeadlineExceeded);
  transport.take_down("p1", ErrorCode::kConnectionLost);
  transport.bring_back("p1");
  transport.take_down("p1", ErrorCode::kConnectionLost);
  const auto read = get(within(milliseconds(300)));
  ASSERT_FALSE(read);
  EXPECT_TRUE(is_definite(read.error())) << read.error().to_string();
}

TEST_F(ClientCoreTest, ABusyServerIsGivenTheTimeItAsksFor) {
  make_core({"p1", "p2"});
  get();
  const MonoTime before = runtime.now();
  transport.attempts.clear();
  transport.will_fail(ErrorCode::kBusy, "full", 400);
  ASSERT_TRUE(get());
  EXPECT_GE(runtime.now() - before, milliseconds(400));
  EXPECT_LE(runtime.now() - before, milliseconds(610));
  EXPECT_NE(transport.attempts[0].to, transport.attempts[1].to);
}

TEST_F(ClientCoreTest, ABusyServerThatAsksForMoreThanIsLeftEndsTheCall) {
  make_core({"p1"});
  put();
  transport.will_fail(ErrorCode::kBusy, "full", 5000);
  const MonoTime before = runtime.now();
  const auto written = put(within(seconds(1)));
  expect_error(written, ErrorCode::kBusy);
  EXPECT_EQ(written.error().retry_after_ms(), 5000u);
  EXPECT_LT(runtime.now() - before, milliseconds(100));
}

TEST_F(ClientCoreTest, BackOffGrowsAndStaysInsideTheDeadline) {
  make_core({"p1"});
  put();
  transport.attempts.clear();
  transport.take_down("p1");
  const MonoTime before = runtime.now();
  put(within(seconds(10)));
  EXPECT_LE(runtime.now() - before, seconds(10));
  const std::size_t n = transport.attempts.size();
  EXPECT_GT(n, 10u);
  EXPECT_LT(n, 40u);
  EXPECT_GT(transport.attempts[9].at - transport.attempts[8].at, transport.attempts[1].at - transport.attempts[0].at);
}

TEST_F(ClientCoreTest, MoreCallsThanTheLimitAreRefusedAtOnce) {
  make_core({"p1"}, {.max_in_flight = 3});
  get();
  std::vector<Slot<v1::GetResponse>> reads;
  for (int i = 0; i < 5; ++i) reads.push_back(begin_get());
  EXPECT_EQ(core->in_flight(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(finish(reads[i]));
  for (int i = 3; i < 5; ++i) {
    const auto read = finish(reads[i]);
    expect_error(read, ErrorCode::kBusy);
    EXPECT_GT(read.error().retry_after_ms(), 0u);
  }
}

TEST_F(ClientCoreTest, ACancelledReadIsCancelled) {
  make_core({"p1"});
  transport.will_be_silent();
  auto read = begin_get();
  world.run_for(1000);
  core->cancel(last_call);
  expect_error(finish(read, 10), ErrorCode::kCancelled);
  world.run_for(20'000'000);  // its late answer finds nobody
  EXPECT_EQ(core->in_flight(), 0u);
}

TEST_F(ClientCoreTest, ACancelledWriteIsUnknownOnlyIfItMayHaveBeenReceived) {
  make_core({"p1"});
  auto parked = begin_put();  // waits for the cluster's time
  core->cancel(last_call);
  expect_error(finish(parked, 10), ErrorCode::kCancelled);

  put();
  auto sent = begin_put();
  core->cancel(last_call);
  expect_error(finish(sent, 10), ErrorCode::kUnknownOutcome);
  world.run_for(100'000);

  transport.take_down("p1");
  auto backing_off = begin_put();
  world.run_for(1'500);
  core->cancel(last_call);
  expect_error(finish(backing_off, 10), ErrorCode::kCancelled);
  transport.bring_back("p1");

  transport.will_fail(ErrorCode::kConnectionLost);
  auto lost = begin_put();
  world.run_for(1'100);
  core->cancel(last_call);
  expect_error(finish(lost, 10), ErrorCode::kUnknownOutcome);
}

TEST_F(ClientCoreTest, ShuttingDownEndsEveryCall) {
  make_core({"p1"});
  auto read = begin_get();
  auto parked = begin_put();
  core->shut_down();
  expect_error(finish(read, 10), ErrorCode::kCancelled);
  expect_error(finish(parked, 10), ErrorCode::kCancelled);
  expect_error(finish(begin_get(), 10), ErrorCode::kCancelled);
  core.reset();
  world.run_for(20'000'000);
}

TEST_F(ClientCoreTest, MayBeDestroyedWithCallsUnderWay) {
  make_core({"p1"});
  begin_get();
  begin_put();
  transport.take_down("p1");
  begin_get();
  world.run_for(5'000);
  core.reset();
  world.run_for(20'000'000);
}

TEST_F(ClientCoreTest, ATransportThatAnswersAtOnceIsNotHeardFromInside) {
  make_core({"p1", "p2"});
  transport.answers_inside_call = true;
  EXPECT_TRUE(put());
  transport.will_fail(ErrorCode::kConnectionLost);
  EXPECT_TRUE(put());
}

TEST_F(ClientCoreTest, AdministrationIsNotRepeatedOnceItMayHaveBeenReceived) {
  make_core({"p1", "p2"});
  transport.will_fail(ErrorCode::kUnavailable);
  transport.will_fail(ErrorCode::kConnectionLost);
  expect_error(finish(begin(v1::kAddNode, v1::AddNodeRequest())), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(transport.attempts.size(), 2u);
  // What is the same twice as once is.
  transport.will_fail(ErrorCode::kConnectionLost);
  EXPECT_TRUE(finish(begin(v1::kInitCluster, v1::InitClusterRequest())));
  transport.will_fail(ErrorCode::kConnectionLost);
  EXPECT_TRUE(finish(begin(v1::kTransferLeader, v1::TransferLeaderRequest())));
  transport.will_fail(ErrorCode::kConnectionLost);
  EXPECT_TRUE(finish(begin(v1::kGetStatus, v1::GetStatusRequest())));
}

TEST_F(ClientCoreTest, InjectedFaultsReachTheCaller) {
  make_core({"p1"}, {.inject_faults = 0.5});
  int failed = 0, unknown = 0;
  for (int i = 0; i < 400; ++i) {
    const std::size_t before = transport.attempts.size();
    const auto written = put();
    if (written) continue;
    ++failed;
    if (written.error().code() == ErrorCode::kUnknownOutcome) ++unknown;
    if (is_definite(written.error())) {
      EXPECT_EQ(transport.attempts.size(), before) << "a definite error, and it was sent";
    }
  }
  EXPECT_NEAR(failed, 200, 60);
  EXPECT_NEAR(unknown, 66, 40);
  EXPECT_LT(transport.attempts.size(), 300u);
}

TEST_F(ClientCoreTest, CallsCanBeAwaitedAndCancelledThroughAsio) {
  make_core({"p1"});
  std::optional<Result<v1::WriteResponse>> written;
  std::optional<Result<v1::GetResponse>> read;
  auto flow = [&]() -> Task<> {
    v1::PutRequest request;
    request.set_key("k");
    written = co_await core->put(request);
    transport.will_be_silent();
    read = co_await core->get(v1::GetRequest());
  };
  boost::asio::cancellation_signal signal;
  boost::asio::co_spawn(runtime.executor(), flow(),
                        boost::asio::bind_cancellation_slot(signal.slot(), boost::asio::detached));
  ASSERT_TRUE(world.run_until([&] { return written.has_value(); }, 1'000'000));
  EXPECT_TRUE(written->has_value());
  world.run_for(10'000);
  ASSERT_FALSE(read.has_value());
  signal.emit(boost::asio::cancellation_type::terminal);
  ASSERT_TRUE(world.run_until([&] { return read.has_value(); }, world.now() + 10));
  expect_error(*read, ErrorCode::kCancelled);
}

v1::MultiGetResponse part_of(std::initializer_list<const char*> values, std::uint32_t rest, std::uint64_t timestamp) {
  v1::MultiGetResponse response;
  for (const char* value : values) response.add_items()->set_value(value);
  response.set_rest(rest);
  response.mutable_info()->set_timestamp(timestamp);
  return response;
}

TEST_F(ClientCoreTest, TheRestOfALargeAnswerIsAskedForAtTheSameTimestamp) {
  make_core({"p1"});
  v1::MultiGetRequest request;
  for (const char* key : {"a", "b", "c", "d"}) request.add_keys(key);
  transport.will_answer(part_of({"1", "2"}, 2, 77));
  transport.will_fail(ErrorCode::kConnectionLost);
  transport.will_answer(part_of({"3"}, 1, 77));
  transport.will_answer(part_of({"4"}, 0, 77));
  const auto got = finish(begin(v1::kMultiGet, request));
  ASSERT_TRUE(got) << got.error().to_string();
  std::string values;
  for (const auto& item : got->items()) values += item.value();
  EXPECT_EQ(values, "1234");
  EXPECT_EQ(got->rest(), 0u);
  EXPECT_EQ(got->info().timestamp(), 77u);
  ASSERT_EQ(transport.attempts.size(), 4u);
  for (std::size_t i = 1; i < 4; ++i) {
    const auto asked = transport.attempts[i].decoded<v1::MultiGetRequest>();
    EXPECT_EQ(asked.options().at_timestamp(), 77u);
    EXPECT_EQ(asked.keys(0), i < 3 ? "c" : "d");
    EXPECT_EQ(asked.keys_size(), i < 3 ? 2 : 1);
  }
}

TEST_F(ClientCoreTest, AllPartsOfALargeAnswerHaveOneDeadline) {
  make_core({"p1"});
  v1::MultiGetRequest request;
  for (const char* key : {"a", "b"}) request.add_keys(key);
  transport.will_answer(part_of({"1"}, 1, 77));
  transport.will_be_silent();
  const MonoTime began = runtime.now();
  expect_error(finish(begin(v1::kMultiGet, request, within(seconds(1)))), ErrorCode::kDeadlineExceeded);
  EXPECT_LE(runtime.now() - began, milliseconds(1'010));
}

TEST_F(ClientCoreTest, APartThatDoesNotFitTheQuestionIsNoAnswer) {
  make_core({"p1"});
  v1::MultiGetRequest request;
  for (const char* key : {"a", "b"}) request.add_keys(key);
  for (const auto& wrong : {part_of({}, 2, 77), part_of({"1", "2", "3"}, 0, 77), part_of({"1"}, 0, 77)}) {
    transport.will_answer(wrong);
    expect_error(finish(begin(v1::kMultiGet, request)), ErrorCode::kInternal);
  }
}

// A line that takes longer than an attempt is given still brings the answer.
TEST_F(ClientCoreTest, ALateAnswerOfAnEarlierAttemptCounts) {
  make_core({"p1"});
  ASSERT_TRUE(put());
  transport.attempts.clear();
  v1::WriteResponse written;
  written.set_version(99);
  transport.will_answer_after(milliseconds(3'500), written);
  transport.will_be_silent();
  const MonoTime began = runtime.now();
  const auto answer = put();
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->version(), 99u);
  EXPECT_EQ(runtime.now() - began, milliseconds(3'500));
  EXPECT_EQ(transport.attempts.size(), 2u);
  world.run_for(20'000'000);  // the second attempt's end is nobody's
  EXPECT_EQ(core->proxies().in_flight(0), 0u);
  EXPECT_TRUE(put());
}

TEST_F(ClientCoreTest, ALateAnswerOfOnePartIsNotTakenForAnother) {
  make_core({"p1"});
  v1::MultiGetRequest request;
  for (const char* key : {"a", "b"}) request.add_keys(key);
  transport.will_answer_after(seconds(5), part_of({"1"}, 1, 77));
  transport.will_answer(part_of({"1"}, 1, 78));
  transport.will_answer_after(seconds(5), part_of({"2"}, 0, 78));
  transport.will_be_silent();
  const auto got = finish(begin(v1::kMultiGet, request, within(seconds(30))));
  ASSERT_TRUE(got) << got.error().to_string();
  ASSERT_EQ(got->items_size(), 2);
  EXPECT_EQ(got->items(1).value(), "2");
  EXPECT_EQ(got->info().timestamp(), 78u);
}

TEST_F(ClientCoreTest, LargeMessagesAreGivenTheTimeTheyTake) {
  make_core({"p1"});
  ASSERT_TRUE(put());
  transport.attempts.clear();
  v1::PutRequest large;
  large.set_key("k");
  large.set_value(std::string(1 << 20, 'v'));
  ASSERT_TRUE(finish(begin(v1::kPut, large)));
  finish(begin(v1::kScan, v1::ScanRequest()));
  ASSERT_TRUE(put());
  EXPECT_NEAR(static_cast<double>((transport.attempts[0].deadline - transport.attempts[0].at).count()), 2.5e6, 1e4);
  EXPECT_NEAR(static_cast<double>((transport.attempts[1].deadline - transport.attempts[1].at).count()), 4e6, 1e4);
  EXPECT_EQ(transport.attempts[2].deadline - transport.attempts[2].at, seconds(2));
}

}  // namespace
}  // namespace meridian::client
