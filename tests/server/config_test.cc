#include "server/config.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/command_line.h"
#include "server/latency.h"
#include "server/memory.h"

namespace meridian::server {
namespace {

using ::testing::HasSubstr;

class TempFile {
 public:
  explicit TempFile(const std::string& text)
      : path_(::testing::TempDir() + "/meridian_config_" + std::to_string(getpid()) + ".toml") {
    std::ofstream(path_) << text;
  }
  ~TempFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string mistake(const std::string& text, const std::string& role = "") {
  const TempFile file(text);
  const Result<std::string> checked = check_config_file(file.path(), role);
  return checked ? "" : checked.error().message();
}

TEST(ServerConfig, AcceptsEachRole) {
  EXPECT_EQ(mistake("dir = \"/d\"\nregion = \"us-east\"\n[raft]\nelection_timeout = \"1s\"\n"), "");
  EXPECT_EQ(mistake("role = \"proxy\"\nnodes = [\"a:1\"]\n"), "");
  EXPECT_EQ(mistake("role = \"local\"\ndir = \"/d\"\nregions = [\"a\", \"b\"]\n"), "");
  EXPECT_EQ(mistake("nodes = [\"a:1\"]\n", "proxy"), "");
}

TEST(ServerConfig, RefusesToAdvertiseWhatNobodyReaches) {
  EXPECT_THAT(mistake("dir = \"/d\"\nadvertise = \"0.0.0.0:7401\"\n"),
              HasSubstr(".toml:2: advertise = '0.0.0.0:7401' is where a process listens on all its addresses"));
  EXPECT_THAT(mistake("dir = \"/d\"\nadvertise = \"[::]:7401\"\n"), HasSubstr("name the host"));
  EXPECT_THAT(mistake("dir = \"/d\"\nadvertise = \"n1:0\"\n"), HasSubstr("advertise = 'n1:0' has port 0"));
  EXPECT_THAT(mistake("nodes = [\"a:1\"]\nadvertise = \"p:0\"\n", "proxy"), HasSubstr("advertise = 'p:0' has port 0"));
  EXPECT_THAT(mistake("dir = \"/d\"\nlisten = \"0.0.0.0:7401\"\n"),
              HasSubstr("listen = 0.0.0.0:7401 is on all addresses of this machine: say with advertise"));
  EXPECT_EQ(mistake("dir = \"/d\"\nlisten = \"0.0.0.0:7401\"\nadvertise = \"n1:7401\"\n"), "");
}

TEST(ServerConfig, NamesTheMistake) {
  EXPECT_THAT(mistake("dir = \"/d\"\nlisten = \"7400\"\n"), HasSubstr(".toml:2: listen = '7400' is not host:port"));
  EXPECT_THAT(mistake("region = \"US\"\n"), HasSubstr(".toml:1: region = 'US' is not a region's name"));
  EXPECT_THAT(mistake("dir = \"/d\"\n[limits]\nvalue = \"8MiB\"\n"), HasSubstr("from 1 to 3MiB is allowed"));
  EXPECT_THAT(mistake("dir = \"/d\"\nraft.heartbeat_interval = \"400ms\"\n"),
              HasSubstr("raft.heartbeat_interval = 400ms must be at most half of raft.election_timeout = 500ms"));
  EXPECT_THAT(mistake("dir = \"/d\"\n[limits]\nclock_offset = \"600ms\"\n"),
              HasSubstr("limits.clock_offset = 600ms must be at most raft.election_timeout = 500ms"));
  EXPECT_THAT(mistake("listen = \"a:1\"\n"), HasSubstr("dir is not set"));
  EXPECT_THAT(mistake("dir = \"/d\"\n[storage]\nmemory = \"64MiB\"\n"), HasSubstr("from 128MiB to"));
  EXPECT_THAT(mistake("dir = \"/d\"\n[storage]\nmemory = \"256MiB\"\nwrite_buffer = \"128MiB\"\n"),
              HasSubstr("storage.memory = 256MiB is less than its parts may take, 472MiB: block_cache 16MiB, "
                        "write_buffers 384MiB"));
  EXPECT_THAT(mistake("dir = \"/d\"\n[storage]\nwrite_buffer = \"1KiB\"\n"),
              HasSubstr("storage.write_buffer = 1KiB: at least 1MiB, or 0 for a share"));
  EXPECT_THAT(mistake("dir = \"/d\"\n[limits]\nqueue = \"1MiB\"\n"), HasSubstr("limits.queue = 1MiB: at least 8MiB"));
  EXPECT_THAT(mistake("dir = \"/d\"\n[limits]\nanswers = \"1MiB\"\n"), HasSubstr("limits.answers = 1MiB: at least 8MiB"));
  EXPECT_THAT(mistake("role = \"proxy\"\nnodes = [\"a:1\"]\n[limits]\nanswers = \"1MiB\"\n"),
              HasSubstr("limits.answers = 1MiB: at least 8MiB"));
  EXPECT_THAT(mistake("role = \"proxy\"\n"), HasSubstr("nodes is not set"));
  EXPECT_THAT(mistake("role = \"proxy\"\nnodes = [\"x\"]\n"), HasSubstr("nodes: \"x\" is not host:port"));
  EXPECT_THAT(mistake("role = \"chef\"\n"), HasSubstr("role = \"chef\"; there are node, proxy and local"));
  EXPECT_THAT(mistake("role = \"local\"\ndir=\"/d\"\nregions = [\"a\", \"a\"]\n"), HasSubstr("\"a\" is there twice"));
  EXPECT_THAT(mistake("role = \"local\"\ndir=\"/d\"\nnodes_per_region = 4\n"), HasSubstr("12 nodes; the limit is 9"));
  EXPECT_THAT(check_config_file("/no/such/file", "").error().message(), HasSubstr("cannot read"));
}

TEST(ServerConfig, DividesTheMemoryOfANode) {
  StorageConfig storage;
  LimitsConfig limits;
  for (const std::uint64_t mib : {128, 256, 1024, 64 << 10}) {
    storage.memory = mib << 20;
    const Result<NodeMemory> memory = divide_memory(storage, limits);
    ASSERT_TRUE(memory) << mib << ": " << memory.error().to_string();
    EXPECT_LE(memory->total(), storage.memory * 3 / 4) << mib;
    EXPECT_EQ(memory->write_buffer, storage.memory / 16);
    EXPECT_GE(memory->queue, 2 * limits.batch);
  }
  storage.write_buffer = 8 << 20;
  limits.queue = 32 << 20;
  const Result<NodeMemory> memory = divide_memory(storage, limits);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->write_buffer, storage.write_buffer);
  EXPECT_EQ(memory->queue, limits.queue);
  EXPECT_EQ(memory->staggered(0).write_buffer, memory->write_buffer);
  EXPECT_EQ(memory->staggered(0.5).write_buffer, 7U << 20);
  EXPECT_EQ(memory->staggered(1).unflushed_log, memory->unflushed_log / 4 * 3);
  EXPECT_EQ(memory->staggered(1).queue, memory->queue);
}

TEST(ServerConfig, LocalSpreadsNodesOverRegionsAndPorts) {
  LocalConfig local;
  local.dir = "/d";
  local.nodes_per_region = 2;
  local.latency = "wan";
  EXPECT_EQ(local.node(0).region, "us-east");
  EXPECT_EQ(local.node(2).region, "eu-west");
  EXPECT_EQ(local.node(3).region, "us-east");
  EXPECT_EQ(local.node(3).listen, "127.0.0.1:7404");
  EXPECT_EQ(local.node(3).http, "127.0.0.1:7504");
  EXPECT_EQ(local.node(3).dir, "/d/n4");
  EXPECT_EQ(local.proxy().nodes.size(), 6u);
  EXPECT_EQ(local.proxy().latency_peers.front(), "127.0.0.1:7401=us-east");
}

std::variant<Command, int> parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "meridian");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

TEST(CommandLine, TurnsFlagsIntoSettings) {
  const auto parsed = parse({"local", "--dir", "/d", "--regions", "a,b,c", "--port", "8000", "--processes",
                             "--raft-election-timeout", "1s", "--log-level=debug"});
  ASSERT_TRUE(std::holds_alternative<Command>(parsed));
  const LocalConfig& local = std::get<LocalConfig>(std::get<Command>(parsed).what);
  EXPECT_EQ(local.regions, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(local.port, 8000);
  EXPECT_TRUE(local.processes);
  EXPECT_EQ(local.raft.election_timeout, 1s);
  EXPECT_EQ(local.log.level, "debug");
}

TEST(CommandLine, FlagsWinOverTheFile) {
  const TempFile file("dir = \"/file\"\nregion = \"a\"\n");
  const auto parsed = parse({"node", "--config", file.path(), "--dir", "/flag"});
  ASSERT_TRUE(std::holds_alternative<Command>(parsed));
  EXPECT_EQ(std::get<NodeConfig>(std::get<Command>(parsed).what).dir, "/flag");
  EXPECT_EQ(std::get<NodeConfig>(std::get<Command>(parsed).what).region, "a");
}

TEST(CommandLine, AnswersTwoForWrongUsage) {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{},
                                                {"fly"},
                                                {"node"},
                                                {"node", "--wings", "2"},
                                                {"proxy", "--nodes", "x"},
                                                {"local", "--dir", "/d", "--port", "x"},
                                                {"config", "check"}}) {
    const auto parsed = parse(wrong);
    ASSERT_TRUE(std::holds_alternative<int>(parsed));
    EXPECT_EQ(std::get<int>(parsed), 2);
  }
  EXPECT_EQ(std::get<int>(parse({"--help"})), 0);
  EXPECT_EQ(std::get<int>(parse({"version"})), 0);
}

