// What every fuzz target shares: its entry, and reading pieces off the input.
// A target is one file: FUZZ_TARGET(bytes) { … }. Whatever the bytes, it must not crash (sanitizers included), not
// take memory out of proportion to them, and what was decoded must survive being encoded again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/result.h"

#define FUZZ_TARGET(bytes)                                                            \
  static void fuzz_one(std::string_view bytes);                                       \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    fuzz_one(std::string_view(reinterpret_cast<const char*>(data), size));            \
    return 0;                                                                         \
  }                                                                                   \
  static void fuzz_one(std::string_view bytes)

namespace meridian::fuzz {

// Takes pieces off the front; zero and empty once there is nothing left. So any bytes are some input.
class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t u64() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }
  // One byte for what is small, nine for the rest.
  std::uint64_t number() {
    const std::uint8_t first = byte();
    return first < 0xff ? first : u64();
  }
  // Its length comes first, clipped to what there is.
  std::string_view string() {
    const std::size_t size = std::min<std::size_t>(number(), rest_.size());
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

 private:
  std::string_view rest_;
};

// For a type among several: the first byte says which, the rest is what it is decoded from.
using Decoder = void (*)(std::string_view bytes);
inline void decode_one_of(std::span<const Decoder> decoders, std::string_view bytes) {
  Input in(bytes);
  const std::size_t which = in.byte() % decoders.size();
  decoders[which](in.rest());
}

}  // namespace meridian::fuzz
