#include "tools/bench/load.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include <fmt/format.h>

namespace meridian::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kPreloadBatch = 200;
constexpr std::size_t kPreloadInFlight = 16;

// What the workers of one connection count. The first requests are sent from the main thread and may be
// answered there, hence the lock; it is free otherwise.
struct Counts {
  std::mutex mutex;
  Histogram latency_ns;
  std::uint64_t errors = 0;
  std::string first_error;
};

struct Shared {
  LoadOptions options;
  std::string value;
  Clock::time_point measure_from;
  Clock::time_point end;
  std::shared_ptr<const ZipfTable> zipf;

  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t running = 0;
};

std::string random_value(std::uint64_t bytes) {
  KeyChoice random(256, nullptr, 42);
  std::string value(bytes, '\0');
  for (char& c : value) c = static_cast<char>(random.next());
  return value;
}

void count(Counts& counts, Clock::time_point began, Clock::time_point ended, const sdk::Error* error) {
  std::lock_guard lock(counts.mutex);
  if (error == nullptr) {
    counts.latency_ns.record(static_cast<std::uint64_t>((ended - began).count()));
  } else if (counts.errors++ == 0) {
    counts.first_error = error->to_string();
  }
}

sdk::Task<void> worker(sdk::Client client, std::shared_ptr<Shared> shared, std::shared_ptr<Counts> counts,
                       std::uint64_t number) {
  const LoadOptions& options = shared->options;
  KeyChoice choice(options.keys, shared->zipf, number + 1);
  sdk::CallOptions call;
  if (options.any_replica) call.any_replica();
  for (auto began = Clock::now(); began < shared->end; began = Clock::now()) {
    std::string key = key_name(choice.next());
    const bool read = options.op == Op::kGet || (options.op == Op::kMixed && choice.chance() < options.read_ratio);
    std::optional<sdk::Error> error;
    if (read) {
      auto answer = co_await client.get_async(std::move(key), call);
      if (!answer) error = std::move(answer).error();
    } else {
      auto answer = co_await client.put_async(std::move(key), shared->value, call);
      if (!answer) error = std::move(answer).error();
    }
    const auto ended = Clock::now();
    if (began >= shared->measure_from) count(*counts, began, ended, error ? &*error : nullptr);
  }
  std::lock_guard lock(shared->mutex);
  if (--shared->running == 0) shared->changed.notify_all();
}

}  // namespace

std::string key_name(std::uint64_t number) { return fmt::format("key{:012}", number); }

sdk::Result<void> preload(std::vector<sdk::Client>& connections, std::uint64_t count, std::uint64_t value_bytes) {
  const std::string value = random_value(value_bytes);
  // Batches have to stay below the SDK's 4 MiB.
  const std::uint64_t batch_size =
      std::max<std::uint64_t>(1, std::min(kPreloadBatch, (std::uint64_t{3} << 20) / (value_bytes + 64)));
  std::deque<sdk::Future<sdk::WriteResult>> in_flight;
  const auto settle = [&](std::size_t left) -> sdk::Result<void> {
    while (in_flight.size() > left) {
      auto written = in_flight.front().get();
      in_flight.pop_front();
      if (!written) return std::move(written).error();
    }
    return {};
  };
  std::size_t batches = 0;
  for (std::uint64_t first = 0; first < count; first += batch_size) {
    sdk::WriteBatch batch;
    for (std::uint64_t i = first; i < std::min(count, first + batch_size); ++i) batch.put(key_name(i), value);
    in_flight.push_back(connections[batches++ % connections.size()].write_batch_async(std::move(batch)));
    if (auto settled = settle(kPreloadInFlight); !settled) return settled;
  }
  return settle(0);
}

LoadResult run_load(std::vector<sdk::Client>& connections, const LoadOptions& options) {
  auto shared = std::make_shared<Shared>();
  shared->options = options;
  shared->value = random_value(options.value_bytes);
  shared->running = options.clients;
  if (options.zipf) shared->zipf = std::make_shared<const ZipfTable>(options.keys);
  std::vector<std::shared_ptr<Counts>> counts;
  for (std::size_t i = 0; i < connections.size(); ++i) counts.push_back(std::make_shared<Counts>());

  shared->measure_from = Clock::now() + options.warmup;
  shared->end = shared->measure_from + options.duration;
  for (std::uint64_t i = 0; i < options.clients; ++i) {
    const std::size_t connection = i % connections.size();
    worker(connections[connection], shared, counts[connection], i).detach();
  }
  {
    std::unique_lock lock(shared->mutex);
    shared->changed.wait(lock, [&] { return shared->running == 0; });
  }
  LoadResult result;
  result.seconds = std::chrono::duration<double>(Clock::now() - shared->measure_from).count();
  for (const auto& each : counts) {
    std::lock_guard lock(each->mutex);
    result.latency_ns.merge(each->latency_ns);
    result.errors += each->errors;
    if (result.first_error.empty()) result.first_error = each->first_error;
  }
  return result;
}

}  // namespace meridian::bench
