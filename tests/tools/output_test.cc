// Tables, the JSON of statuses and bytes, and the progress bar.

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "tools/ctl/commands.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/table.h"

namespace meridian::ctl {
namespace {

using std::chrono::milliseconds;

TEST(Table, AlignsByCharactersAndNumbersToTheRight) {
  Table table({"KEY", "N"});
  table.add({"ä", "1"});
  table.add({"long key", "1000"});
  EXPECT_EQ(table.render(),
            "KEY          N\n"
            "ä            1\n"
            "long key  1000\n");
}

TEST(Table, LeavesNoSpacesAtTheEndsOfLines) {
  Table table({"A", "B"});
  table.add({"x", ""});
  table.add({"y", "text"});
  EXPECT_EQ(table.render(), "A  B\nx\ny  text\n");
}

TEST(Table, PagesOfOneListingLineUp) {
  Table first({"KEY", "VALUE"});
  first.add({"quite long", "x"});
  Table second({"KEY", "VALUE"});
  second.widen(first.widths());
  second.add({"b", "y"});
  EXPECT_EQ(second.render(false), "b           y\n");
}

TEST(Table, Fields) { EXPECT_EQ(render_fields({{"a", "1"}, {"long", "2"}}), "a     1\nlong  2\n"); }

TEST(Json, BytesThatAreNoTextCarryAMarker) {
  boost::json::object object;
  put_bytes(object, "value", "Zürich\n");
  put_bytes(object, "key", "\xff");
  EXPECT_EQ(boost::json::serialize(object), R"({"value":"Zürich\n","key_base64":"/w=="})");
}

sdk::ClusterStatus make_status() {
  sdk::ClusterStatus status;
  status.cluster_id = 0xabc;
  status.leader_node_id = 1;
  status.keyspaces = {"default"};
  sdk::NodeStatus leader;
  leader.id = 1;
  leader.address = "127.0.0.1:7401";
  leader.region = "us-east";
  leader.state = sdk::NodeState::kActive;
  leader.reachable = true;
  leader.role = sdk::Role::kLeader;
  leader.closed_timestamp = UINT64_MAX;
  sdk::NodeStatus silent;
  silent.id = 2;
  silent.address = "127.0.0.1:7402";
  silent.region = "eu\x1b[2Jwest";  // nobody's data may command the terminal
  status.nodes = {leader, silent};
  sdk::OperationStatus operation;
  operation.id = 7;
  operation.kind = "add node";
  operation.progress = "copying";
  status.operations = {operation};
  status.problems = {"node 2 does not answer"};
  return status;
}

TEST(Status, TableShowsHealthNodesOperationsAndProblems) {
  const std::string text = render_status(make_status());
  for (const char* part : {"0000000000000abc", "UNHEALTHY", "node 1", "does not answer", "add node", "running",
                           "copying", "problems", "eu\\x1b[2Jwest"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Status, JsonIsWholeAndExact) {
  const auto parsed = boost::json::parse(boost::json::serialize(status_json(make_status())));
  EXPECT_EQ(parsed.at("cluster_id").as_string(), "0000000000000abc");
  EXPECT_FALSE(parsed.at("healthy").as_bool());
  EXPECT_EQ(parsed.at("nodes").at(0).at("closed_timestamp").as_string(), "18446744073709551615");
  EXPECT_EQ(parsed.at("operations").at(0).at("id").as_int64(), 7);
  EXPECT_EQ(parsed.at("problems").as_array().size(), 1u);
}

TEST(Status, SaysHowAClusterIsFormed) {
  sdk::ClusterStatus none;
  none.problems = {"the cluster has not been initialised; run `meridianctl cluster init`"};
  EXPECT_NE(render_status(none).find("answers, but is empty"), std::string::npos);
  EXPECT_NE(render_status(none).find("cluster init"), std::string::npos);
  EXPECT_TRUE(status_json(none).at("cluster_id").is_null());
}

// Silent nodes may be a cluster: a second one formed beside it would take its clients.
TEST(Status, AdvisesNoSecondCluster) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"no node answers; asked 127.0.0.1:7401"},
      {"the nodes that answer belong to no cluster; no answer comes from 127.0.0.1:7401",
       "127.0.0.1:7401 does not answer"},
      {"the cluster has not been initialised; run `x`", "127.0.0.1:7401 does not answer"}};
  for (const auto& problems : cases) {
    sdk::ClusterStatus none;
    none.problems = problems;
    const std::string text = render_status(none);
    EXPECT_EQ(text.find("cluster init"), std::string::npos) << text;
    for (const std::string& problem : problems) EXPECT_NE(text.find(problem), std::string::npos) << text;
  }
}

TEST(Status, TellsAnEmptyNodeFromASilentOne) {
  sdk::ClusterStatus status = make_status();
  status.nodes.back().reachable = false;
  status.nodes.back().trouble = "answers, but is empty";
  const std::string text = render_nodes(status);
  EXPECT_NE(text.find("answers, but is empty"), std::string::npos) << text;
}

class ProgressTest : public testing::Test {
 protected:
  Progress make(bool terminal, std::uint64_t total, bool quiet = false) {
    return Progress({.what = "import",
                     .terminal = terminal,
                     .quiet = quiet,
                     .total = total,
                     .write = [this](const std::string& text) { written_ += text; }},
                    start_);
  }
  Progress::Time start_{};
  std::string written_;
};

TEST_F(ProgressTest, DrawsOneLineOverAndOverOnATerminal) {
  Progress progress = make(true, 1000);
  progress.update(0, 0, start_ + milliseconds(50));
  EXPECT_EQ(written_, "");
  progress.update(500, 10, start_ + milliseconds(1000));
  EXPECT_EQ(written_,
            "\r\x1b[Kimport  [############------------]  50 %  500 B of 1000 B  10 records  10/s  1.0 s left");
  progress.update(501, 10, start_ + milliseconds(1050));  // too soon
  written_.clear();
  progress.say("line 3 is bad");
  EXPECT_EQ(written_, "\r\x1b[Kline 3 is bad\n");
  progress.finish(1000, 20, start_ + milliseconds(2000));
  EXPECT_TRUE(written_.ends_with("100 %  1000 B of 1000 B  20 records  10/s\n")) << written_;
}

TEST_F(ProgressTest, WritesPlainLinesElsewhere) {
  Progress progress = make(false, 0);
  progress.update(10, 1, start_ + milliseconds(9'000));
  EXPECT_EQ(written_, "");
  progress.update(2048, 1'234'567, start_ + milliseconds(10'000));
  EXPECT_EQ(written_, "import  2.0 KiB  1,234,567 records  123,456/s\n");
  EXPECT_EQ(written_.find('\r'), std::string::npos);
}

TEST_F(ProgressTest, QuietSaysOnlyWhatIsSaid) {
  Progress progress = make(true, 10, true);
  progress.update(5, 5, start_ + milliseconds(10'000));
  progress.say("line 3 is bad");
  progress.finish(10, 10, start_ + milliseconds(20'000));
  EXPECT_EQ(written_, "line 3 is bad\n");
}

}  // namespace
}  // namespace meridian::ctl
