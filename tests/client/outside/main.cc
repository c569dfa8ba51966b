// A program outside the tree that uses all of the SDK's kinds of calls.
//   outside                 no cluster: everything must fail with a definite kUnavailable
//   outside HOST:PORT       everything must work
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <meridian/admin.h>
#include <meridian/client.h>

namespace {

using std::chrono::milliseconds;

#define REQUIRE(condition)                                                 \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                        \
    }                                                                      \
  } while (false)

// Public types as temporaries around co_await, which g++ 12 destroys twice where they are aggregates. (In
// `c ? co_await a() : b` it does so for every type; nothing can be done about that here, see task.h.)
meridian::Task<meridian::ReadResult> make_read(std::string value) {
  meridian::ReadResult read;
  read.found = true;
  read.value = std::move(value);
  co_return read;
}
meridian::Task<std::string> echo(meridian::Entry entry) { co_return entry.key + entry.value; }

meridian::Task<std::string> awaits_temporaries(bool which) {
  const std::string long_text(100, 'x');
  std::string text = co_await echo(meridian::Entry(long_text, "value that is not short enough", 1));
  meridian::ReadResult read;
  if (which) read = co_await make_read(co_await echo(meridian::Entry(long_text, "", 2)));
  meridian::Entry built(co_await echo(meridian::Entry("a", "b", 2)), read.value, 3);
  co_return text + built.key + built.value;
}

meridian::Task<int> throws() {
  co_await make_read("x");
  throw 42;
}

void test_tasks() {
  const std::string text = awaits_temporaries(true).get();
  REQUIRE(text.size() == 100 + 30 + 2 + 100);
  bool thrown = false;
  try {
    throws().get();
  } catch (int n) {
    thrown = n == 42;
  }
  REQUIRE(thrown);
}

