// Task<T>: the return type of coroutines that use the SDK. Lazy: nothing runs before it is awaited,
// waited for with get(), or detached.
//
//   meridian::Task<bool> rename(meridian::Client client, std::string from, std::string to) {
//     auto read = co_await client.get_async(from);
//     if (!read || !read->found) co_return false;
//     auto written = co_await client.write_batch_async(meridian::WriteBatch().remove(from).put(to, read->value));
//     co_return written.ok();
//   }
//   bool renamed = rename(client, "a", "b").get();
//
// After a co_await of one of the SDK's futures the coroutine runs on the client's thread: it must not
// block there. Parameters of a coroutine should be values: a reference may be gone when it resumes.
//
// g++ 12 miscompiles `c ? co_await a() : b` (temporaries are destroyed twice; write an if), and does not
// compile a braced list inside a co_await expression (name the vector on the line before).
#pragma once

#include <condition_variable>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <meridian/config.h>
#include <meridian/future.h>

MERIDIAN_SDK_BEGIN

template <class T = void>
class Task;

namespace detail {

class TaskPromiseBase {
 public:
  class FinalAwaiter {
   public:
    FinalAwaiter() {}
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      return self.promise().continuation_ ? self.promise().continuation_ : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return FinalAwaiter(); }
  void unhandled_exception() { exception_ = std::current_exception(); }
  void set_continuation(std::coroutine_handle<> continuation) { continuation_ = continuation; }

 protected:
  std::coroutine_handle<> continuation_;
  std::exception_ptr exception_;
};

template <class T>
class TaskPromise : public TaskPromiseBase {
 public:
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    if (exception_) std::rethrow_exception(exception_);
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void take() {
    if (exception_) std::rethrow_exception(exception_);
  }
};

// Set once, waited for once.
class Latch {
 public:
  void set() {
    std::lock_guard lock(mutex_);
    set_ = true;
    condition_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    if (!set_ && on_client_thread()) die_of_deadlock();
    condition_.wait(lock, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool set_ = false;
};

// A coroutine that starts at once and frees itself.
class Detached {
 public:
  class promise_type {
   public:
    Detached get_return_object() const { return Detached(); }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const {}
    void unhandled_exception() const { std::terminate(); }
  };
  Detached() {}
};

}  // namespace detail

// A coroutine's result to come; owns the coroutine. Move-only. An exception that leaves the coroutine
// is thrown from get() or co_await.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs it here until its first real wait, then waits for its end. Not on the client's own thread
  // (in a callback or after a co_await), which would wait for itself: that ends the process with a
  // message. co_await it there.
  T get() && {
    auto done = std::make_shared<detail::Latch>();
    run(handle_, done);
    done->wait();
    return handle_.promise().take();
  }

  // Runs it here until its first real wait; the rest goes on by itself. Its result is dropped; an
  // exception out of it ends the process.
  void detach() && { run_detached(std::move(*this)); }

  class Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
      handle_.promise().set_continuation(waiter);
      return handle_;
    }
    T await_resume() { return handle_.promise().take(); }

   private:
    std::coroutine_handle<promise_type> handle_;
  };
  // Starts it; the awaiting coroutine goes on where it ended. The Task must outlive that, which
  // `co_await f()` sees to.
  Awaiter operator co_await() && noexcept { return Awaiter(handle_); }

 private:
  // Resumes without taking the result, so that nothing is thrown where nobody catches.
  class Completion : public Awaiter {
   public:
    using Awaiter::Awaiter;
    void await_resume() const noexcept {}
  };
  static detail::Detached run(std::coroutine_handle<promise_type> handle, std::shared_ptr<detail::Latch> done) {
    co_await Completion(handle);
    done->set();
  }
  static detail::Detached run_detached(Task task) { co_await std::move(task); }

  std::coroutine_handle<promise_type> handle_;
};

namespace detail {
template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}
}  // namespace detail

MERIDIAN_SDK_END
