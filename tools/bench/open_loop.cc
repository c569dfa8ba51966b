#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "tools/bench/arrivals.h"
#include "tools/bench/run.h"

namespace meridian::bench {

namespace {

using Clock = std::chrono::steady_clock;

// At high rates several arrivals are sent per wake-up: their latencies grow by half of this, and the servers on this
// machine keep the processor that waking up, and waking the SDK's thread, for each of them would cost.
std::chrono::microseconds least_sleep(double per_second) {
  constexpr double kHigh = 20'000;
  return std::chrono::microseconds(per_second < kHigh ? 500 : 2'000);
}

sdk::Task<void> request_of_open_loop(sdk::Client connection, std::shared_ptr<Run> run, Request request,
                                     TimePoint intended) {
  const Executed executed = co_await execute(std::move(connection), run, request);
  run->recorder->ended(request.kind, intended, Clock::now(), executed.outcome());
  run->running.end();
}

}  // namespace

void run_open(const std::vector<sdk::Client>& connections, const std::shared_ptr<Run>& run) {
  const OpenLoop& open = *run->options.open_loop;
  OpenLoopCore core(ArrivalSchedule(open.arrivals, open.per_second, run->begin, 1), run->end, open.max_in_flight);
  RequestSource source = run->source(1);
  const auto least = least_sleep(open.per_second);
  std::uint64_t sent = 0;
  while (true) {
    const auto now = Clock::now();
    const OpenLoopCore::Due due = core.advance(now, run->running.count());
    for (const TimePoint intended : due.dropped) run->recorder->dropped(intended, now);
    for (const TimePoint intended : due.send) {
      run->running.begin();
      run->recorder->sent(intended, Clock::now());
      request_of_open_loop(connections[sent++ % connections.size()], run, source.next(), intended).detach();
    }
    if (!due.next) return;
    std::this_thread::sleep_until(std::max(*due.next, now + least));
  }
}

}  // namespace meridian::bench
