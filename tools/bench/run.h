// What the coroutines of one load share. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <meridian/client.h>

#include "tools/bench/load.h"
#include "tools/bench/recorder.h"
#include "tools/bench/request_source.h"
#include "tools/bench/timer.h"
#include "tools/bench/values.h"

namespace meridian::bench {

// How many coroutines are at work.
class Running {
 public:
  void begin();
  void end();
  std::uint64_t count() const;
  void wait_for_all();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t count_ = 0;
};

struct Run {
  // Costs O(keys) for the latest ones, hence not under the clock.
  Run(const LoadOptions& load, Timer& its_timer)
      : options(load),
        timer(its_timer),
        zipf(zipf_table_for(load.workload.distribution, load.keys)),
        inserts(std::make_shared<InsertSequence>(load.keys)),
        values(load.value_bytes) {}
  // Once, before the first request.
  void start(TimePoint now) {
    begin = now;
    const TimePoint measure_from = now + options.warmup;
    end = measure_from + options.duration;
    recorder.emplace(measure_from);
  }
  RequestSource source(std::uint64_t seed) const {
    return RequestSource(options.workload, options.keys, zipf, inserts, seed);
  }

  const LoadOptions options;
  Timer& timer;  // outlives every coroutine: run_load waits for them
  const ZipfTable zipf;
  const std::shared_ptr<InsertSequence> inserts;
  Values values;
  TimePoint begin;
  TimePoint end;
  std::optional<Recorder> recorder;
  Running running;
};

struct Executed {
  std::optional<sdk::Error> error;
  bool not_found = false;
  std::uint64_t retries = 0;

  Outcome outcome() const { return {.error = error ? &*error : nullptr, .not_found = not_found, .retries = retries}; }
};

// Makes one request and waits for its answer.
sdk::Task<Executed> execute(sdk::Client client, std::shared_ptr<Run> run, Request request);

// Start the load; they return when nothing more will be sent (run_open) or at once (run_closed).
void run_closed(const std::vector<sdk::Client>& connections, const std::shared_ptr<Run>& run);
void run_open(const std::vector<sdk::Client>& connections, const std::shared_ptr<Run>& run);

}  // namespace meridian::bench
