// The command line: what it takes, refuses, and completes.

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "tools/ctl/app.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/completion.h"

namespace meridian::ctl {
namespace {

using testing::Contains;
using testing::HasSubstr;

// The exit code of the parser; 0 where it took the line and chose an action.
int parse(std::vector<std::string> words, Context& context) {
  std::vector<const char*> argv = {"meridianctl"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  auto app = make_app(context);
  try {
    app->parse(static_cast<int>(argv.size()), argv.data());
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? -1 : kExitUsage;
  }
  return context.action ? 0 : -2;
}
int parse(std::vector<std::string> words) {
  Context context;
  return parse(std::move(words), context);
}

TEST(CommandLine, TakesGlobalOptionsBeforeAndBehindTheCommand) {
  Context context;
  EXPECT_EQ(parse({"--timeout", "3s", "get", "k", "-o", "json", "--proxy", "a:1,b:2"}, context), 0);
  EXPECT_TRUE(context.json());
  EXPECT_EQ(context.timeout_ms(), std::chrono::seconds(3));
  EXPECT_EQ(context.proxies, "a:1,b:2");
}

TEST(CommandLine, TakesTheProxyFromTheEnvironment) {
  ::setenv("MERIDIAN_PROXY", "far:7400", 1);
  Context context;
  EXPECT_EQ(parse({"status"}, context), 0);
  EXPECT_EQ(context.proxies, "far:7400");
  EXPECT_EQ(parse({"status", "--proxy", "near:7400"}, context), 0);
  EXPECT_EQ(context.proxies, "near:7400");
  ::unsetenv("MERIDIAN_PROXY");
}

TEST(CommandLine, KeysMayBeCalledLikeCommands) {
  EXPECT_EQ(parse({"get", "status"}), 0);
  EXPECT_EQ(parse({"put", "get", "put"}), 0);
  EXPECT_EQ(parse({"put", "--", "-k", "-v"}), 0);
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"gte", "k"},
      {"get"},
      {"get", "a", "b"},
      {"get", "k", "--at", "yesterday"},
      {"get", "k", "-o", "yaml"},
      {"get", "k", "--timeout", "fast"},
      {"get", "k", "--proxy", "nowhere"},
      {"get", "k", "--proxy", "host:99999"},
      {"cluster"},
      {"cluster", "init"},
      {"node", "remove", "first"},
      {"import", "f"},
      {"import", "f", "--format", "csv", "--key", "k", "--batch", "0"}};
  for (const auto& words : wrong) EXPECT_EQ(parse(words), kExitUsage) << testing::PrintToString(words);
}

TEST(CommandLine, NumbersAreDecimalAndInRangeOrRefusedWithTheRange) {
  const std::vector<std::vector<std::string>> wrong = {
      {"node", "remove", "010"},
      {"node", "transfer-leader", "0x1"},
      {"node", "replace", "1e1", "r=h:1"},
      {"scan", "--limit=-1"},
      {"scan", "--limit", "-1"},
      {"scan", "--limit", "99999999999999999999"},
      {"cas", "k", "v", "--expect-version=-1"},
      {"get", "k", "--at", "0x10"},
      {"scan", "--at", "010"},
      {"export", "--format", "csv", "--at", "-1"},
      {"import", "f", "--format", "csv", "--key", "k", "--batch", "10001"},
      {"import", "f", "--format", "csv", "--key", "k", "--parallel", "08"}};
  for (const auto& words : wrong) {
    Context context;
    std::vector<const char*> argv = {"meridianctl"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    std::string message;
    try {
      make_app(context)->parse(static_cast<int>(argv.size()), argv.data());
    } catch (const CLI::ParseError& error) {
      message = error.what();
    }
    EXPECT_THAT(message, HasSubstr("a whole number from")) << testing::PrintToString(words);
  }
  for (const auto& words : std::vector<std::vector<std::string>>{{"scan", "--limit", "0"},
                                                                 {"scan", "--limit=18446744073709551615"},
                                                                 {"get", "k", "--at", "0"},
                                                                 {"get", "k", "--at", "2025-11-24T16:00:00.123456Z"},
                                                                 {"node", "remove", "10"}}) {
    EXPECT_EQ(parse(words), 0) << testing::PrintToString(words);
  }
}

TEST(CommandLine, HelpNamesArgumentsOnce) {
  Context context;
  const auto app = make_app(context);
  const auto help = [&](const char* command) { return app->get_subcommand(command)->help(); };
  for (const char* command : {"get", "put", "scan", "import", "export", "completion", "node", "cas"}) {
    EXPECT_THAT(help(command), testing::Not(HasSubstr("TEXT"))) << command;
    EXPECT_THAT(help(command), testing::Not(HasSubstr("UINT"))) << command;
  }
  EXPECT_THAT(help("get"), HasSubstr("KEY REQUIRED"));
  EXPECT_THAT(help("import"), HasSubstr("FILE REQUIRED"));
  EXPECT_THAT(help("import"), HasSubstr("--batch COUNT=200"));
}

TEST(CommandLine, NodesAreRegionAndAddress) {
  EXPECT_EQ(parse_node("us-east=10.0.0.1:7401"), std::pair(std::string("us-east"), std::string("10.0.0.1:7401")));
  EXPECT_EQ(parse_node("eu=[::1]:7401"), std::pair(std::string("eu"), std::string("[::1]:7401")));
  for (const char* bad : {"", "10.0.0.1:7401", "=h:1", "r=:1", "r=h", "r=h:", "r=h:port"})
    EXPECT_FALSE(parse_node(bad)) << bad;
}

TEST(Errors, HaveExitCodesAndSayWhatToDo) {
  Context context;
  using enum sdk::ErrorCode;
  EXPECT_EQ(exit_code(kInvalidArgument), kExitUsage);
  EXPECT_EQ(exit_code(kUnavailable), kExitUnhealthy);
  EXPECT_EQ(exit_code(kNotFound), kExitUnhealthy);
  EXPECT_EQ(exit_code(kUnknownOutcome), kExitStillRunning);
  EXPECT_EQ(exit_code(kDeadlineExceeded), kExitFailed);
  EXPECT_THAT(advice(sdk::Error(kUnavailable, ""), context), HasSubstr("127.0.0.1:7400"));
  EXPECT_THAT(advice(sdk::Error(kUnknownOutcome, ""), context), HasSubstr("--request-id"));
}

class Completion : public testing::Test {
 protected:
  Completion() : app_(make_app(context_)), shape_(describe_commands(*app_)) {}
  const CommandShape& command(const CommandShape& in, const std::string& path) {
    for (const CommandShape& each : in.commands) {
      if (each.path == path) return each;
      if (path.starts_with(each.path + " ")) return command(each, path);
    }
    ADD_FAILURE() << "no " << path;
    return in;
  }
  // What bash offers for the last of these words.
  std::string offered(const std::string& words, int count) {
    const std::string script = testing::TempDir() + "completion." + std::to_string(::getpid());
    std::ofstream(script) << bash_completion(shape_) << "COMP_WORDS=(" << words << "); COMP_CWORD=" << count - 1
                          << "; _meridianctl; echo \"${COMPREPLY[*]}\"\n";
    std::FILE* out = ::popen(("bash --norc " + script + " 2>&1").c_str(), "r");
    std::string text(4096, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), out));
    EXPECT_EQ(::pclose(out), 0);
    ::unlink(script.c_str());
    return text;
  }
  Context context_;
  std::shared_ptr<CLI::App> app_;
  CommandShape shape_;
};

