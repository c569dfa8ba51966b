#include "base/grpc/sender.h"

#include <algorithm>

namespace meridian::link {

void Sender::send(OutFrame frame, Duration delay) {
  if (closed_) return;
  waiting_bytes_ += frame.size();
  if (delay <= Duration::zero() && delayed_.empty()) return gather(std::move(frame));
  MonoTime release_at = runtime_.now() + delay;
  if (!delayed_.empty()) release_at = std::max(release_at, delayed_.back().first);
  delayed_.emplace_back(release_at, std::move(frame));
  if (timer_ == 0) timer_ = runtime_.at(release_at, [self = shared_from_this()] { self->release(); });
}

void Sender::gather(OutFrame frame) {
  gathered_.push_back(std::move(frame));
  if (std::exchange(flush_posted_, true)) return;
  runtime_.post([self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void Sender::flush() {
  if (gathered_.empty()) return;
  flushing_.swap(gathered_);
  for (const OutFrame& frame : flushing_) waiting_bytes_ -= frame.size();
  sink_(flushing_);
  flushing_.clear();
  constexpr std::size_t kKeptFrames = 64;
  if (flushing_.capacity() > kKeptFrames) std::vector<OutFrame>().swap(flushing_);
}

void Sender::release() {
  timer_ = 0;
  const MonoTime now = runtime_.now();
  while (!delayed_.empty() && delayed_.front().first <= now) {
    gather(std::move(delayed_.front().second));
    delayed_.pop_front();
  }
  if (delayed_.empty() || closed_) return;
  timer_ = runtime_.at(delayed_.front().first, [self = shared_from_this()] { self->release(); });
}

void Sender::clear() {
  if (timer_ != 0) runtime_.cancel(std::exchange(timer_, 0));
  gathered_.clear();
  delayed_.clear();
  waiting_bytes_ = 0;
}

void Sender::close() {
  closed_ = true;
  clear();
  sink_ = [](std::vector<OutFrame>&) {};
}

}  // namespace meridian::link
