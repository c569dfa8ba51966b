#include "server/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

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

TEST(Process, ProbesAddresses) {
  EXPECT_GT(*probe_listen("127.0.0.1:0", "--listen"), 0);
  EXPECT_FALSE(probe_listen("192.0.2.1:0", "--listen"));  // not this machine's
}

}  // namespace
}  // namespace meridian::server
