// Which key a request is about: uniform, by Zipf's law with the hot keys scattered, or by Zipf's law from the newest
// key back; as YCSB makes them. Pure, given its seed; one per worker.
#pragma once

#include <cstdint>

#include "tools/bench/random.h"
#include "tools/bench/workload.h"

namespace meridian::bench {

// Zipf's law with exponent 0.99 over ranks 0 (the most frequent) to items - 1, after Gray et al., "Quickly generating
// billion-record synthetic databases" (SIGMOD 1994).
class ZipfTable {
 public:
  // Costs O(items). Requires: items > 0.
  explicit ZipfTable(std::uint64_t items);
  // YCSB's ten thousand million items, with the sum it holds ready: the law under ScrambledZipfianGenerator, whatever
  // the number of keys.
  static ZipfTable scrambled();

  // To more items; costs O(what is added). Fewer: nothing happens.
  void grow(std::uint64_t items);
  std::uint64_t rank(double uniform) const;  // uniform in [0, 1)
  std::uint64_t items() const { return items_; }

 private:
  ZipfTable(std::uint64_t items, double zeta);
  void set_eta();

  std::uint64_t items_;
  double zeta_;  // 1/1^0.99 + ... + 1/items^0.99
  double eta_ = 0;
};

// What a KeyChoice needs; made once and copied, since over all keys (kLatest) it takes its time.
ZipfTable zipf_table_for(Distribution distribution, std::uint64_t keys);

// FNV-1a of the eight bytes, lowest first, then without its sign: YCSB's hash, which scatters ranks over keys.
std::uint64_t fnv_hash(std::uint64_t number);

class KeyChoice {
 public:
  // keys: those loaded, 0 to keys - 1. growing: more will be inserted, up to as many again of which kZipf chooses.
  // zipf: from zipf_table_for(). Requires: keys > 0.
  KeyChoice(Distribution distribution, std::uint64_t keys, bool growing, const ZipfTable& zipf, std::uint64_t seed);

  // One of keys 0 to present - 1. Requires: present >= the keys there were at the beginning.
  std::uint64_t next(std::uint64_t present);

 private:
  Distribution distribution_;
  // What ranks are scattered over. It stays, for otherwise each insert would make other keys hot; keys not inserted
  // yet are drawn again, as YCSB does.
  std::uint64_t scattered_over_;
  ZipfTable zipf_;
  Random random_;
};

}  // namespace meridian::bench
