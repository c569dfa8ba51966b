// When one stream reads its next batch. Thread-safe.
//
// Starting a read makes gRPC tell the peer at once how far its window is open again, with a message of its own that
// wakes the peer, and nobody waits for that. So the next batch is read when this one was handled and what it gave rise
// to has left. Unless batches come faster than that: one that is there already when its read begins shows it; then they
// are read as they come, and handled together.
//
// While the loop has too much unhandled, nothing more is read, HTTP/2's window closes, and the sender's queue fills up
// instead of this process's memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/grpc/frame.h"
#include "base/runtime.h"

namespace meridian::link {

// A batch as it was read. Does not move: the frames point into the bytes.
class InBatch {
 public:
  // Null if a frame does not parse, or is not one of those that a caller sends.
  static std::unique_ptr<InBatch> parse(std::string bytes, bool calls_only) {
    auto batch = std::make_unique<InBatch>(std::move(bytes));
    FrameReader reader(batch->bytes_);
    while (const std::optional<InFrame> frame = reader.next()) {
      if (calls_only && frame->kind != FrameKind::kRequest && frame->kind != FrameKind::kOneWay) return nullptr;
    }
    return reader.ok() ? std::move(batch) : nullptr;
  }
  explicit InBatch(std::string bytes) : bytes_(std::move(bytes)) {}
  InBatch(const InBatch&) = delete;
  InBatch& operator=(const InBatch&) = delete;

  std::size_t bytes() const { return bytes_.size(); }
  std::optional<InFrame> next() { return reader_.next(); }

  MonoTime arrived;  // on the loop: its deadlines count from then

 private:
  const std::string bytes_;
  FrameReader reader_{bytes_};
};

// Runs `then` on the loop when what is queued there now has run, and what that posts: passes, and what they send.
inline void after_this_pass(Runtime& runtime, Callback then) {
  runtime.post([&runtime, then = std::move(then)]() mutable { runtime.post(std::move(then)); });
}

class Intake {
 public:
  explicit Intake(std::size_t limit) : limit_(limit) {}

  // After a read of so many bytes, with others of the same stream waiting elsewhere (its unwritten answers).
  // True: read on. False: a later resume() will say when.
  bool read_on(std::size_t bytes, std::size_t elsewhere) {
    const Clock::time_point now = Clock::now();
    std::lock_guard lock(mutex_);
    unhandled_ += bytes;
    if (now - reading_since_ < kThereAlready) {
      eager_ = kEagerReads;
    } else if (eager_ > 0) {
      --eager_;
    }
    paused_ = !closed_ && !may_read(elsewhere);
    reading_since_ = now;
    return !paused_;
  }
  // Starts the next read if it was paused and need not be any more. Inside the lock: after close() there is no read
  // under way that its caller does not know of.
  template <class Read>
  void resume(std::size_t handled, std::size_t elsewhere, Read read) {
    std::lock_guard lock(mutex_);
    unhandled_ -= handled;
    if (!may_read(elsewhere) || !std::exchange(paused_, false)) return;
    reading_since_ = Clock::now();
    read();
  }
  // Never pauses again. True: it was paused.
  bool close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    return std::exchange(paused_, false);
  }

 private:
  // Not the runtime's, which a stream may outlive.
  using Clock = std::chrono::steady_clock;
  // Shorter than any peer takes to answer what has just left.
  static constexpr std::chrono::microseconds kThereAlready{50};
  static constexpr int kEagerReads = 64;

  bool may_read(std::size_t elsewhere) const {
    return elsewhere <= limit_ && (eager_ > 0 ? unhandled_ <= limit_ : unhandled_ == 0);
  }

  const std::size_t limit_;
  std::mutex mutex_;
  std::size_t unhandled_ = 0;
  int eager_ = 0;  // so many more batches are read as they come
  Clock::time_point reading_since_;
  bool paused_ = false;
  bool closed_ = false;
};

}  // namespace meridian::link
