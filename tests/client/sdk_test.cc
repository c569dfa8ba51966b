// The public API over real sockets and threads.
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <meridian/admin.h>
#include <meridian/client.h>

#include "tests/client/map_proxy.h"

namespace meridian::sdk {
namespace {

using std::chrono::milliseconds;

class SdkTest : public ::testing::Test {
 protected:
  Client connect(ConnectOptions options) {
    Result<Client> client = Client::connect(options);
    EXPECT_TRUE(client) << client.error().to_string();
    return *client;
  }
  Client connect() { return connect(ConnectOptions{proxy.address()}); }
  client::MapProxy proxy;
};

TEST_F(SdkTest, ReadsItsWrites) {
  Client client = connect();
  auto written = client.put("k", "v");
  ASSERT_TRUE(written) << written.error().to_string();
  auto read = client.get("k");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->found);
  EXPECT_EQ(read->value, "v");
  EXPECT_EQ(read->version, written->version);
  EXPECT_EQ(read->info.node_id, 1u);
  EXPECT_EQ(read->info.region, "here");
  EXPECT_EQ(to_string(read->info.role), "leader");
  auto swapped = client.compare_and_set("k", Expected::value("v"), Desired::value("w"));
  ASSERT_TRUE(swapped);
  EXPECT_TRUE(swapped->succeeded);
  swapped = client.compare_and_set("k", Expected::absent(), Desired::value("x"));
  EXPECT_FALSE(swapped->succeeded);
  ASSERT_TRUE(client.write_batch(WriteBatch().put("a", "1").put("b", "2").remove("k")));
  auto both = client.multi_get({"a", "k", "b"});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->items[0].value, "1");
  EXPECT_FALSE(both->items[1].found);
  EXPECT_EQ(both->items[2].value, "2");
  ASSERT_TRUE(client.remove("a"));
  EXPECT_FALSE(client.get("a")->found);
  EXPECT_EQ(client.get("").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(SdkTest, ScansPageByPageAndEntryByEntry) {
  Client client = connect();
  for (int i = 0; i < 25; ++i) ASSERT_TRUE(client.put("s/" + std::string(1, static_cast<char>('a' + i)), "v"));
  std::string keys;
  auto scan = client.scan(ScanRange::prefix("s/"), ScanOptions().page_size(10));
  for (const Entry& entry : scan) keys += entry.key.back();
  EXPECT_EQ(keys, "abcdefghijklmnopqrstuvwxy");
  EXPECT_TRUE(scan.status());
  EXPECT_TRUE(scan.done());
  EXPECT_GT(scan.timestamp(), 0u);

  keys.clear();
  auto limited = client.scan(ScanRange::prefix("s/"), ScanOptions().page_size(4).limit(6).reverse().keys_only());
  for (const Entry& entry : limited) keys += entry.key.back() + entry.value;
  EXPECT_EQ(keys, "yxwvut");

  auto pages = client.scan(ScanRange::between("s/c", "s/h"), ScanOptions().page_size(2));
  std::vector<std::size_t> sizes;
  while (!pages.done()) sizes.push_back(pages.next_page()->entries.size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2, 1}));
  auto after = pages.next_page();
  EXPECT_TRUE(after && after->last && after->entries.empty());

  auto nothing = client.scan(ScanRange::prefix("none"));
  EXPECT_TRUE(nothing.begin() == nothing.end());
  EXPECT_TRUE(nothing.status());
}

TEST_F(SdkTest, AnswersArriveByWaitingCallbackAndCoroutine) {
  Client client = connect();
  std::vector<Future<WriteResult>> writes;
  for (int i = 0; i < 500; ++i) writes.push_back(client.put_async("k" + std::to_string(i), "v"));
  for (auto& write : writes) EXPECT_TRUE(write.get());

  std::atomic<int> called = 0;
  for (int i = 0; i < 100; ++i) {
    client.get_async("k" + std::to_string(i)).then([&](Result<ReadResult> read) { called += read && read->found; });
  }
  auto flow = [](Client c) -> Task<int> {
    int found = 0;
    for (int i = 0; i < 100; ++i) {
      auto read = co_await c.get_async("k" + std::to_string(i));
      found += read && read->found;
    }
    // Waiting on this thread for an answer that comes on it is refused.
    auto blocked = c.get("k");
    found += !blocked && blocked.error().code() == ErrorCode::kFailedPrecondition;
    co_return found;
  };
  EXPECT_EQ(flow(client).get(), 101);
  EXPECT_EQ(called, 100);
}

TEST_F(SdkTest, ManyThreadsShareAClient) {
  Client client = connect();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        if (!client.put(key, key)) continue;
        auto read = client.get(key);
        good += read && read->value == key;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 800);
}

TEST_F(SdkTest, FailsOverToAnotherProxy) {
  client::MapProxy other;
  Client client = connect(ConnectOptions{"127.0.0.1:1", proxy.address(), "127.0.0.1:2", other.address()});
  for (int i = 0; i < 50; ++i) {
    auto read = client.get("k");
    EXPECT_TRUE(read) << read.error().to_string();
  }
}

TEST_F(SdkTest, AWriteWithoutAnAnswerIsUnknownAndAReadLate) {
  Client client = connect();
  ASSERT_TRUE(client.put("k", "v"));
  proxy.fall_silent();
  auto written = client.put("k", "v", CallOptions().timeout(milliseconds(300)));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kUnknownOutcome);
  EXPECT_FALSE(written.error().is_definite());
  auto read = client.get("k", CallOptions().timeout(milliseconds(100)));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(read.error().is_definite());
}

