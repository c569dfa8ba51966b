// meridian-writer: load and judge of the real-process tests.
//   run      does operations, appends them to a history, prints a summary as JSON when its time is up or on SIGTERM
//   verify   reads back every key that a history wrote, appends the reads to it, and says what is lost
// Exit codes: 0 fine, 1 something is wrong with the data, 2 usage, 3 no cluster.
#include <csignal>
#include <cstdio>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tests/process/writer.h"

namespace {

using namespace meridian::process_test;
namespace check = meridian::check;

constexpr int kFine = 0, kWrong = 1, kUsage = 2, kNoCluster = 3;

volatile bool stop = false;

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream in(list);
  for (std::string item; std::getline(in, item, ',');) out.push_back(item);
  return out;
}

int finish(const Writer& writer) {
  fmt::print("{}\n", writer.summary());
  return writer.violated() ? kWrong : kFine;
}

int verify(meridian::sdk::Client client, WriterOptions options) {
  check::History history;
  std::ifstream in(options.history);
  if (auto error = check::read_history(in, &history)) {
    fmt::print(stderr, "{}: {}\n", options.history, *error);
    return kUsage;
  }
  std::uint64_t last_process = 0;
  std::set<std::string> keys;
  // Keys of one write each: what was acknowledged must be there, what failed must not.
  std::map<std::string, check::Event> unique;
  for (const check::Event& event : history.events) {
    last_process = std::max(last_process, event.process);
    for (const auto& [key, value] : event.values) {
      if (event.f == check::Function::kBatch) keys.insert(key);
    }
    if (event.f != check::Function::kWrite && event.f != check::Function::kCas && event.f != check::Function::kRemove)
      continue;
    keys.insert(event.key);
    if (event.key.starts_with("u/")) unique[event.key] = event;
  }
  const Writer::Judge judge = [&unique](const std::string& key, const check::Value& value) -> std::string {
    const auto it = unique.find(key);
    if (it == unique.end()) return "";  // of several writers: the checker's
    const check::Event& written = it->second;
    if (written.type == check::EventType::kOk && value != written.value) {
      return fmt::format("LOST: {} = {} was acknowledged; {} is there", key, *written.value, check::describe(value));
    }
    if (written.type == check::EventType::kFail && value) return fmt::format("{} failed and is there", key);
    return "";
  };
  Writer writer(std::move(client), options, history.events.size(), last_process + 1);
  writer.read_all(std::vector<std::string>(keys.begin(), keys.end()), judge);
  return finish(writer);
}

}  // namespace

int main(int argc, char** argv) {
  WriterOptions options;
  CLI::App app("Load and judge of the real-process tests.", "meridian-writer");
  app.require_subcommand(1);
  CLI::App* run = app.add_subcommand("run", "Do operations and record them");
  CLI::App* check = app.add_subcommand("verify", "Read back what a history wrote");
  for (CLI::App* sub : {run, check}) {
    sub->add_option("--proxy", options.proxies, "HOST:PORT,...")->required();
    sub->add_option("--history", options.history, "The file; appended to")->required();
    sub->add_option("--workers", options.workers, "Operations open at once")->capture_default_str();
    sub->add_option("--timeout-ms", options.timeout_ms, "Of each call")->capture_default_str();
  }
  run->add_option("--name", options.name, "Part of every key")->capture_default_str();
  run->add_option("--value-bytes", options.value_bytes)->capture_default_str();
  run->add_option("--seconds", options.seconds)->capture_default_str();
  run->add_option("--rate", options.rate, "Operations begun each second; 0: as many as go")->capture_default_str();
  run->add_option("--mix", options.mix)->check(CLI::IsMember({"all", "puts"}))->capture_default_str();
  run->add_option("--keys", options.keys, "Shared keys at a time")->capture_default_str();
  run->add_option("--seed", options.seed)->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kFine : kUsage;
  }
  const auto stopped = [](int) { stop = true; };
  std::signal(SIGTERM, stopped);
  std::signal(SIGINT, stopped);

  auto client = meridian::sdk::Client::connect(meridian::sdk::ConnectOptions(split(options.proxies))
                                                   .timeout(std::chrono::milliseconds(options.timeout_ms))
                                                   .connect_timeout(std::chrono::milliseconds(20'000)));
  if (!client) {
    fmt::print(stderr, "{}\n", client.error().to_string());
    return kNoCluster;
  }
  if (check->parsed()) return verify(*client, options);
  Writer writer(*client, options, 0, 0);
  writer.run(stop);
  return finish(writer);
}
