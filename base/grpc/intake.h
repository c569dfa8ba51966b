// Flow control of one stream's reads: while the loop has too much of it unhandled, nothing more is read, HTTP/2's
// window closes, and the sender's queue fills up instead of this process's memory. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/grpc/frame.h"

namespace meridian::link {

// A batch as it was read. Does not move: the frames point into the bytes.
struct InBatch {
  std::string bytes;
  std::vector<InFrame> frames;

  // Null if a frame does not parse.
  static std::unique_ptr<InBatch> parse(std::string bytes) {
    auto batch = std::make_unique<InBatch>();
    batch->bytes = std::move(bytes);
    auto frames = parse_frames(batch->bytes);
    if (!frames) return nullptr;
    batch->frames = std::move(*frames);
    return batch;
  }
};

class Intake {
 public:
  explicit Intake(std::size_t limit) : limit_(limit) {}

  // After a read of so many bytes, with others of the same stream waiting elsewhere (its unwritten answers).
  // False: do not read on; a later resume() will say when.
  bool read_on(std::size_t bytes, std::size_t elsewhere) {
    std::lock_guard lock(mutex_);
    unhandled_ += bytes;
    paused_ = !closed_ && (unhandled_ > limit_ || elsewhere > limit_);
    return !paused_;
  }
  // Starts the next read if it was paused and need not be any more. Inside the lock: after close() there is no read
  // under way that its caller does not know of.
  template <class Read>
  void resume(std::size_t handled, std::size_t elsewhere, Read read) {
    std::lock_guard lock(mutex_);
    unhandled_ -= handled;
    if (unhandled_ <= limit_ && elsewhere <= limit_ && std::exchange(paused_, false)) read();
  }
  // Never pauses again. True: it was paused.
  bool close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    return std::exchange(paused_, false);
  }

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  std::size_t unhandled_ = 0;
  bool paused_ = false;
  bool closed_ = false;
};

}  // namespace meridian::link
