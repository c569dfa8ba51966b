// shard/log/format: headers and records. Their checksums are a wall that random bytes never climb, so headers are
// also made from the input and damaged.
#include <variant>

#include "shard/log/format.h"
#include "tests/fuzz/fuzz.h"

namespace meridian::fuzz {
namespace {

using namespace log_format;

void headers(Input in) {
  if (const auto header = decode_segment_header(in.rest())) {
    const std::string again = encode(*header);
    CHECK(decode_segment_header(again).has_value());
  }
  SegmentHeader header{static_cast<std::uint32_t>(in.u64()), in.number(), in.number(), in.number()};
  std::string bytes = encode(header);
  const auto read = decode_segment_header(bytes + std::string(in.string()));
  CHECK(read && read->salt == header.salt && read->number == header.number &&
        read->first_sequence == header.first_sequence && read->first_segment == header.first_segment);
  CHECK(parse_segment_name(segment_name(header.number)) == header.number);
  parse_segment_name(in.string());
  const std::size_t bit = in.number() % (8 * bytes.size());
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  CHECK(!decode_segment_header(bytes));
}

void batch(Input in) {
  const std::uint32_t salt = in.byte();
  decode_batch_header(in.rest(), salt);
  const std::uint64_t sequence = in.number(), synced = in.number();
  std::string bytes(kBatchHeaderBytes, '\0');
  bytes.append(in.rest());
  seal_batch(bytes, sequence, synced, salt);
  const auto header = decode_batch_header(bytes, salt);
  CHECK(header && header->sequence == sequence && header->synced == synced &&
        header->payload_bytes == in.rest().size() && header->payload_crc == crc32c(in.rest(), salt));
  CHECK(!decode_batch_header(bytes, salt + 1));
}

// What was read, written and read again, is written the same.
void records(Input in) {
  const auto first = decode_records(in.rest());
  if (!first) return;
  std::string once, twice;
  for (const Record& record : *first) append_record(once, record);
  const auto second = decode_records(once);
  CHECK(second && second->size() == first->size());
  for (const Record& record : *second) append_record(twice, record);
  CHECK(once == twice);
}

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) {
  using namespace meridian::fuzz;
  Input in(bytes);
  switch (in.byte() % 4) {
    case 0: return headers(in);
    case 1: return batch(in);
    default: return records(in);
  }
}
