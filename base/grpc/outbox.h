// The frames that wait to be written to one stream, and its one write at a time: a batch is what gathered while the
// last one was being written. Thread-safe: the loop pushes, gRPC's thread reports that a write has ended; whoever is
// told kWrite or kEnd does it, outside of the lock (gRPC may call back from within).
// Invariant: at most one kWrite is out at a time; kEnd is told once, with no write out, and nothing after it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/grpc/answer_budget.h"
#include "base/grpc/frame.h"
#include "base/runtime.h"

namespace meridian::link {

class Outbox {
 public:
  enum class Next { kNothing, kWrite, kEnd };

  // writing: a write is out from the start; written() is to be called when it has ended. budget: counts what is held; may
  // be null.
  Outbox(const Runtime& runtime, std::size_t batch_bytes, bool writing, std::shared_ptr<AnswerBudget> budget = nullptr)
      : runtime_(runtime), batch_bytes_(batch_bytes), budget_(std::move(budget)), writing_(writing) {}
  ~Outbox();

  // Takes the frames; false after the end, when they are left as they are.
  bool push(std::vector<OutFrame>& frames);
  // Writing may begin.
  void open();
  // kEnd when all that was pushed is written.
  void end_when_empty();
  // What is not written yet never will be; kEnd as soon as no write is out.
  void end_now();

  // The step that can be taken now. kWrite: *batch is filled, and written() must be called when that write has ended.
  Next next(std::string* batch);
  Next written(std::string* batch);

  // Every frame with an id up to this one may have been sent. (Of streams whose ids ascend.)
  std::uint64_t last_taken() const;
  // Frames that passed their deadline before they could be written; each told once.
  std::vector<std::uint64_t> take_expired();
  // Pushed and not yet handed to a write.
  std::size_t waiting_bytes() const { return waiting_bytes_.load(std::memory_order_relaxed); }
  // These, and what the write that is out holds: its batch, and gRPC's copy of it.
  std::size_t held_bytes() const { return held_bytes_.load(); }

 private:
  Next next_locked(std::unique_lock<std::mutex>& lock, std::string* batch);
  void take_locked();
  void hold(std::size_t bytes);
  void release(std::size_t bytes);

  const Runtime& runtime_;
  const std::size_t batch_bytes_;
  const std::shared_ptr<AnswerBudget> budget_;
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::atomic<std::size_t> held_bytes_ = 0;

  mutable std::mutex mutex_;
  std::deque<OutFrame> queue_;
  bool open_ = false;
  bool ending_ = false;
  bool dropping_ = false;
  bool ended_ = false;
  bool writing_;
  std::size_t written_bytes_ = 0;  // held by the write that is out
  std::uint64_t last_taken_ = 0;
  std::vector<std::uint64_t> expired_;

  // Touched only by whoever set writing_.
  std::vector<OutFrame> taken_;
  MonoTime taken_at_;
};

}  // namespace meridian::link
