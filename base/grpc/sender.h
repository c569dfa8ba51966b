// The loop's side of a stream's Outbox: gathers the frames of one pass of the loop, so that they leave as one batch,
// and holds them back before that where a delay is injected. Keeps their order. On the loop.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/grpc/frame.h"
#include "base/runtime.h"

namespace meridian::link {

class Sender : public std::enable_shared_from_this<Sender> {
 public:
  using Sink = std::function<void(std::vector<OutFrame>&)>;  // takes all of them

  Sender(Runtime& runtime, Sink sink) : runtime_(runtime), sink_(std::move(sink)) {}

  void send(OutFrame frame, Duration delay = Duration::zero());
  // Hands over what has gathered without waiting for the end of this pass.
  void flush();
  // Drops what it holds.
  void clear();
  // Drops what it holds and whatever comes.
  void close();
  bool empty() const { return gathered_.empty() && delayed_.empty(); }
  std::size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  void gather(OutFrame frame);
  void release();

  Runtime& runtime_;
  Sink sink_;
  std::vector<OutFrame> gathered_;
  std::vector<OutFrame> flushing_;  // empty but during flush(); keeps a little memory
  std::deque<std::pair<MonoTime, OutFrame>> delayed_;
  TimerId timer_ = 0;
  std::size_t waiting_bytes_ = 0;
  bool flush_posted_ = false;
  bool closed_ = false;
};

}  // namespace meridian::link
