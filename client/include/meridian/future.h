// Future<T>: the answer of an asynchronous call, a Result<T> that is there later. Three ways to have it:
//
//   auto future = client.get_async("user/7");
//   Result<ReadResult> a = future.get();                                        // wait for it
//   client.get_async("user/7").then([](Result<ReadResult> b) { ... });          // be called
//   Result<ReadResult> c = co_await client.get_async("user/7");                 // in a coroutine (task.h)
//
// Callbacks and resumed coroutines run on the client's one thread: they must not block. A call that
// would wait there for itself is refused with kFailedPrecondition instead.
#pragma once

#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <meridian/config.h>
#include <meridian/result.h>

MERIDIAN_SDK_BEGIN

namespace detail {

// True on the thread of any client. Defined in the library.
bool on_client_thread();
Error would_deadlock();
[[noreturn]] void die_of_deadlock();

// What a Future and the call behind it share. Set once, taken once.
template <class T>
class FutureState {
 public:
  void set(Result<T> result) {
    std::unique_ptr<Callback> callback;
    std::coroutine_handle<> waiter;
    {
      std::lock_guard lock(mutex_);
      result_.emplace(std::move(result));
      callback = std::move(callback_);
      waiter = std::exchange(waiter_, nullptr);
      ready_.notify_all();
    }
    if (callback) callback->run(take());
    if (waiter) waiter.resume();
  }
  bool is_ready() {
    std::lock_guard lock(mutex_);
    return result_.has_value();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return result_.has_value(); });
  }
  bool wait_for(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return ready_.wait_for(lock, timeout, [this] { return result_.has_value(); });
  }
  // Requires: ready, not taken before.
  Result<T> take() { return std::move(*result_); }

  // False: it is ready already, nothing was stored.
  bool resume_later(std::coroutine_handle<> waiter) {
    std::lock_guard lock(mutex_);
    if (result_) return false;
    waiter_ = waiter;
    return true;
  }
  template <class F>
  void call_back(F f) {
    {
      std::lock_guard lock(mutex_);
      if (!result_) {
        callback_ = std::make_unique<CallbackOf<F>>(std::move(f));
        return;
      }
    }
    f(take());
  }

 private:
  class Callback {
   public:
    virtual ~Callback() = default;
    virtual void run(Result<T> result) = 0;
  };
  template <class F>
  class CallbackOf final : public Callback {
   public:
    explicit CallbackOf(F f) : f_(std::move(f)) {}
    void run(Result<T> result) override { f_(std::move(result)); }

   private:
    F f_;
  };

  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<Result<T>> result_;
  std::unique_ptr<Callback> callback_;
  std::coroutine_handle<> waiter_;
};

}  // namespace detail

// Move-only, used once: get(), then() and co_await each take the answer out. Dropping a Future does
// not cancel the call; see CancellationSource (options.h). A default-constructed one holds nothing.
template <class T>
class [[nodiscard]] Future {
 public:
  Future() = default;
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}
  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  // False once the answer was taken.
  bool valid() const { return state_ != nullptr; }

  // The answer is there: get() will not wait.
  bool is_ready() const { return state_->is_ready(); }

  // Waits at most that long; true if the answer is there. Every call ends by its own deadline anyway.
  bool wait_for(std::chrono::milliseconds timeout) const { return state_->wait_for(timeout); }

  // Waits for the answer. On the client's own thread, where that would never end: kFailedPrecondition
  // (the call itself goes on).
  Result<T> get() {
    auto state = std::exchange(state_, nullptr);
    if (!state->is_ready()) {
      if (detail::on_client_thread()) return detail::would_deadlock();
      state->wait();
    }
    return state->take();
  }

  // Calls callback(Result<T>) once: on the client's thread, or at once on this one if the answer is there.
  template <class F>
  void then(F callback) {
    std::exchange(state_, nullptr)->call_back(std::move(callback));
  }

  class Awaiter {
   public:
    explicit Awaiter(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}
    bool await_ready() const { return state_->is_ready(); }
    bool await_suspend(std::coroutine_handle<> waiter) {
      // Once stored, another thread may resume the coroutine, and this awaiter with it is gone.
      const std::shared_ptr<detail::FutureState<T>> state = state_;
      return state->resume_later(waiter);
    }
    Result<T> await_resume() { return state_->take(); }

   private:
    std::shared_ptr<detail::FutureState<T>> state_;
  };
  // Resumes on the client's thread, or does not suspend if the answer is there.
  Awaiter operator co_await() && { return Awaiter(std::exchange(state_, nullptr)); }
  Awaiter operator co_await() & { return Awaiter(std::exchange(state_, nullptr)); }

 private:
  std::shared_ptr<detail::FutureState<T>> state_;
};

MERIDIAN_SDK_END