meridian::Task<bool> round_trip(meridian::Client client, std::string key) {
  auto written = co_await client.put_async(key, "1", meridian::CallOptions().timeout(milliseconds(20'000)));
  if (!written) {
    std::fprintf(stderr, "%s\n", written.error().to_string().c_str());
    co_return false;
  }
  auto swapped = co_await client.compare_and_set_async(key, meridian::Expected::version(written->version),
                                                       meridian::Desired::value("2"));
  if (!swapped || !swapped->succeeded) co_return false;
  auto batch = meridian::WriteBatch().put(key + "/a", "x").put(key + "/b", std::string(300, 'y')).remove(key + "/c");
  if (!co_await client.write_batch_async(std::move(batch))) co_return false;
  // g++ 12 cannot compile a braced list inside a co_await expression.
  std::vector<std::string> keys{key, key + "/b", key + "/none"};
  auto both = co_await client.multi_get_async(std::move(keys));
  if (!both || both->items.size() != 3) co_return false;
  auto scan = client.scan(meridian::ScanRange::prefix(key + "/"), meridian::ScanOptions().page_size(1));
  std::size_t seen = 0;
  while (!scan.done()) {
    auto page = co_await scan.next_page_async();
    if (!page) co_return false;
    seen += page->entries.size();
  }
  // On the client's own thread a blocking call is refused, not a deadlock.
  auto blocked = client.get(key);
  if (blocked || blocked.error().code() != meridian::ErrorCode::kFailedPrecondition) co_return false;
  co_return seen == 2 && both->items[0].value == "2" && both->items[1].value.size() == 300 && !both->items[2].found;
}

void with_cluster(const std::string& proxy) {
  auto connected = meridian::Client::connect({proxy});
  if (!connected) std::fprintf(stderr, "%s\n", connected.error().to_string().c_str());
  REQUIRE(connected);
  meridian::Client client = *connected;
  const std::string key = "outside/" + std::to_string(std::rand());

  REQUIRE(client.put(key, "hello"));
  auto read = client.get(key);
  REQUIRE(read && read->found && read->value == "hello" && read->info.timestamp > 0);
  auto stale = client.get(key, meridian::CallOptions().any_replica());
  REQUIRE(stale);
  REQUIRE(round_trip(client, key).get());

  std::vector<std::string> keys;
  auto scan = client.scan(meridian::ScanRange::prefix(key), meridian::ScanOptions().reverse().page_size(2).limit(3));
  for (const meridian::Entry& entry : scan) keys.push_back(entry.key);
  REQUIRE(scan.status());
  REQUIRE((keys == std::vector<std::string>{key + "/b", key + "/a", key}));

  auto id = client.new_request_id();
  REQUIRE(id && *meridian::RequestId::parse(id->to_string()) == *id);
  REQUIRE(client.put(key, "once", meridian::CallOptions().request_id(*id)));
  REQUIRE(client.put(key, "once", meridian::CallOptions().request_id(*id)));
  auto other = client.put(key, "other", meridian::CallOptions().request_id(*id));
  REQUIRE(!other);

  auto bad = client.get("");
  REQUIRE(!bad && bad.error().code() == meridian::ErrorCode::kInvalidArgument && bad.error().is_definite());
  auto taken = client.compare_and_set(key, meridian::Expected::absent(), meridian::Desired::removed());
  REQUIRE(taken && !taken->succeeded);
  REQUIRE(client.remove(key));

  meridian::Admin admin(client);
  auto status = admin.status();
  REQUIRE(status && !status->nodes.empty());
}

void without_cluster() {
  // Nothing listens on port 1.
  meridian::ConnectOptions options{"127.0.0.1:1", "127.0.0.1:2"};
  auto connected = meridian::Client::connect(options.connect_timeout(milliseconds(500)));
  REQUIRE(!connected && connected.error().code() == meridian::ErrorCode::kUnavailable);
  REQUIRE(connected.error().is_definite() && !connected.error().causes().empty());
  REQUIRE(!meridian::Client::connect({"no port"}));

  REQUIRE(!meridian::Admin::connect(options));
  REQUIRE(to_string(meridian::Role::kLeader) == "leader" && to_string(meridian::NodeState::kActive) == "active" &&
          to_string(meridian::ErrorCode::kBusy) == "busy");
  REQUIRE(!meridian::RequestId::parse("x") && meridian::RequestId(1, 2, 3).to_string() == "1-0000000000000002-3");

  auto lazy = meridian::Client::connect(options.connect_timeout(milliseconds(0)).timeout(milliseconds(2'000)));
  REQUIRE(lazy);
  auto read = lazy->get("k");
  REQUIRE(!read && read.error().code() == meridian::ErrorCode::kUnavailable && read.error().is_definite());
  auto written = lazy->put("k", "v");
  REQUIRE(!written && written.error().code() == meridian::ErrorCode::kUnavailable && written.error().is_definite());

  meridian::CancellationSource stop;
  auto future =
      lazy->put_async("k", "v", meridian::CallOptions().timeout(milliseconds(30'000)).cancellation(stop.token()));
  stop.cancel();
  auto cancelled = future.get();
  REQUIRE(!cancelled && cancelled.error().code() == meridian::ErrorCode::kCancelled);

  REQUIRE(stop.token().is_cancelled());

  auto scan = lazy->scan(meridian::ScanRange::all());
  REQUIRE(!scan.done() && scan.timestamp() == 0);
  for (const meridian::Entry& entry : scan) std::printf("%s?\n", entry.key.c_str());
  REQUIRE(!scan.status() && scan.status().error().code() == meridian::ErrorCode::kUnavailable);

  // Every call exists in the library, and ends.
  meridian::Client client = *lazy;
  meridian::Admin admin(client);
  const auto at_once = meridian::CallOptions().timeout(milliseconds(1));
  REQUIRE(!client.multi_get({"a"}, at_once) && !client.remove("a", at_once) && !client.new_request_id(at_once));
  REQUIRE(!client.compare_and_set("a", meridian::Expected::value("x"), meridian::Desired::removed(), at_once));
  REQUIRE(!client.write_batch(meridian::WriteBatch().put("a", "b"), at_once));
  REQUIRE(!admin.hello(at_once) && !admin.status(at_once) && !admin.remove_node(1, false, at_once));
  REQUIRE(!admin.init_cluster({meridian::NodeSpec("h:1", "r")}, at_once) && !admin.transfer_leader(1, at_once));
  REQUIRE(!admin.add_node(meridian::NodeSpec("h:1", "r"), at_once));
  REQUIRE(!admin.replace_node(1, meridian::NodeSpec("h:1", "r"), at_once));

  // The last handle may go anywhere, with calls under way.
  auto last = lazy->get_async("k", meridian::CallOptions().timeout(milliseconds(3'000)));
  lazy = meridian::Error(meridian::ErrorCode::kCancelled, "let go");
  admin = meridian::Admin(meridian::Client(nullptr));
  client = admin.client();
  auto ended = last.get();
  REQUIRE(!ended && ended.error().is_definite());
}

}  // namespace

int main(int argc, char** argv) {
  test_tasks();
  if (argc > 1) {
    with_cluster(argv[1]);
  } else {
    without_cluster();
  }
  std::printf("ok\n");
}
