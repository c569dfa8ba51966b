#include "base/grpc/outbox.h"

#include <iterator>
#include <utility>

#include "base/check.h"

namespace meridian::link {

namespace {

// What an idle stream keeps of the largest batch it ever wrote: thousands of streams are idle.
constexpr std::size_t kKeptBytes = 16u << 10;
constexpr std::size_t kKeptFrames = 64;

}  // namespace

Outbox::~Outbox() { release(held_bytes_); }

void Outbox::hold(std::size_t bytes) {
  held_bytes_ += bytes;
  if (budget_) budget_->take(bytes);
}

void Outbox::release(std::size_t bytes) {
  held_bytes_ -= bytes;
  if (budget_) budget_->give_back(bytes);
}

bool Outbox::push(std::vector<OutFrame>& frames) {
  std::size_t bytes = 0;
  for (const OutFrame& frame : frames) bytes += frame.size();
  std::lock_guard lock(mutex_);
  if (ending_ || dropping_) return false;
  queue_.insert(queue_.end(), std::make_move_iterator(frames.begin()), std::make_move_iterator(frames.end()));
  waiting_bytes_ += bytes;
  hold(bytes);
  frames.clear();
  return true;
}

void Outbox::open() {
  std::lock_guard lock(mutex_);
  open_ = true;
}

void Outbox::end_when_empty() {
  std::lock_guard lock(mutex_);
  ending_ = true;
}

void Outbox::end_now() {
  std::deque<OutFrame> dropped;
  std::lock_guard lock(mutex_);
  dropping_ = true;
  dropped.swap(queue_);
  release(waiting_bytes_.exchange(0));
}

Outbox::Next Outbox::next(std::string* batch) {
  std::unique_lock lock(mutex_);
  return next_locked(lock, batch);
}

Outbox::Next Outbox::written(std::string* batch) {
  std::unique_lock lock(mutex_);
  CHECK(writing_);
  writing_ = false;
  release(std::exchange(written_bytes_, 0));
  return next_locked(lock, batch);
}

Outbox::Next Outbox::next_locked(std::unique_lock<std::mutex>& lock, std::string* batch) {
  if (writing_ || ended_) return Next::kNothing;
  if (open_ && !dropping_) take_locked();
  if (taken_.empty()) {
    if (batch->capacity() > kKeptBytes) std::string().swap(*batch);
    if (taken_.capacity() > kKeptFrames) std::vector<OutFrame>().swap(taken_);
    ended_ = dropping_ || (ending_ && queue_.empty());
    return ended_ ? Next::kEnd : Next::kNothing;
  }
  writing_ = true;
  lock.unlock();  // encoding is the expensive part; the loop may go on pushing
  batch->clear();
  std::size_t bytes = 0;
  for (const OutFrame& frame : taken_) bytes += frame.size();
  batch->reserve(bytes);
  for (const OutFrame& frame : taken_) append_frame(*batch, frame, taken_at_);
  taken_.clear();
  return Next::kWrite;
}

void Outbox::take_locked() {
  if (queue_.empty()) return;
  // Read inside the lock: the loop decides by last_taken() whether a call that expires has left, and one that it
  // found waiting after its deadline must not be taken by a clock read before that.
  taken_at_ = runtime_.now();
  std::size_t taken_bytes = 0, gone_bytes = 0;
  while (!queue_.empty()) {
    OutFrame& frame = queue_.front();
    const std::size_t size = frame.size();
    if (!taken_.empty() && taken_bytes + size > batch_bytes_) break;
    gone_bytes += size;
    last_taken_ = frame.id;
    if (frame.deadline <= taken_at_) {
      expired_.push_back(frame.id);
    } else {
      taken_bytes += size;
      taken_.push_back(std::move(frame));
    }
    queue_.pop_front();
  }
  waiting_bytes_ -= gone_bytes;
  release(gone_bytes);
  written_bytes_ = 2 * taken_bytes;
  hold(written_bytes_);
}

std::uint64_t Outbox::last_taken() const {
  std::lock_guard lock(mutex_);
  return last_taken_;
}

std::vector<std::uint64_t> Outbox::take_expired() {
  std::lock_guard lock(mutex_);
  return std::exchange(expired_, {});
}

}  // namespace meridian::link
