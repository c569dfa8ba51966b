#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "tools/bench/run.h"

namespace meridian::bench {

namespace {

// Beyond, something is wrong with the cluster rather than with the luck.
constexpr std::uint64_t kMaxRmwRetries = 1'000;
constexpr std::uint64_t kMaxPage = 10'000;

sdk::Task<Executed> scan(sdk::Client client, Request request, sdk::CallOptions call) {
  sdk::ScanOptions options;
  options.limit(request.scan_length);
  options.page_size(static_cast<std::uint32_t>(std::min(request.scan_length, kMaxPage)));
  auto range = sdk::ScanRange::between(key_name(request.key), kBehindAllKeys);
  sdk::Scanner scanner = client.scan(std::move(range), options, std::move(call));
  while (!scanner.done()) {
    auto page = co_await scanner.next_page_async();
    if (!page) co_return Executed{.error = std::move(page).error()};
  }
  co_return Executed();
}

sdk::Task<Executed> read_modify_write(sdk::Client client, std::shared_ptr<Run> run, Request request,
                                      sdk::CallOptions call) {
  const std::string key = key_name(request.key);
  Executed executed;
  while (true) {
    auto read = co_await client.get_async(key, call);
    if (!read) {
      executed.error = std::move(read).error();
      co_return executed;
    }
    const auto expected = read->found ? sdk::Expected::version(read->version) : sdk::Expected::absent();
    auto desired = sdk::Desired::value(run->values.next());
    auto written = co_await client.compare_and_set_async(key, expected, std::move(desired), call);
    if (!written) {
      executed.error = std::move(written).error();
      co_return executed;
    }
    if (written->succeeded) co_return executed;
    if (++executed.retries > kMaxRmwRetries) {
      executed.error = sdk::Error(sdk::ErrorCode::kConflict,
                                  fmt::format("{} was changed by others {} times in a row", key, executed.retries));
      co_return executed;
    }
  }
}

sdk::Task<Executed> get(sdk::Client client, Request request, sdk::CallOptions call) {
  Executed executed;
  auto read = co_await client.get_async(key_name(request.key), std::move(call));
  if (!read) {
    executed.error = std::move(read).error();
  } else {
    executed.not_found = !read->found;
  }
  co_return executed;
}

sdk::Task<Executed> put(sdk::Client client, std::shared_ptr<Run> run, Request request, sdk::CallOptions call) {
  Executed executed;
  auto written = co_await client.put_async(key_name(request.key), run->values.next(), std::move(call));
  if (!written) executed.error = std::move(written).error();
  if (request.kind == OpKind::kInsert) run->inserts->end(request.key);
  co_return executed;
}

sdk::Task<Executed> put_batch(sdk::Client client, std::shared_ptr<Run> run, Request request, sdk::CallOptions call) {
  sdk::WriteBatch batch;
  batch.put(key_name(request.key), run->values.next());
  for (const std::uint64_t key : request.more_keys) batch.put(key_name(key), run->values.next());
  Executed executed;
  auto written = co_await client.write_batch_async(std::move(batch), std::move(call));
  if (!written) executed.error = std::move(written).error();
  co_return executed;
}

}  // namespace

sdk::Task<Executed> execute(sdk::Client client, std::shared_ptr<Run> run, Request request) {
  sdk::CallOptions call;
  call.timeout(run->options.timeout).fail_when_busy(!run->options.wait_when_busy);
  sdk::CallOptions read = call;
  if (run->options.any_replica) read.any_replica();
  switch (request.kind) {
    case OpKind::kGet: return get(std::move(client), request, std::move(read));
    case OpKind::kScan: return scan(std::move(client), request, std::move(read));
    case OpKind::kBatch: return put_batch(std::move(client), std::move(run), std::move(request), std::move(call));
    case OpKind::kPut:
    case OpKind::kInsert: break;
    // Reads for the sake of the write: those of a replica that is behind would only fail it.
    case OpKind::kRmw: return read_modify_write(std::move(client), std::move(run), request, std::move(call));
  }
  return put(std::move(client), std::move(run), request, std::move(call));
}

}  // namespace meridian::bench
