#include "tools/bench/key_choice.h"

#include <algorithm>
#include <cmath>

namespace meridian::bench {

namespace {
constexpr double kTheta = 0.99;

// SplitMix64's finaliser: scatters neighbours.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}
}  // namespace

ZipfTable::ZipfTable(std::uint64_t keys) : keys_(keys), alpha_(1 / (1 - kTheta)) {
  double zeta = 0;
  for (std::uint64_t i = 1; i <= keys; ++i) zeta += 1 / std::pow(static_cast<double>(i), kTheta);
  zeta_keys_ = zeta;
  const double zeta_two = 1 + std::pow(0.5, kTheta);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(keys), 1 - kTheta)) / (1 - zeta_two / zeta_keys_);
}

std::uint64_t ZipfTable::rank(double uniform) const {
  const double scaled = uniform * zeta_keys_;
  if (scaled < 1 || keys_ < 2) return 0;
  if (scaled < 1 + std::pow(0.5, kTheta) || keys_ < 3) return 1;
  const double rank = static_cast<double>(keys_) * std::pow(eta_ * uniform - eta_ + 1, alpha_);
  return std::min(keys_ - 1, static_cast<std::uint64_t>(rank));
}

KeyChoice::KeyChoice(std::uint64_t keys, std::shared_ptr<const ZipfTable> zipf, std::uint64_t seed)
    : keys_(keys), zipf_(std::move(zipf)), state_(seed * 0x9e3779b97f4a7c15) {}

std::uint64_t KeyChoice::random() { return mix(state_ += 0x9e3779b97f4a7c15); }

double KeyChoice::chance() { return static_cast<double>(random() >> 11) * 0x1p-53; }

std::uint64_t KeyChoice::next() {
  if (zipf_ == nullptr) return random() % keys_;
  return mix(zipf_->rank(chance())) % keys_;
}

}  // namespace meridian::bench
