#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/grpc/health.grpc.pb.h"
#include "tests/transport/harness.h"

namespace meridian::test {
namespace {

TEST(GrpcTransport, AnswersACall) {
  End server, client;
  server.serve();
  EXPECT_EQ(client.call(server.address, kEcho, "hello").value(), "hello");
  EXPECT_EQ(client.call(server.address, kEcho, "").value(), "");
  EXPECT_EQ(client.call(server.address, kEcho, std::string(1 << 20, 'v'), 10s, Priority::kBulk)->size(), 1u << 20);
  EXPECT_EQ(client.call(server.address, kEcho, "high", 10s, Priority::kHigh).value(), "high");
}

TEST(GrpcTransport, ReachesItself) {
  End end;
  end.serve();
  EXPECT_EQ(end.call(end.address, kEcho, "self").value(), "self");
}

TEST(GrpcTransport, KeepsTheOrderOfMessagesAndMatchesAnswersInAnyOrder) {
  constexpr int kCalls = 5'000;
  End server, client;
  server.serve();
  std::vector<std::future<Result<std::string>>> answers;
  for (int i = 0; i < kCalls; ++i) answers.push_back(client.start_call(server.address, kHold, std::to_string(i)));
  ASSERT_TRUE(eventually(server, [&] { return server.held.size() == kCalls; }));
  server.on_loop([&] {
    for (int i = 0; i < kCalls; ++i) EXPECT_EQ(server.held[i].payload, std::to_string(i));
    std::reverse(server.held.begin(), server.held.end());
    for (IncomingCall& call : server.held) call.respond("re " + call.payload);
    server.held.clear();
  });
  for (int i = 0; i < kCalls; ++i) EXPECT_EQ(answers[i].get().value(), "re " + std::to_string(i));
}

TEST(GrpcTransport, SendsOneWayMessagesInOrder) {
  constexpr int kMessages = 2'000;
  End server, client;
  server.serve();
  client.on_loop([&] {
    for (int i = 0; i < kMessages; ++i) client.transport().send(server.address, kNote, std::to_string(i), {});
  });
  ASSERT_TRUE(eventually(server, [&] { return server.notes.size() == kMessages; }));
  for (int i = 0; i < kMessages; ++i) EXPECT_EQ(server.notes[i], std::to_string(i));
}

TEST(GrpcTransport, CarriesErrorsWithTheirCausesAndTheTimeToWait) {
  End server, client;
  server.serve();
  const auto result = client.call(server.address, kFail, "");
  ASSERT_EQ(code_of(result), ErrorCode::kBusy);
  EXPECT_EQ(result.error().retry_after_ms(), 17u);
  EXPECT_EQ(result.error().to_string(), "busy: too much: why: deep");
  EXPECT_EQ(result.error().cause()->code(), ErrorCode::kDiskFull);
  EXPECT_EQ(code_of(client.call(server.address, kNobody, "")), ErrorCode::kUnimplemented);
}

TEST(GrpcTransport, CarriesTheRemainingTimeAndTheTrace) {
  End server, client;
  server.serve();
  const std::string answer = client.call(server.address, kDeadline, "", 1h).value();
  EXPECT_EQ(answer.substr(answer.find(' ') + 1), "trace");
  EXPECT_LE(std::stoll(answer), Duration(1h).count());
  EXPECT_GE(std::stoll(answer), Duration(59min).count());
}

TEST(GrpcTransport, SaysUnknownOutcomeWhenAWrittenCallIsNotAnsweredInTime) {
  End server, client;
  server.serve();
  ASSERT_TRUE(client.call(server.address, kEcho, "connect"));
  const MonoTime start = client.runtime().now();
  EXPECT_EQ(code_of(client.call(server.address, kHold, "", 50ms)), ErrorCode::kUnknownOutcome);
  EXPECT_GE(client.runtime().now() - start, 50ms);
  // The late answer goes nowhere.
  server.on_loop([&] { server.held[0].respond(std::string("late")); });
  EXPECT_EQ(client.call(server.address, kEcho, "next").value(), "next");
}

TEST(GrpcTransport, GivesALateAnswerToWhoWantsIt) {
  End server, client;
  server.serve();
  ASSERT_TRUE(client.call(server.address, kEcho, "connect"));
  std::promise<ErrorCode> told;
  std::promise<std::string> late;
  const auto call = [&](Duration patience) {
    client.on_loop([&] {
      CallOptions options;
      options.deadline = client.runtime().now() + 20ms;
      options.late_until = client.runtime().now() + patience;
      options.late = [&](std::string answer) { late.set_value(std::move(answer)); };
      client.transport().call(server.address, kHold, "", std::move(options),
                              [&](Result<std::string> result) { told.set_value(code_of(result)); });
    });
  };
  call(10s);
  EXPECT_EQ(told.get_future().get(), ErrorCode::kUnknownOutcome);
  server.on_loop([&] { server.held.at(0).respond(std::string("late")); });
  EXPECT_EQ(late.get_future().get(), "late");
  // Nobody waits any more.
  told = {};
  late = {};
  call(40ms);
  EXPECT_EQ(told.get_future().get(), ErrorCode::kUnknownOutcome);
  const MonoTime end = client.runtime().now() + 60ms;
  ASSERT_TRUE(eventually(client, [&] { return client.runtime().now() > end; }));
  server.on_loop([&] { server.held.at(1).respond(std::string("too late")); });
  EXPECT_EQ(client.call(server.address, kEcho, "after").value(), "after");
  EXPECT_EQ(late.get_future().wait_for(0s), std::future_status::timeout);
}

TEST(GrpcTransport, SaysUnknownOutcomeWhenTheServerDropsTheRequest) {
  End server, client;
  server.serve();
  auto answer = client.start_call(server.address, kHold, "");
  ASSERT_TRUE(eventually(server, [&] { return server.held.size() == 1; }));
  server.on_loop([&] { server.held.clear(); });
  EXPECT_EQ(code_of(answer.get()), ErrorCode::kUnknownOutcome);
}

TEST(GrpcTransport, SaysDeadlineExceededWhenItWasNeverWritten) {
  End server;
  server.serve();
  // Held back by injected latency until after its deadline.
  End client({.request_delay = [](const Address&) -> Duration { return 200ms; }});
  ASSERT_TRUE(client.call(server.address, kEcho, "connect"));
  const MonoTime start = client.runtime().now();
  EXPECT_EQ(code_of(client.call(server.address, kHold, "", 50ms)), ErrorCode::kDeadlineExceeded);
  EXPECT_LT(client.runtime().now() - start, 190ms);
  EXPECT_EQ(code_of(client.call(server.address, kHold, "", 0ms)), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(client.call(server.address, kEcho, "after"));
  server.on_loop([&] { EXPECT_TRUE(server.held.empty()); });
}

TEST(GrpcTransport, IsUnavailableAtOnceWhenTheConnectionIsRefused) {
  Address nobody;
  {
    End server;
    server.serve();
    nobody = server.address;
  }
  End client;
  const MonoTime start = client.runtime().now();
  const auto first = client.call(nobody, kEcho, "");
  EXPECT_EQ(code_of(first), ErrorCode::kUnavailable) << first.error().to_string();
  EXPECT_EQ(code_of(client.call(nobody, kEcho, "")), ErrorCode::kUnavailable);  // in the back-off
  EXPECT_LT(client.runtime().now() - start, 900ms);
}

TEST(GrpcTransport, TellsWhatWasWrittenFromWhatWasNotWhenTheConnectionBreaks) {
  End server;
  server.serve();
  End client({.request_delay = [](const Address&) -> Duration { return 100ms; }});
  auto written = client.start_call(server.address, kHold, "");
  ASSERT_TRUE(eventually(server, [&] { return server.held.size() == 1; }));
  auto waiting = client.start_call(server.address, kHold, "");
  client.on_loop([] {});
  server.stop();
  EXPECT_EQ(code_of(written.get()), ErrorCode::kConnectionLost);
  EXPECT_EQ(code_of(waiting.get()), ErrorCode::kUnavailable);
}

TEST(GrpcTransport, ReconnectsSoonAfterThePeerIsBack) {
  auto server = std::make_unique<End>();
  server->serve();
  const int port = std::stoi(server->address.substr(server->address.rfind(':') + 1));
  const Address address = server->address;
  End client;
  ASSERT_TRUE(client.call(address, kEcho, "", 10s, Priority::kHigh));
  server.reset();
  // Long enough for the back-off to have grown to its maximum.
  const MonoTime down_until = client.runtime().now() + 1s;
  while (client.runtime().now() < down_until) {
    EXPECT_FALSE(client.call(address, kEcho, "", 10s, Priority::kHigh));
    std::this_thread::sleep_for(20ms);
  }
  server = std::make_unique<End>();
  server->serve(port);
  const MonoTime back = client.runtime().now();
  while (!client.call(address, kEcho, "", 10s, Priority::kHigh)) std::this_thread::sleep_for(5ms);
  EXPECT_LT(client.runtime().now() - back, 600ms);  // 200 ms, and what a loaded machine adds
}

TEST(GrpcTransport, RefusesWhatIsTooLargeAndNamesTheLimit) {
  End server({.frame_bytes = 100'000, .batch_bytes = 10'000}), client({.frame_bytes = 100'000, .batch_bytes = 10'000});
  server.serve();
  const auto result = client.call(server.address, kEcho, std::string(200'000, 'x'));
  ASSERT_EQ(code_of(result), ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().message(), "message of 200005 bytes; the limit is 100000");
  EXPECT_EQ(client.call(server.address, kEcho, std::string(99'000, 'x'))->size(), 99'000u);
  EXPECT_EQ(client.call(server.address, kBig, "100000")->size(), 100'000u);
  EXPECT_EQ(code_of(client.call(server.address, kBig, "100001")), ErrorCode::kInternal);
}

TEST(GrpcTransport, IsBusyWhenTooMuchWaits) {
  End server;
  server.serve();
  End client({.queue_bytes = 100'000, .request_delay = [](const Address&) -> Duration { return 100ms; }});
  ASSERT_TRUE(client.call(server.address, kEcho, "connect"));
  std::vector<std::future<Result<std::string>>> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(client.start_call(server.address, kEcho, std::string(10'000, 'x')));
  int busy = 0;
  for (auto& answer : answers) {
    const auto result = answer.get();
    if (code_of(result) == ErrorCode::kBusy) {
      ++busy;
      EXPECT_GT(result.error().retry_after_ms(), 0u);
    } else {
      EXPECT_TRUE(result);
    }
  }
  EXPECT_EQ(busy, 11);  // nine fit, with their overhead
  EXPECT_TRUE(client.call(server.address, kEcho, "again"));
}

TEST(GrpcTransport, StopsReadingWhileTheLoopIsBehindAndGoesOnAfterwards) {
  End server({.intake_bytes = 200'000});
  server.serve();
  End client({.queue_bytes = 1'000'000});
  ASSERT_TRUE(client.call(server.address, kEcho, "connect"));
  std::promise<void> release;
  server.runtime().post([released = release.get_future().share()] { released.wait(); });
  // What is in neither end's memory is in the kernel's and in HTTP/2's window: some megabytes, not these 300.
  std::vector<std::future<Result<std::string>>> answers;
  bool busy = false;
  for (int i = 0; i < 3'000 && !busy; ++i) {
    answers.push_back(client.start_call(server.address, kEcho, std::string(100'000, 'x')));
    busy = answers.back().wait_for(1ms) == std::future_status::ready;
  }
  EXPECT_TRUE(busy);
  release.set_value();
  // On a slow machine more than the last had been refused before that was seen.
  std::size_t refused = 0;
  for (auto& answer : answers) {
    const Result<std::string> result = answer.get();
    if (result) continue;
    EXPECT_EQ(result.error().code(), ErrorCode::kBusy) << result.error().to_string();
    ++refused;
  }
  EXPECT_GE(refused, 1u);
  EXPECT_LT(refused, answers.size() / 2);
}

TEST(GrpcTransport, GivesUpOnAPeerThatAcceptsAndSaysNothing) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof name;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(listen(fd, 10), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length), 0);
  End client({.connect_timeout = 100ms});
  const MonoTime start = client.runtime().now();
  const auto result = client.call("127.0.0.1:" + std::to_string(ntohs(name.sin_port)), kEcho, "");
  EXPECT_EQ(code_of(result), ErrorCode::kUnavailable);
  EXPECT_GE(client.runtime().now() - start, 90ms);
  EXPECT_LT(client.runtime().now() - start, 2s);
  close(fd);
}

TEST(GrpcTransport, InjectsLatencyBothWaysAndKeepsTheOrder) {
  End server(
      {.zone = "b", .answer_delay = [](const std::string& zone) -> Duration { return zone == "a" ? 40ms : 0ms; }});
  server.serve();
  int calls = 0;
  End client(
      {.zone = "a", .request_delay = [&calls](const Address&) -> Duration { return ++calls % 2 ? 60ms : 20ms; }});
  const MonoTime start = client.runtime().now();
  EXPECT_TRUE(client.call(server.address, kEcho, ""));
  EXPECT_GE(client.runtime().now() - start, 100ms);
  client.on_loop([&] {
    for (int i = 0; i < 100; ++i) client.transport().send(server.address, kNote, std::to_string(i), {});
  });
  ASSERT_TRUE(eventually(server, [&] { return server.notes.size() == 100; }));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(server.notes[i], std::to_string(i));
}

TEST(GrpcTransport, DrainsAnswersBeforeAServerStops) {
  End server, client;
  server.serve();
  auto answer = client.start_call(server.address, kHold, "");
  ASSERT_TRUE(eventually(server, [&] { return server.held.size() == 1; }));
  std::thread stopping([&] { server.stop_server(5s); });
  // From some moment on new requests are refused, definitely; the old one is still answered.
  Result<std::string> refused = client.call(server.address, kEcho, "");
  while (refused) refused = client.call(server.address, kEcho, "");
  EXPECT_EQ(code_of(refused), ErrorCode::kUnavailable) << refused.error().to_string();
  server.on_loop([&] { server.held[0].respond(std::string("at last")); });
  EXPECT_EQ(answer.get().value(), "at last");
  stopping.join();
}

TEST(GrpcTransport, BreaksWhatIsStillUnansweredAfterTheGrace) {
  End server, client;
  server.serve();
  auto answer = client.start_call(server.address, kHold, "");
  ASSERT_TRUE(eventually(server, [&] { return server.held.size() == 1; }));
  server.stop_server(50ms);
  EXPECT_EQ(code_of(answer.get()), ErrorCode::kConnectionLost);
  server.on_loop([&] { server.held.clear(); });  // answers into the void
}

TEST(GrpcTransport, DiesWithCallsInFlightInBothDirections) {
  for (int round = 0; round < 10; ++round) {
    End server;
    server.serve();
    auto client = std::make_unique<End>();
    std::vector<std::future<Result<std::string>>> answers;
    for (int i = 0; i < 200; ++i) {
      answers.push_back(client->start_call(server.address, i % 2 ? kEcho : kHold, std::string(1000, 'x')));
    }
    if (round % 2) answers[1].wait();
    if (round % 3) {
      client.reset();
    } else {
      server.stop();
    }
  }
}

TEST(GrpcTransport, OutlivesALoopThatStopsFirst) {
  End server;
  server.serve();
  EventLoop runtime;
  bool answered = false;
  auto transport = std::make_unique<GrpcTransport>(runtime);
  transport->call(server.address, kHold, "", {}, [&](Result<std::string>) { answered = true; });
  runtime.after(50ms, [&] { runtime.stop(); });
  runtime.run();
  transport.reset();
  EXPECT_FALSE(answered);
}

TEST(GrpcServer, TellsItsHealthAndEveryChangeOfIt) {
  using grpc::health::v1::HealthCheckResponse;
  End end;
  end.serve();
  const auto stub =
      grpc::health::v1::Health::NewStub(grpc::CreateChannel(end.address, grpc::InsecureChannelCredentials()));
  const auto check = [&](const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    return stub->Check(&context, request, response).error_code();
  };
  HealthCheckResponse response;
  EXPECT_EQ(check("", &response), grpc::StatusCode::OK);
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(check("nobody", &response), grpc::StatusCode::NOT_FOUND);

  grpc::ClientContext leaves;
  {
    const auto gone = stub->Watch(&leaves, {});
    leaves.TryCancel();
  }
  grpc::ClientContext stays;
  const auto watch = stub->Watch(&stays, {});
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  end.server().set_serving(false);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(check("", &response), grpc::StatusCode::OK);
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);

  // Who watches holds nobody up.
  const MonoTime began = end.runtime().now();
  end.stop_server(30s);
  EXPECT_LT(end.runtime().now() - began, 20s);
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(GrpcServer, SaysThatAPortIsInUse) {
  End first, second;
  first.serve();
  auto again = GrpcServer::start({.listen = first.address, .link = second.transport().service()});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(again.error().message().find(first.address), std::string::npos);
}

}  // namespace
}  // namespace meridian::test
