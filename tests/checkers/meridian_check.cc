// meridian-check: judges a recorded history. Exit codes: 0 it holds, 1 it does not (or no verdict in time), 2 usage.
#include <cstdio>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>

#include "tests/checkers/history.h"
#include "tests/checkers/history_edn.h"
#include "tests/checkers/linearizability.h"
#include "tests/checkers/versions.h"

namespace {

constexpr int kHolds = 0, kViolated = 1, kUsage = 2;

using namespace meridian::check;

int report(const char* what, const Finding& finding) {
  if (finding.ok()) return kHolds;
  std::printf("%s: %s\n%s\n", what, finding.verdict == Verdict::kTimeout ? "NO VERDICT" : "VIOLATED",
              finding.explanation.c_str());
  return kViolated;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Judges a history of operations (JSON lines, docs/testing.md): linearizability of every key, and "
      "whether versions and timestamps agree with it.");
  std::string path, edn, key;
  std::uint64_t max_steps = 20'000'000;
  app.add_option("history", path, "The file; - reads standard input")->required();
  app.add_option("--max-steps", max_steps, "Give up on a key after that many steps of the search");
  app.add_option("--to-edn", edn, "Only write the history as EDN to this file");
  app.add_option("--key", key, "With --to-edn: only the register of this key, as Knossos reads it")->needs("--to-edn");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kHolds : kUsage;
  }
  History history;
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) {
      std::fprintf(stderr, "cannot open %s\n", path.c_str());
      return kUsage;
    }
  }
  if (auto error = read_history(path == "-" ? std::cin : file, &history)) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), error->c_str());
    return kUsage;
  }
  if (!edn.empty()) {
    std::ofstream out(edn);
    write_edn(key.empty() ? history : project_register(history, key), out);
    return out.good() ? kHolds : kUsage;
  }
  std::vector<Operation> operations;
  if (auto error = pair_operations(history, &operations)) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), error->c_str());
    return kUsage;
  }
  int code = report("linearizability", check_linearizable(operations, max_steps));
  code = std::max(code, report("versions", check_versions(operations)));
  if (code == kHolds) std::printf("%zu operations: linearizable, versions agree\n", operations.size());
  return code;
}
