// A generator of random numbers (SplitMix64): the same ones for the same seed on every machine, which the standard
// library's distributions do not promise.
#pragma once

#include <cstdint>

namespace meridian::bench {

class Random {
 public:
  // The seed is mixed: states one step apart would give neighbouring seeds the same numbers, one of them later.
  explicit Random(std::uint64_t seed) : state_(mix(seed + 1)) {}

  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15); }
  // In [0, n). Requires: n > 0.
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  // Uniform in [0, 1).
  double chance() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  static std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  std::uint64_t state_;
};

}  // namespace meridian::bench
