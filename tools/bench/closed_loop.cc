#include <algorithm>
#include <chrono>
#include <utility>

#include "tools/bench/run.h"

namespace meridian::bench {

namespace {

using Clock = std::chrono::steady_clock;

// Those of one connection run on its thread, after an error on the timer's.
sdk::Task<void> client_of_closed_loop(sdk::Client connection, std::shared_ptr<Run> run, RequestSource source) {
  for (auto began = Clock::now(); began < run->end; began = Clock::now()) {
    const Request request = source.next();
    const Executed executed = co_await execute(connection, run, request);
    const auto ended = Clock::now();
    run->recorder->ended(request.kind, began, ended, executed.outcome());
    // Without, refused clients would ask the more, the less the cluster can take.
    if (executed.error) co_await run->timer.until(std::min(run->end, ended + wait_after(*executed.error)));
  }
  run->running.end();
}

}  // namespace

void run_closed(const std::vector<sdk::Client>& connections, const std::shared_ptr<Run>& run) {
  for (std::uint64_t i = 0; i < run->options.clients; ++i) run->running.begin();
  for (std::uint64_t i = 0; i < run->options.clients; ++i) {
    client_of_closed_loop(connections[i % connections.size()], run, run->source(i + 1)).detach();
  }
}

}  // namespace meridian::bench
