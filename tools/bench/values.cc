#include "tools/bench/values.h"

#include "tools/bench/key_choice.h"

namespace meridian::bench {

namespace {
// More than compression looks back over, so that neighbours in a table have little in common.
constexpr std::uint64_t kSpare = 1 << 20;
}  // namespace

Values::Values(std::uint64_t bytes) : bytes_(bytes), pool_(bytes + kSpare, '\0') {
  Random random(42);
  for (char& c : pool_) c = static_cast<char>(random.next());
}

std::string Values::next() {
  return pool_.substr(fnv_hash(written_.fetch_add(1, std::memory_order_relaxed)) % kSpare, bytes_);
}

}  // namespace meridian::bench
