// Runs every tests/raft/testdata/*.txt; with --rewrite it writes what came out back into them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/raft/script.h"

namespace meridian::raft::testing {
namespace {

bool g_rewrite = false;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Comments and empty lines are kept; a block is commands, "----", and lines up to the next empty one.
std::string expand(const std::string& text) {
  Script script;
  std::istringstream in(text);
  std::string out, line, printed;
  bool expected = false;
  while (std::getline(in, line)) {
    if (expected) {
      if (!line.empty()) continue;
      expected = false;
    }
    out += line + "\n";
    if (line == "----") {
      out += printed.empty() ? "ok\n" : printed;
      printed.clear();
      expected = true;
    } else if (!line.empty() && line[0] != '#') {
      printed += script.run(line);
    }
  }
  return out;
}

class ScriptTest : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(ScriptTest, TellsTheSameStory) {
  const std::string before = read(GetParam());
  const std::string after = expand(before);
  if (g_rewrite) {
    std::ofstream(GetParam()) << after;
  } else {
    EXPECT_EQ(before, after) << GetParam() << ": run raft_script_test --rewrite and review the difference";
  }
}

std::vector<std::filesystem::path> scripts() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator("tests/raft/testdata")) {
    if (entry.path().extension() == ".txt") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

INSTANTIATE_TEST_SUITE_P(Raft, ScriptTest, ::testing::ValuesIn(scripts()),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace meridian::raft::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--rewrite") meridian::raft::testing::g_rewrite = true;
  }
  return RUN_ALL_TESTS();
}
