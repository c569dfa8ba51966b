// What is outstanding on the completion queue of a GrpcReactor: its tags, and counts of them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace meridian::link {

class Tag {
 public:
  void complete(bool ok) {
    // gRPC orders an operation's start before its completion; the pair of handed_over_ says so to whoever cannot see
    // into gRPC, the thread sanitizer above all. (Hence no virtual function either.)
    handed_over_.load(std::memory_order_acquire);
    complete_(*this, ok);
  }

 protected:
  explicit Tag(void (*complete)(Tag&, bool ok)) : complete_(complete) {}
  void* hand_over() {
    handed_over_.store(true, std::memory_order_release);
    return this;
  }

 private:
  void (*const complete_)(Tag&, bool);
  std::atomic<bool> handed_over_ = false;
};

// One kind of operation of a stream, of which at most one is outstanding; meanwhile it owns the stream.
template <class Owner>
class Operation final : public Tag {
 public:
  explicit Operation(void (Owner::*done)(bool ok)) : Tag(&run), done_(done) {}
  void* start(std::shared_ptr<Owner> owner) {
    owner_ = std::move(owner);
    return hand_over();
  }
  // gRPC will not complete it after all: only where it says so.
  void forget() { owner_.reset(); }

 private:
  static void run(Tag& tag, bool ok) {
    auto& self = static_cast<Operation&>(tag);
    const std::shared_ptr<Owner> owner = std::move(self.owner_);
    ((*owner).*self.done_)(ok);
  }

  void (Owner::*done_)(bool);
  std::shared_ptr<Owner> owner_;
};

// Counts the streams of one owner that may still start operations.
class StreamCount {
 public:
  void add() {
    std::lock_guard lock(mutex_);
    ++count_;
  }
  void remove() {
    std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void wait_for_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }
  template <class Duration>
  bool wait_for_none(Duration limit) {
    std::unique_lock lock(mutex_);
    return none_.wait_for(lock, limit, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  int count_ = 0;  // guarded by mutex_
};

}  // namespace meridian::link
