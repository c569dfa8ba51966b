#include "server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "server/process.h"

namespace meridian::server {
namespace {

using ::testing::HasSubstr;

TEST(HttpServer, ServesHealthAndMetrics) {
  std::atomic<bool> draining = false;
  auto server = HttpServer::start(
      "127.0.0.1:0", {.metrics = [] { return "m 1\n"; }, .not_ready = [&] { return draining ? "draining" : ""; }});
  ASSERT_TRUE(server) << server.error().to_string();
  httplib::Client client("127.0.0.1", (*server)->port());
  EXPECT_EQ(client.Get("/metrics")->body, "m 1\n");
  EXPECT_EQ(client.Get("/livez")->status, 200);
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  draining = true;
  EXPECT_EQ(client.Get("/readyz")->status, 503);
  EXPECT_EQ(client.Get("/readyz")->body, "draining\n");
  EXPECT_EQ(client.Get("/livez")->status, 200);
  EXPECT_EQ(client.Get("/nothing")->status, 404);
}

TEST(HttpServer, NamesAPortInUse) {
  auto first = HttpServer::start("127.0.0.1:0", {.metrics = [] { return ""; }, .not_ready = [] { return ""; }});
  ASSERT_TRUE(first);
  const std::string address = "127.0.0.1:" + std::to_string((*first)->port());
  auto second = HttpServer::start(address, {.metrics = [] { return ""; }, .not_ready = [] { return ""; }});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr(address));
  const auto probed = probe_listen(address, "--http");
  ASSERT_FALSE(probed);
  EXPECT_THAT(probed.error().message(), HasSubstr("is in use by another process; choose another with --http"));
}

TEST(HttpServer, StopsAtOnceWhileIdle) {
  for (int i = 0; i < 20; ++i) {
    auto server = HttpServer::start("127.0.0.1:0", {.metrics = [] { return ""; }, .not_ready = [] { return ""; }});
    ASSERT_TRUE(server);
  }
}

// A socket that is connected and does with it what the test says.
class Peer {
 public:
  explicit Peer(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Peer() {
    if (fd_ >= 0) close(fd_);
  }
  bool say(std::string_view text) { return send(fd_, text.data(), text.size(), MSG_NOSIGNAL) > 0; }
  bool closed_by_peer() {
    char byte;
    return recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
};

std::chrono::steady_clock::duration time_of(auto&& what) {
  const auto start = std::chrono::steady_clock::now();
  what();
  return std::chrono::steady_clock::now() - start;
}

TEST(HttpServer, AnswersLivezWhateverOthersDo) {
  std::promise<void> release;
  auto released = release.get_future().share();
  auto server = HttpServer::start("127.0.0.1:0", {.metrics =
                                                      [=] {
                                                        released.wait();
                                                        return "m 1\n";
                                                      },
                                                  .not_ready = [] { return ""; }});
  ASSERT_TRUE(server) << server.error().to_string();
  const std::uint16_t port = (*server)->port();
  std::vector<Peer> silent;
  for (int i = 0; i < 20; ++i) silent.emplace_back(port);
  Peer trickling(port);
  ASSERT_TRUE(trickling.say("GET /li"));
  Peer never_reads(port);
  ASSERT_TRUE(never_reads.say("GET /metrics HTTP/1.1\r\n\r\n"));
  std::vector<Peer> crowd;
  const auto livez = [&] {
    httplib::Client client("127.0.0.1", port);
    const auto answer = client.Get("/livez");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
  };
  EXPECT_LT(time_of(livez), std::chrono::seconds(1));
  for (std::size_t i = 0; i < 2 * HttpServer::kMaxConnections; ++i) crowd.emplace_back(port);
  EXPECT_LT(time_of(livez), std::chrono::seconds(1));
  release.set_value();
}

// However slowly it goes on.
TEST(HttpServer, GivesARequestATotalTime) {
  auto server = HttpServer::start("127.0.0.1:0", {.metrics = [] { return ""; }, .not_ready = [] { return ""; }});
  ASSERT_TRUE(server);
  Peer trickling((*server)->port());
  const auto took = time_of([&] {
    std::promise<void> over;
    std::thread drip([&, ended = over.get_future()] {
      trickling.say("GET /livez?");
      while (trickling.say("x") && ended.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout) {
      }
    });
    EXPECT_TRUE(trickling.closed_by_peer());
    over.set_value();
    drip.join();
  });
  EXPECT_LT(took, HttpServer::kRequestTime + std::chrono::seconds(2));
}

TEST(HttpServer, StopsAtOnceWithConnectionsOpen) {
  auto server = HttpServer::start("127.0.0.1:0", {.metrics = [] { return ""; }, .not_ready = [] { return ""; }});
  ASSERT_TRUE(server);
  std::vector<Peer> silent;
  for (int i = 0; i < 5; ++i) silent.emplace_back((*server)->port());
  silent.back().say("GET /livez HT");
  EXPECT_LT(time_of([&] { server->reset(); }), std::chrono::milliseconds(500));
}

TEST(Process, ProbesAddresses) {
  EXPECT_GT(*probe_listen("127.0.0.1:0", "--listen"), 0);
  EXPECT_FALSE(probe_listen("192.0.2.1:0", "--listen"));  // not this machine's
}

}  // namespace
}  // namespace meridian::server
