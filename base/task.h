// Coroutines over Runtime. A Task runs on the loop it was spawned on; everything here is for that loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/check.h"
#include "base/runtime.h"

namespace meridian {

template <class T = void>
using Task = boost::asio::awaitable<T>;

// Starts a task on the runtime's loop. What it uses must outlive it or be owned by its frame.
inline void spawn(Runtime& runtime, Task<void> task) {
  boost::asio::co_spawn(runtime.executor(), std::move(task), boost::asio::detached);
}

// Suspends until start's completion callback is called, on any thread; resumes on the loop.
//   int n = co_await suspend<int>(runtime, [&](std::move_only_function<void(int)> done) { ... });
template <class T, class Start>
Task<T> suspend(Runtime& runtime, Start start) {
  auto initiate = [&runtime, start = std::move(start)](auto handler) mutable {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    start(std::move_only_function<void(T)>([&runtime, shared](T value) mutable {
      runtime.post([shared, value = std::move(value)]() mutable { std::move(*shared)(std::move(value)); });
    }));
  };
  // The slot in between lets T lack a default constructor.
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(T)>(
      std::move(initiate), boost::asio::use_awaitable);
}

inline Task<void> sleep_until(Runtime& runtime, MonoTime when) {
  co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void()>(
      [&runtime, when](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        runtime.at(when, [shared]() mutable { std::move (*shared)(); });
      },
      boost::asio::use_awaitable);
}

inline Task<void> sleep_for(Runtime& runtime, Duration delay) { return sleep_until(runtime, runtime.now() + delay); }

// Runs f on the pool for what blocks and answers its result on the loop.
template <class F>
Task<std::invoke_result_t<F>> offload(Runtime& runtime, F f) {
  using T = std::invoke_result_t<F>;
  auto slot = std::make_shared<std::optional<T>>();
  auto work = std::make_shared<F>(std::move(f));
  co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void()>(
      [&runtime, slot, work](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        runtime.run_blocking([slot, work] { slot->emplace((*work)()); },
                             [shared]() mutable { std::move (*shared)(); });
      },
      boost::asio::use_awaitable);
  CHECK(slot->has_value());
  co_return std::move(**slot);
}

}  // namespace meridian
