#include "tools/bench/request_source.h"

#include <utility>

#include <fmt/format.h>

namespace meridian::bench {

std::string key_name(std::uint64_t number) { return fmt::format("key{:012}", number); }

RequestSource::RequestSource(const Workload& workload, std::uint64_t keys, const ZipfTable& zipf,
                             std::shared_ptr<InsertSequence> inserts, std::uint64_t seed)
    : mix_(workload.mix),
      scan_length_(workload.scan_length),
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
  if (request.kind == OpKind::kScan) {
    request.scan_length = scan_length_.min + random_.below(scan_length_.max - scan_length_.min + 1);
  }
  return request;
}

}  // namespace meridian::bench
