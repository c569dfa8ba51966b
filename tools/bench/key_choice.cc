#include "tools/bench/key_choice.h"

#include <algorithm>
#include <cmath>

namespace meridian::bench {

namespace {
constexpr double kTheta = 0.99;
constexpr std::uint64_t kScrambledItems = 10'000'000'000;
constexpr double kScrambledZeta = 26.46902820178302;
}  // namespace

ZipfTable zipf_table_for(Distribution distribution, std::uint64_t keys) {
  switch (distribution) {
    case Distribution::kUniform: return ZipfTable(1);
    case Distribution::kZipf: return ZipfTable::scrambled();
    case Distribution::kLatest: return ZipfTable(keys);
  }
  return ZipfTable(1);
}

ZipfTable::ZipfTable(std::uint64_t items) : items_(0), zeta_(0) { grow(items); }

ZipfTable::ZipfTable(std::uint64_t items, double zeta) : items_(items), zeta_(zeta) { set_eta(); }

ZipfTable ZipfTable::scrambled() { return ZipfTable(kScrambledItems, kScrambledZeta); }

void ZipfTable::grow(std::uint64_t items) {
  if (items <= items_) return;
  for (std::uint64_t i = items_ + 1; i <= items; ++i) zeta_ += 1 / std::pow(static_cast<double>(i), kTheta);
  items_ = items;
  set_eta();
}

void ZipfTable::set_eta() {
  const double zeta_two = 1 + std::pow(0.5, kTheta);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(items_), 1 - kTheta)) / (1 - zeta_two / zeta_);
}

std::uint64_t ZipfTable::rank(double uniform) const {
  const double scaled = uniform * zeta_;
  if (scaled < 1 || items_ < 2) return 0;
  if (scaled < 1 + std::pow(0.5, kTheta) || items_ < 3) return 1;
  const double rank = static_cast<double>(items_) * std::pow(eta_ * uniform - eta_ + 1, 1 / (1 - kTheta));
  return std::min(items_ - 1, static_cast<std::uint64_t>(rank));
}

std::uint64_t fnv_hash(std::uint64_t number) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (int i = 0; i < 8; ++i) {
    hash ^= number & 0xff;
    hash *= 1'099'511'628'211;
    number >>= 8;
  }
  return hash >> 63 == 0 ? hash : 0 - hash;
}

KeyChoice::KeyChoice(Distribution distribution, std::uint64_t keys, bool growing, const ZipfTable& zipf,
                     std::uint64_t seed)
    : distribution_(distribution), scattered_over_(growing ? 2 * keys : keys), zipf_(zipf), random_(seed) {}

std::uint64_t KeyChoice::next(std::uint64_t present) {
  switch (distribution_) {
    case Distribution::kUniform: return random_.below(present);
    case Distribution::kLatest: zipf_.grow(present); return present - 1 - zipf_.rank(random_.chance());
    case Distribution::kZipf: break;
  }
  while (true) {
    const std::uint64_t key = fnv_hash(zipf_.rank(random_.chance())) % scattered_over_;
    if (key < present) return key;
  }
}

}  // namespace meridian::bench
