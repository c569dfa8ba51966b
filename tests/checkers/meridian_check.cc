// meridian-check: judges a recorded history. Exit codes: 0 it holds, 1 it does not (or no verdict in time), 2 usage.
#include <cstdio>
#include <fstream>
#include <iostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tests/checkers/checkers.h"
#include "tests/checkers/drawing.h"
#include "tests/checkers/history_edn.h"
#include "tests/checkers/shrink.h"

namespace {

namespace json = boost::json;
using namespace meridian::check;

constexpr int kHolds = 0, kViolated = 1, kUsage = 2;

struct Options {
  std::string path, checker = "auto", output = "text", edn, key, html;
  std::uint64_t max_steps = kMaxSteps;
  bool shrink = true;
};

struct Result {
  const Checker* checker;
  Finding finding;  // of the whole
  Shrunk part;      // that still fails, if it does
};

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "holds";
    case Verdict::kViolation: return "violated";
    case Verdict::kTimeout: return "no verdict";
  }
  return "";
}

Result judge_by(const Checker& checker, const std::vector<Operation>& operations, const Options& options) {
  Result result{&checker, checker.check(operations, options.max_steps)};
  if (result.finding.verdict != Verdict::kViolation) return result;
  result.part = options.shrink ? shrink(checker, operations, result.finding) : Shrunk{operations, result.finding};
  return result;
}

void print_text(const std::vector<Result>& results, std::size_t operations) {
  std::string held;
  for (const Result& r : results) {
    if (r.finding.ok()) {
      held += (held.empty() ? "" : ", ") + std::string(r.checker->name);
      continue;
    }
    fmt::print("{}: {}{}\n{}\n", r.checker->name, r.finding.verdict == Verdict::kTimeout ? "NO VERDICT" : "VIOLATED",
               r.finding.anomaly.empty() ? "" : " (" + r.finding.anomaly + ")", r.finding.explanation);
    const std::size_t left = r.part.operations.size();
    if (left == 0 || left == operations) continue;
    fmt::print("{} of the {} operations suffice:\n", left, operations);
    for (const Operation& o : r.part.operations) fmt::print("  {}\n", describe(o));
    if (r.part.finding.explanation != r.finding.explanation) {
      fmt::print("Of these alone:\n{}\n", r.part.finding.explanation);
    }
  }
  if (results.empty()) fmt::print("{} operations, and nothing to judge\n", operations);
  if (!held.empty()) fmt::print("{} operations hold: {}\n", operations, held);
}

json::array to_json(const std::vector<Operation>& operations) {
  json::array array;
  for (const Operation& o : operations) {
    array.push_back({{"invoke", json::parse(meridian::check::to_json(o.invoke))},
                     {"complete", json::parse(meridian::check::to_json(o.complete))}});
  }
  return array;
}

void print_json(const std::vector<Result>& results, std::size_t operations, bool holds) {
  json::array checkers;
  for (const Result& r : results) {
    json::object o{{"checker", r.checker->name}, {"verdict", verdict_name(r.finding.verdict)}};
    if (!r.finding.ok()) {
      o["anomaly"] = r.finding.anomaly;
      o["explanation"] = r.finding.explanation;
      o["operations"] = json::value_from(r.finding.operations);
      json::array cycle;
      for (const Reason& reason : r.finding.cycle) {
        cycle.push_back({{"from", reason.from}, {"to", reason.to}, {"kind", reason.kind}, {"why", reason.why}});
      }
      o["cycle"] = std::move(cycle);
      o["failing"] = to_json(r.part.operations);
    }
    checkers.push_back(std::move(o));
  }
  std::cout << json::serialize(
                   json::object{{"holds", holds}, {"operations", operations}, {"checkers", std::move(checkers)}})
            << '\n';
}

bool read_file(const std::string& path, History* history) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) {
      fmt::print(stderr, "cannot open {}\n", path);
      return false;
    }
  }
  if (auto error = read_history(path == "-" ? std::cin : file, history)) {
    fmt::print(stderr, "{}: {}\n", path, *error);
    return false;
  }
  return true;
}

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text << std::flush;
  if (!out.good()) fmt::print(stderr, "cannot write {}\n", path);
  return out.good();
}

int run(const Options& options) {
  History history;
  if (!read_file(options.path, &history)) return kUsage;
  if (!options.edn.empty()) {
    std::ofstream out(options.edn);
    write_edn(options.key.empty() ? history : project_register(history, options.key), out);
    return out.good() ? kHolds : kUsage;
  }
  std::vector<Operation> operations;
  if (auto error = pair_operations(history, &operations)) {
    fmt::print(stderr, "{}: {}\n", options.path, *error);
    return kUsage;
  }
  std::vector<Result> results;
  for (const Checker& checker : checkers()) {
    const bool wanted = options.checker == "auto" ? checker.applies(operations) : options.checker == checker.name;
    if (wanted) results.push_back(judge_by(checker, operations, options));
  }
  const auto bad = std::find_if(results.begin(), results.end(), [](const Result& r) { return !r.finding.ok(); });
  const bool holds = bad == results.end();
  if (options.output == "json") {
    print_json(results, operations.size(), holds);
  } else {
    print_text(results, operations.size());
  }
  if (!options.html.empty()) {
    const std::string title =
        holds ? options.path + " holds" : fmt::format("{}: {}", options.path, bad->finding.anomaly);
    const bool part = !holds && !bad->part.operations.empty();
    const Finding none;
    const std::string page = part ? draw(title, bad->part.operations, bad->part.finding)
                                  : draw(title, operations, holds ? none : bad->finding);
    if (!write_file(options.html, page)) return kUsage;
  }
  return holds ? kHolds : kViolated;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Judges a history of operations (JSON lines, docs/testing.md) and shows a small part of it that fails.");
  app.add_option("history", options.path, "The file; - reads standard input")->required();
  std::vector<std::string> names = {"auto"};
  std::string help = "auto: whatever the history has something for. Or one of:";
  for (const Checker& checker : checkers()) {
    names.emplace_back(checker.name);
    help += fmt::format("\n{}: {}", checker.name, checker.question);
  }
  app.add_option("--checker", options.checker, help)->check(CLI::IsMember(names));
  app.add_option("-o,--output", options.output, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.add_option("--html", options.html, "Draw the part that fails (or all of it) as a page");
  app.add_option("--max-steps", options.max_steps, "Give up a search after that many steps");
  app.add_flag("!--no-shrink", options.shrink, "Do not look for a small part that fails");
  auto* edn =
      app.add_option("--to-edn", options.edn, "Only write the history, as Jepsen's checkers read it, to this file");
  app.add_option("--key", options.key, "With --to-edn: only the register of this key, as Knossos reads it")->needs(edn);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kHolds : kUsage;
  }
  return run(options);
}
