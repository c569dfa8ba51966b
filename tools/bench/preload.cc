#include <algorithm>
#include <deque>
#include <utility>

#include "tools/bench/load.h"
#include "tools/bench/request_source.h"
#include "tools/bench/values.h"

namespace meridian::bench {

namespace {
constexpr std::uint64_t kBatchKeys = 200;
constexpr std::uint64_t kBatchBytes = std::uint64_t{3} << 20;  // the SDK's limit is 4 MiB
constexpr std::size_t kInFlight = 16;
}  // namespace

sdk::Result<void> preload(const std::vector<sdk::Client>& connections, std::uint64_t count, std::uint64_t value_bytes,
                          const std::function<void(std::uint64_t)>& progress) {
  Values values(value_bytes);
  const std::uint64_t batch_size = std::clamp<std::uint64_t>(kBatchBytes / (value_bytes + 64), 1, kBatchKeys);
  struct Sent {
    sdk::Future<sdk::WriteResult> written;
    std::uint64_t up_to;
  };
  std::deque<Sent> in_flight;
  const auto settle = [&](std::size_t left) -> sdk::Result<void> {
    while (in_flight.size() > left) {
      auto written = in_flight.front().written.get();
      if (!written) return std::move(written).error();
      progress(in_flight.front().up_to);
      in_flight.pop_front();
    }
    return {};
  };
  std::size_t batches = 0;
  for (std::uint64_t first = 0; first < count; first += batch_size) {
    const std::uint64_t up_to = std::min(count, first + batch_size);
    sdk::WriteBatch batch;
    for (std::uint64_t i = first; i < up_to; ++i) batch.put(key_name(i), values.next());
    sdk::Client connection = connections[batches++ % connections.size()];
    in_flight.push_back({connection.write_batch_async(std::move(batch)), up_to});
    if (auto settled = settle(kInFlight); !settled) return settled;
  }
  return settle(0);
}

}  // namespace meridian::bench
