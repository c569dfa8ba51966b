// Coroutines over Runtime. A Task runs on the loop it was spawned on; everything here is for that loop's thread.
//
// A suspended coroutine is owned by the callback that will resume it. When that callback is destroyed uncalled
// (its runtime stopped, the service it waited for went away) the frame and those that await it are destroyed on
// the loop, innermost first; destructors run, nothing after the co_await does. So whoever holds such a callback
// must drop it on the loop's thread, or after the loop has ended.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/check.h"
#include "base/runtime.h"

namespace meridian {

template <class T = void>
using Task = boost::asio::awaitable<T>;

namespace internal {

// There are no exceptions of ours, so one that leaves a task is a bug.
struct TaskEnd {
  void operator()(std::exception_ptr error) const {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      CHECK_F(false, "a task ended with an exception: {}", e.what());
    } catch (...) {
      CHECK_F(false, "a task ended with an exception");
    }
  }
};

template <class T>
struct Signature {
  using type = void(T);
};
template <>
struct Signature<void> {
  using type = void();
};

}  // namespace internal

// What resumes a coroutine that waits for a T.
template <class T>
using Completion = std::move_only_function<typename internal::Signature<T>::type>;

// Starts a task on the runtime's loop. What it uses must outlive it or be owned by its frame.
inline void spawn(Runtime& runtime, Task<void> task) {
  boost::asio::co_spawn(runtime.executor(), std::move(task), internal::TaskEnd{});
}

// Suspends until start's completion callback is called, on any thread; resumes on the loop.
//   int n = co_await suspend<int>(runtime, [&](Completion<int> done) { ... });
//   co_await suspend<void>(runtime, [&](Completion<void> done) { ... });
template <class T, class Start>
Task<T> suspend(Runtime& runtime, Start start) {
  auto initiate = [&runtime, start = std::move(start)](auto handler) mutable {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    start(Completion<T>([&runtime, shared = std::move(shared)](auto... value) mutable {
      runtime.post([shared = std::move(shared), ... value = std::move(value)]() mutable {
        std::move (*shared)(std::move(value)...);
      });
    }));
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                 typename internal::Signature<T>::type>(std::move(initiate),
                                                                                        boost::asio::use_awaitable);
}

inline Task<void> sleep_until(Runtime& runtime, MonoTime when) {
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      [&runtime, when](auto handler) {
        runtime.at(when, [handler = std::move(handler)]() mutable { std::move(handler)(); });
      },
      boost::asio::use_awaitable);
}

inline Task<void> sleep_for(Runtime& runtime, Duration delay) { return sleep_until(runtime, runtime.now() + delay); }

// Runs f on the pool for what blocks and answers its result on the loop.
template <class F>
Task<std::invoke_result_t<F>> offload(Runtime& runtime, F f) {
  using T = std::invoke_result_t<F>;
  using Stored = std::conditional_t<std::is_void_v<T>, bool, T>;
  auto slot = std::make_shared<std::optional<Stored>>();
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      [&runtime, slot, f = std::move(f)](auto handler) mutable {
        auto work = [slot, f = std::move(f)]() mutable {
          if constexpr (std::is_void_v<T>) {
            f();
            slot->emplace(true);
          } else {
            slot->emplace(f());
          }
        };
        runtime.run_blocking(std::move(work), [handler = std::move(handler)]() mutable { std::move(handler)(); });
      },
      boost::asio::use_awaitable);
  CHECK(slot->has_value());
  if constexpr (!std::is_void_v<T>) co_return std::move(**slot);
}

}  // namespace meridian
