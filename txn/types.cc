#include "txn/types.h"

#include <xxhash.h>

#include "base/bytes.h"

namespace meridian::txn {

std::string RequestId::to_string() const { return fmt::format("{}-{:016x}-{}", time_us, client, sequence); }

std::size_t WriteRequest::bytes() const {
  std::size_t total = 64;
  for (const Mutation& m : mutations) total += 16 + m.key.size() + (m.value ? m.value->size() : 0);
  if (condition) total += condition->key.size() + condition->value.size();
  return total;
}

std::uint64_t WriteRequest::payload_hash() const {
  std::string canonical;
  canonical.reserve(bytes());
  put_varint(canonical, keyspace.value());
  put_varint(canonical, mutations.size());
  for (const Mutation& m : mutations) {
    put_string(canonical, m.key);
    canonical.push_back(m.value ? 1 : 0);
    if (m.value) put_string(canonical, *m.value);
  }
  if (condition) {
    put_string(canonical, condition->key);
    canonical.push_back(static_cast<char>(condition->kind));
    put_string(canonical, condition->value);
    put_varint(canonical, condition->version.packed());
  }
  return XXH3_64bits(canonical.data(), canonical.size());
}

}  // namespace meridian::txn
