// Which key a request is about: uniform, or by Zipf's law with exponent 0.99, the hot keys scattered.
// Pure, given its seed; one per worker.
#pragma once

#include <cstdint>
#include <memory>

namespace meridian::bench {

// The constants of Zipf's law over n keys, after Gray et al., "Quickly generating billion-record
// synthetic databases" (SIGMOD 1994). Shared by the workers; costs O(n) once.
class ZipfTable {
 public:
  explicit ZipfTable(std::uint64_t keys);
  // The rank of a key, 0 being the hottest; uniform in [0, 1).
  std::uint64_t rank(double uniform) const;

 private:
  std::uint64_t keys_;
  double zeta_keys_;
  double alpha_;
  double eta_;
};

class KeyChoice {
 public:
  // zipf may be null: uniform.
  KeyChoice(std::uint64_t keys, std::shared_ptr<const ZipfTable> zipf, std::uint64_t seed);
  std::uint64_t next();
  // Uniform in [0, 1).
  double chance();

 private:
  std::uint64_t random();
  std::uint64_t keys_;
  std::shared_ptr<const ZipfTable> zipf_;
  std::uint64_t state_;
};

}  // namespace meridian::bench
