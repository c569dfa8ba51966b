// How many bytes of answers a process may hold that their callers have not taken yet, over all of its streams and unary
// calls. Beyond it a large answer is replaced by `busy`: only reads have large answers, so that is true, and the memory of
// a process does not depend on how fast, or whether, its callers read. Small answers (writes', above all) are counted and
// never refused. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <fmt/format.h>

#include "base/result.h"

namespace meridian {

class AnswerBudget {
 public:
  static constexpr std::size_t kDefaultBytes = 256u << 20;
  static constexpr std::size_t kSmall = 16u << 10;

  explicit AnswerBudget(std::size_t limit = kDefaultBytes) : limit_(limit) {}

  // May one more be held? elsewhere: bytes on their way into the budget.
  bool admits(std::size_t bytes, std::size_t elsewhere = 0) const {
    return bytes <= kSmall || held() + elsewhere + bytes <= limit_;
  }
  // Of one peer, so that a few who never read leave room for the others.
  bool admits_of_one(std::size_t bytes, std::size_t held_by_it) const {
    return bytes <= kSmall || held_by_it + bytes <= per_peer();
  }
  Error refusal(std::size_t bytes) const {
    constexpr std::uint32_t kRetryAfterMs = 50;
    return Error(ErrorCode::kBusy, fmt::format("an answer of {} bytes, and {} wait to be taken by their callers; the limit is {}, "
                                               "{} of one", bytes, held(), limit_, per_peer()))
        .with_retry_after(kRetryAfterMs);
  }
  void take(std::size_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
  void give_back(std::size_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  // Two of the largest answers fit whatever the limit is.
  std::size_t per_peer() const { return std::max(limit_ / 16, std::min<std::size_t>(limit_, 32u << 20)); }

  const std::size_t limit_;
  std::atomic<std::size_t> held_ = 0;
};

}  // namespace meridian
