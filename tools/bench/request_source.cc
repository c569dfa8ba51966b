#include "tools/bench/request_source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace meridian::bench {

std::string key_name(std::uint64_t number) { return fmt::format("key{:012}", number); }

RequestSource::RequestSource(const Workload& workload, std::uint64_t keys, const ZipfTable& zipf,
                             std::shared_ptr<InsertSequence> inserts, std::uint64_t seed)
    : mix_(workload.mix),
      scan_length_(workload.scan_length),
      batch_keys_(workload.batch_keys),
      inserts_(std::move(inserts)),
      random_(2 * seed),
      keys_(workload.distribution, keys, workload.mix.has(OpKind::kInsert), zipf, 2 * seed + 1) {}

Request RequestSource::next() {
  Request request;
  request.kind = mix_.choose(random_.chance());
  if (request.kind == OpKind::kInsert) {
    request.key = inserts_->begin();
    return request;
  }
  request.key = keys_.next(inserts_->present());
  if (request.kind == OpKind::kBatch) add_keys(request);
  if (request.kind == OpKind::kScan) {
    request.scan_length = scan_length_.min + random_.below(scan_length_.max - scan_length_.min + 1);
  }
  return request;
}

// Each key by the same law as the first. One that is in the batch already gives way to the next one that is not: of a
// few hot keys all would be drawn over and over.
void RequestSource::add_keys(Request& request) {
  const std::uint64_t present = inserts_->present();
  const auto taken = [&](std::uint64_t key) {
    return key == request.key || std::ranges::find(request.more_keys, key) != request.more_keys.end();
  };
  request.more_keys.reserve(batch_keys_ - 1);
  while (request.more_keys.size() + 1 < batch_keys_) {
    std::uint64_t key = keys_.next(present);
    while (taken(key)) key = (key + 1) % present;
    request.more_keys.push_back(key);
  }
}

}  // namespace meridian::bench
