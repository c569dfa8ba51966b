// How gRPC's threads reach the loop of a transport that may be gone: through a gate that its destructor closes.
#pragma once

#include <mutex>
#include <utility>

#include "base/runtime.h"

namespace meridian::link {

class LoopGate {
 public:
  explicit LoopGate(Runtime& runtime) : runtime_(&runtime) {}

  // False: the transport is gone, and the callback is destroyed here.
  bool post(Callback callback) {
    std::lock_guard lock(mutex_);
    if (runtime_ == nullptr) return false;
    runtime_->post(std::move(callback));
    return true;
  }
  void close() {
    std::lock_guard lock(mutex_);
    runtime_ = nullptr;
  }

 private:
  std::mutex mutex_;
  Runtime* runtime_;  // guarded by mutex_
};

}  // namespace meridian::link
