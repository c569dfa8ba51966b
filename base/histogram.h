// A log-linear histogram of durations (or any counts): every power of two is cut into 128 equal
// buckets, so a value read back is at most 0.8 % off, from 1 to 2^46 (nanoseconds: 19 hours; greater
// values count as the greatest). 40 KiB; recording is a few instructions. Not thread-safe: one per
// thread, merged afterwards.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace meridian {

class Histogram {
 public:
  static constexpr int kSubBits = 7;
  static constexpr int kMaxBits = 46;
  static constexpr std::uint64_t kMaxValue = (std::uint64_t{1} << kMaxBits) - 1;

  Histogram() : buckets_(bucket_of(kMaxValue) + 1) {}

  void record(std::uint64_t value, std::uint64_t times = 1) {
    value = std::min(value, kMaxValue);
    buckets_[bucket_of(value)] += times;
    count_ += times;
    sum_ += static_cast<double>(value) * static_cast<double>(times);
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }
  void merge(const Histogram& other);
  void clear() { *this = Histogram(); }

  std::uint64_t count() const { return count_; }
  // Exact. Zero while empty.
  std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  // The smallest recorded value that at least p percent of the values do not exceed, within 0.8 %.
  // p in [0, 100]; 0 is the minimum and 100 the maximum, both exact. Zero while empty.
  std::uint64_t percentile(double p) const;

  // Calls f(lowest value, highest value, count) for each non-empty bucket, in ascending order.
  template <class F>
  void for_each(F f) const {
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i] != 0) f(lower_bound(i), upper_bound(i), buckets_[i]);
    }
  }

  // Below 128 a bucket holds one value; above, the top eight bits of a value select its bucket.
  static constexpr std::size_t bucket_of(std::uint64_t value) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - 1 - kSubBits);
    return (static_cast<std::size_t>(shift) << kSubBits) + (value >> shift);
  }
  static constexpr std::uint64_t lower_bound(std::size_t bucket) {
    if (bucket < (std::size_t{2} << kSubBits)) return bucket;
    const std::size_t shift = (bucket >> kSubBits) - 1;
    return (bucket - (shift << kSubBits)) << shift;
  }
  static constexpr std::uint64_t upper_bound(std::size_t bucket) { return lower_bound(bucket + 1) - 1; }

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace meridian