TEST(Latency, KnowsItsPresets) {
  const std::vector<std::string> regions{"us-east", "mars"};
  EXPECT_TRUE(LatencyTable::load("none", regions)->empty());
  const LatencyTable wan = *LatencyTable::load("wan", regions);
  EXPECT_EQ(wan.delay("us-east", "us-west"), 32ms);
  EXPECT_EQ(wan.delay("us-west", "us-east"), 32ms);
  EXPECT_EQ(wan.delay("us-east", "us-east"), 250us);
  EXPECT_EQ(wan.delay("us-east", "mars"), 60ms);
  EXPECT_EQ(wan.delay("us-east", ""), 0us);
}

TEST(Latency, ReadsPairsAndRefusesMistakes) {
  const std::vector<std::string> regions{"a", "b", "c"};
  const LatencyTable table = *LatencyTable::parse("[a]\nb = \"1ms\"\nc = \"2ms\"\n[c]\na = \"9ms\"", "f", regions);
  EXPECT_EQ(table.delay("b", "a"), 1ms);
  EXPECT_EQ(table.delay("a", "c"), 2ms);
  EXPECT_EQ(table.delay("c", "a"), 9ms);
  EXPECT_EQ(table.delay("b", "c"), 0ms);
  EXPECT_THAT(LatencyTable::parse("[a]\nx = \"1ms\"", "f", regions).error().message(),
              HasSubstr("f:2: unknown key a.x"));
  EXPECT_THAT(LatencyTable::parse("[a]\nb = 5", "f", regions).error().message(),
              HasSubstr("f:2: a.b = 5 is not a dur"));
  EXPECT_THAT(LatencyTable::load("moon", regions).error().message(), HasSubstr("neither none, lan or wan"));
  EXPECT_FALSE(parse_peer_regions({"127.0.0.1:1"}));
  EXPECT_EQ(parse_peer_regions({"127.0.0.1:1=a"})->front().region, "a");
}

}  // namespace
}  // namespace meridian::server