TEST_F(Completion, KnowsEveryCommandAndItsChoices) {
  const CommandShape& add = command(shape_, "meridianctl node add");
  bool wait = false;
  for (const auto& option : add.options) {
    wait |= option.names == std::vector<std::string>{"--wait"} && !option.takes_value;
    if (option.names.back() == "--output") EXPECT_THAT(option.choices, testing::ElementsAre("table", "json"));
  }
  EXPECT_TRUE(wait);
  EXPECT_TRUE(command(shape_, "meridianctl import").file_argument);
  EXPECT_THAT(command(shape_, "meridianctl completion").choices, testing::ElementsAre("bash", "zsh", "fish"));
}

TEST_F(Completion, BashOffersWhatFits) {
  EXPECT_EQ(offered("meridianctl sta", 2), "status\n");
  EXPECT_EQ(offered("meridianctl node tr", 3), "transfer-leader\n");
  EXPECT_EQ(offered("meridianctl --proxy status node li", 5), "list\n");  // the proxy is no command
  EXPECT_EQ(offered("meridianctl get k -o j", 5), "json\n");
  EXPECT_EQ(offered("meridianctl import --skip", 3), "--skip-bad\n");
  EXPECT_EQ(offered("meridianctl import f --format ''", 5), "csv tsv jsonl\n");
  EXPECT_EQ(offered("meridianctl completion z", 3), "zsh\n");
}

TEST_F(Completion, ZshAndFishNameEveryCommand) {
  for (const std::string& script : {zsh_completion(shape_), fish_completion(shape_)}) {
    for (const char* word : {"transfer-leader", "import", "export", "cluster", "skip-bad", "keyspace"}) {
      EXPECT_THAT(script, HasSubstr(word));
    }
  }
}

}  // namespace
}  // namespace meridian::ctl
