#include "base/grpc/reactor.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server_builder.h>

#include "base/check.h"
#include "base/grpc/operation.h"

namespace meridian {

namespace {

// So many events are handled before the loop runs what they posted.
constexpr int kMaxEvents = 64;

gpr_timespec deadline_after(Duration at_most) {
  if (at_most <= Duration::zero()) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  if (at_most == Duration::max()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(at_most.count(), GPR_TIMESPAN));
}

}  // namespace

class GrpcReactor::Impl {
 public:
  explicit Impl(grpc::CompletionQueue& queue) : queue_(queue), thread_([this] { serve_without_loop(); }) {
    pthread_setname_np(thread_.native_handle(), "grpc-poller");
  }
  ~Impl() {
    CHECK_F(!attached_, "a loop still sleeps in its reactor");
    queue_.Shutdown();
    thread_.join();
  }

  void attach() {
    std::unique_lock lock(mutex_);
    CHECK_F(!attached_, "two loops in one reactor");
    attached_ = true;
    loop_thread_ = std::this_thread::get_id();
    changed_.notify_all();
    if (!serving_) return;
    wake();
    changed_.wait(lock, [this] { return !serving_; });
  }
  void detach() {
    std::lock_guard lock(mutex_);
    attached_ = false;
    loop_thread_ = std::thread::id();
    changed_.notify_all();
  }
  bool on_loop() {
    std::lock_guard lock(mutex_);
    return attached_ && loop_thread_ == std::this_thread::get_id();
  }

  void wait(Duration at_most) {
    void* tag = nullptr;
    bool ok = false;
    gpr_timespec deadline = deadline_after(at_most);
    for (int i = 0; i < kMaxEvents; ++i) {
      if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return;
      static_cast<link::Tag*>(tag)->complete(ok);
      deadline = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    }
  }

  // The alarm is on its way at most once: it is gRPC's until it has come out of the queue.
  void wake() {
    if (!waking_.exchange(true, std::memory_order_acq_rel)) alarm_.Set(&queue_, gpr_inf_past(GPR_CLOCK_MONOTONIC), &woken_);
  }

 private:
  class Woken final : public link::Tag {
   public:
    explicit Woken(Impl& owner) : Tag(&run), owner_(owner) {}

   private:
    static void run(Tag& tag, bool) { static_cast<Woken&>(tag).owner_.waking_.store(false, std::memory_order_release); }
    Impl& owner_;
  };

  void serve_without_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !attached_; });
      serving_ = true;
      while (!attached_) {
        lock.unlock();
        void* tag = nullptr;
        bool ok = false;
        if (!queue_.Next(&tag, &ok)) return;
        static_cast<link::Tag*>(tag)->complete(ok);
        lock.lock();
      }
      serving_ = false;
      changed_.notify_all();
    }
  }

  grpc::CompletionQueue& queue_;
  Woken woken_{*this};
  grpc::Alarm alarm_;
  std::atomic<bool> waking_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool attached_ = false;        // guarded by mutex_
  bool serving_ = false;         // guarded by mutex_: the thread below is at the queue, or about to be
  std::thread::id loop_thread_;  // guarded by mutex_
  std::thread thread_;           // last: it uses the rest
};

GrpcReactor::GrpcReactor(Use use) {
  if (use == Use::kServesToo) {
    builder_ = std::make_unique<grpc::ServerBuilder>();
    std::unique_ptr<grpc::ServerCompletionQueue> queue = builder_->AddCompletionQueue();
    server_queue_ = queue.get();
    queue_ = std::move(queue);
  } else {
    queue_ = std::make_unique<grpc::CompletionQueue>();
  }
  impl_ = std::make_unique<Impl>(*queue_);
}
GrpcReactor::~GrpcReactor() = default;

void GrpcReactor::attach() { impl_->attach(); }
void GrpcReactor::detach() { impl_->detach(); }
void GrpcReactor::wait(Duration at_most) { impl_->wait(at_most); }
void GrpcReactor::wake() { impl_->wake(); }

std::unique_ptr<grpc::ServerBuilder> GrpcReactor::take_server_builder() { return std::move(builder_); }

void GrpcReactor::serve_during(const std::function<void()>& blocking) {
  if (!impl_->on_loop()) return blocking();
  impl_->detach();
  blocking();
  impl_->attach();
}

}  // namespace meridian
