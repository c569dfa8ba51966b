// txn/mvcc over an engine that holds any bytes where versions and outcomes belong: read or refused as corrupt.
#include "base/keys.h"
#include "base/mem_engine.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/sim_file.h"
#include "txn/mvcc.h"

namespace meridian::fuzz {
namespace {

constexpr KeyspaceId kKeyspace(1);

void header(std::string_view bytes) {
  std::string_view value;
  const auto header = txn::decode_version_header(bytes, &value);
  if (header) CHECK(txn::version_value(*header, value) == bytes);
}

// The engine's key: one that mvcc would make with bytes dropped from its end, or anything in the range.
std::string engine_key(Input& in, std::string_view user_key) {
  const std::uint8_t how = in.byte();
  std::string key = txn::version_key(kKeyspace, user_key, Timestamp(in.number()), RegionId(in.byte()));
  if (how % 4 == 1) key.resize(key.size() - std::min<std::size_t>(in.byte() % 16, key.size() - 5));
  if (how % 4 == 2) key.append(in.string());
  if (how % 4 == 3) key = key.substr(0, 5) + std::string(in.string());
  return key;
}

void reads(std::string_view bytes) {
  Input in(bytes);
  std::uint64_t random = 1;
  SimFileSystem fs([&random] { return random++; });
  MemEngine engine(fs);
  const std::string key(in.string());
  const txn::RequestId id{in.number(), in.number(), in.number()};
  WriteBatch batch;
  for (int n = in.byte() % 8; n > 0; --n) {
    std::string at = engine_key(in, n % 2 == 0 ? key : std::string(in.string()));
    std::string value = in.byte() % 2 == 0 ? txn::version_value({in.byte() % 2 == 0, id, in.number()}, in.string())
                                           : std::string(in.string());
    batch.put(std::move(at), std::move(value));
  }
  batch.put(txn::outcome_key(kKeyspace, key, id), std::string(in.string()));
  CHECK(engine.write(batch, MayBlock::kYes).has_value());

  const Timestamp at(in.number());
  (void)txn::read_version(engine, kKeyspace, key, at, {});
  (void)txn::find_by_request(engine, kKeyspace, key, id, Timestamp(in.number()), {});
  (void)txn::find_outcome(engine, kKeyspace, key, id, {});
  txn::ScanRange range{.keyspace = kKeyspace, .start = std::string(in.string()), .end = std::string(in.string())};
  range.reverse = in.byte() % 2 == 0;
  range.limit = 1 + in.byte() % 4;
  for (int pages = 0;; ++pages) {
    CHECK(pages < 100);  // a page that leaves the same rest would go on forever
    const auto page = txn::scan_versions(engine, range, at, {});
    if (!page || !page->rest) break;
    CHECK(page->entries.size() <= range.limit);
    std::tie(range.start, range.end) = *page->rest;
  }
}

constexpr Decoder kDecoders[] = {header, reads};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
