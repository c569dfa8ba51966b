// The state that a CancellationSource and its tokens share. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "meridian/options.h"

namespace meridian::sdk::detail {

class CancellationState {
 public:
  bool is_cancelled() const {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }
  // Calls back once, on the cancelling thread; not if that has happened already: 0.
  std::uint64_t add(std::function<void()> callback) {
    std::lock_guard lock(mutex_);
    if (cancelled_) return 0;
    callbacks_.emplace(++last_, std::move(callback));
    return last_;
  }
  void remove(std::uint64_t id) {
    std::lock_guard lock(mutex_);
    callbacks_.erase(id);
  }
  void cancel() {
    std::map<std::uint64_t, std::function<void()>> callbacks;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      callbacks.swap(callbacks_);
    }
    for (auto& [id, callback] : callbacks) callback();
  }

 private:
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::function<void()>> callbacks_;
};

}  // namespace meridian::sdk::detail