TEST_F(SdkTest, CallsCanBeCancelledFromAnyThread) {
  Client client = connect();
  ASSERT_TRUE(client.put("k", "v"));
  proxy.fall_silent();
  CancellationSource stop;
  const CallOptions options = CallOptions().cancellation(stop.token());
  auto read = client.get_async("k", options);
  auto written = client.put_async("k", "v", options);
  EXPECT_FALSE(read.wait_for(milliseconds(50)));
  stop.cancel();
  EXPECT_EQ(read.get().error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(written.get().error().code(), ErrorCode::kUnknownOutcome);
  auto later = client.put("k", "v", options);
  EXPECT_EQ(later.error().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(later.error().is_definite());
  EXPECT_TRUE(stop.token().is_cancelled());
}

TEST_F(SdkTest, TheLastHandleMayGoAnywhere) {
  std::optional<Client> client = connect();
  proxy.fall_silent();
  auto left_behind = client->get_async("k");
  client.reset();
  EXPECT_EQ(left_behind.get().error().code(), ErrorCode::kCancelled);

  client::MapProxy other;
  client = connect(ConnectOptions{other.address()});
  auto done = std::make_shared<std::atomic<bool>>(false);
  auto future = client->get_async("k");
  // The callback owns the last handle, and goes on the client's own thread.
  future.then([owned = std::move(*client), done](Result<ReadResult>) { *done = true; });
  client.reset();
  while (!*done) std::this_thread::yield();
}

TEST_F(SdkTest, RequestIdsCanBeKept) {
  Client client = connect();
  auto id = client.new_request_id();
  ASSERT_TRUE(id);
  auto parsed = RequestId::parse(id->to_string());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, *id);
  EXPECT_TRUE(client.put("k", "v", CallOptions().request_id(*id)));
  for (const char* bad :
       {"", "1", "1-2", "1-2-", "1-2-3x", "-1-2-3", "1-zz-3", "99999999999999999999-1-1", "1-2-3-4"}) {
    auto error = RequestId::parse(bad);
    ASSERT_FALSE(error) << bad;
    EXPECT_EQ(error.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_F(SdkTest, AdministersThroughTheSameConnection) {
  Admin admin(connect());
  auto hello = admin.hello();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->cluster_id, 77u);
  auto status = admin.status();
  ASSERT_TRUE(status);
  ASSERT_EQ(status->nodes.size(), 1u);
  EXPECT_EQ(status->nodes[0].role, Role::kLeader);
  EXPECT_EQ(to_string(status->nodes[0].state), "active");
  auto moved = admin.transfer_leader(1);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), ErrorCode::kUnimplemented);
}

TEST(Sdk, RefusesBadOptions) {
  for (const ConnectOptions& options :
       {ConnectOptions(std::vector<std::string>()), ConnectOptions{"host"}, ConnectOptions{":1"}, ConnectOptions{"h:0"},
        ConnectOptions{"h:65536"}, ConnectOptions{"h:7x"}, ConnectOptions{"h:1"}.timeout(milliseconds(0)),
        ConnectOptions{"h:1"}.max_in_flight(0), ConnectOptions{"h:1"}.inject_faults(1.5),
        ConnectOptions{"h:1"}.connect_timeout(milliseconds(-1))}) {
    auto client = Client::connect(options);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code(), ErrorCode::kInvalidArgument) << client.error().to_string();
  }
}

TEST(Sdk, NobodyThereIsUnavailable) {
  auto client = Client::connect(ConnectOptions{"127.0.0.1:1"}.connect_timeout(milliseconds(300)));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kUnavailable) << client.error().to_string();
  EXPECT_TRUE(client.error().is_definite());
}

TEST(Task, RunsLazilyAndComposes) {
  int ran = 0;
  auto leaf = [&](int n) -> Task<int> {
    ++ran;
    co_return n;
  };
  auto sum = [&]() -> Task<int> { co_return co_await leaf(1) + co_await leaf(2); };
  {
    auto never = sum();
    EXPECT_EQ(ran, 0);
  }
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(sum().get(), 3);
  auto nothing = [&]() -> Task<> { co_await sum(); };
  nothing().get();
  nothing().detach();
  EXPECT_EQ(ran, 6);
  auto throws = [&]() -> Task<> {
    co_await leaf(1);
    throw std::runtime_error("out");
  };
  EXPECT_THROW(throws().get(), std::runtime_error);
}

TEST(Future, IsSetOnceAndTakenOnce) {
  auto state = std::make_shared<detail::FutureState<int>>();
  Future<int> future(state);
  EXPECT_FALSE(future.is_ready());
  EXPECT_FALSE(future.wait_for(milliseconds(1)));
  std::thread other([state] { state->set(5); });
  EXPECT_EQ(*future.get(), 5);
  other.join();
  EXPECT_FALSE(future.valid());

  auto second = std::make_shared<detail::FutureState<int>>();
  second->set(6);
  int called = 0;
  Future<int>(second).then([&](Result<int> n) { called = *n; });
  EXPECT_EQ(called, 6);
}

TEST(Result, SaysWhatItHolds) {
  Result<std::string> good = std::string("value");
  EXPECT_TRUE(good);
  EXPECT_EQ(good->size(), 5u);
  EXPECT_EQ(good.value_or("x"), "value");
  Result<std::string> bad = Error(ErrorCode::kBusy, "full", true, {"a", "b"}, milliseconds(7));
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.value_or("x"), "x");
  EXPECT_EQ(bad.error().to_string(), "busy: full: a: b");
  EXPECT_EQ(bad.error().retry_after(), milliseconds(7));
  EXPECT_FALSE(Error(ErrorCode::kUnknownOutcome, "").is_definite());
  EXPECT_TRUE(Error(ErrorCode::kUnavailable, "").is_definite());
  EXPECT_DEATH(bad.value(), "busy: full");
  EXPECT_DEATH((void)good.error(), "holds a value");
}

}  // namespace
}  // namespace meridian::sdk
