// One client of a cluster under test: does operations whose values are unique, and records them in the history's
// format (docs/testing.md). Operations are started by the main thread and go on, as coroutines, on the
// SDK's thread; what both touch is under mutex_, which is never held while the SDK is called.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <meridian/client.h>

#include "tests/checkers/history.h"

namespace meridian::process_test {

struct WriterOptions {
  std::string proxies;
  std::string history;
  std::string name = "a";  // part of every key: writers of one cluster differ in it
  double seconds = 10;
  std::size_t workers = 16;  // operations open at once
  double rate = 0;           // operations begun each second while a worker is free; 0: as many as go
  std::string mix = "all";   // all, or puts
  int keys = 12;             // shared keys, new ones every few seconds
  std::size_t value_bytes = 100;
  int timeout_ms = 10'000;
  std::uint64_t seed = 1;
};

class Writer {
 public:
  // first_index, first_process: where an earlier part of the same history ended.
  Writer(sdk::Client client, WriterOptions options, std::uint64_t first_index, std::uint64_t first_process);

  // Until the time is up or stop is set; then waits for what is open.
  void run(const volatile bool& stop);
  // Reads keys, each once; `judge` sees each answer and says what is wrong with it (empty: nothing).
  using Judge = std::function<std::string(const std::string& key, const check::Value& value)>;
  std::vector<std::string> read_all(const std::vector<std::string>& keys, const Judge& judge);

  // One JSON object: counts, errors, what no checker could say, and when each acknowledged write
  // was called and answered (CLOCK_MONOTONIC, microseconds).
  std::string summary() const;
  bool violated() const { return !violations_.empty(); }

 private:
  using Options = sdk::CallOptions;

  void start_one();
  sdk::Task<void> read(std::uint64_t process, std::string key, bool linearizable, const Judge* judge);
  sdk::Task<void> scan(std::uint64_t process, std::string prefix, bool linearizable);
  sdk::Task<void> write(std::uint64_t process, check::Event event,
                        std::function<sdk::Future<sdk::WriteResult>(Options)> send);
  sdk::Task<void> compare(std::uint64_t process, check::Event event);
  sdk::Task<void> batch(std::uint64_t process, std::string generation);
  template <class Answer>
  sdk::Task<void> mutate(std::uint64_t process, check::Event event, std::function<sdk::Future<Answer>(Options)> send);

  void invoke(std::uint64_t process, check::Event& event);
  void complete(std::uint64_t process, check::Event event);
  void fail(std::uint64_t process, check::Event event, const sdk::Error& error, bool unknown);
  void violate(std::string what);
  bool chance(double p);

  // Under mutex_.
  std::string new_value(std::uint64_t process);
  std::string draw_key();
  std::string generation() const;
  std::string unpad(std::string stored);
  static std::string pad(const std::string& name);
  void record(check::Event& event);

  sdk::Client client_;
  const WriterOptions options_;
  const std::int64_t started_us_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::ofstream out_;
  std::mt19937_64 random_;
  std::vector<std::uint64_t> idle_;  // processes
  std::size_t open_ = 0;
  std::uint64_t next_index_;
  std::uint64_t next_process_;
  std::uint64_t next_value_ = 0;
  std::map<std::string, check::Value> known_;  // of shared keys, what was last seen
  std::vector<std::string> acknowledged_;      // unique keys
  std::map<std::string, std::uint64_t> counts_, errors_;
  std::vector<std::string> violations_;
  std::vector<std::pair<std::int64_t, std::int64_t>> acks_;
};

}  // namespace meridian::process_test
