// A Runtime under virtual time, single-threaded, whose blocking works happen when the test says so: enough
// to interrupt a log at any moment. Nothing here is fair or realistic; the simulator's is.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include <boost/asio/system_executor.hpp>

#include "base/runtime.h"

namespace meridian {

class FakeRuntime final : public Runtime {
 public:
  explicit FakeRuntime(std::function<std::uint64_t()> random) : random_(std::move(random)) {}

  MonoTime now() const override { return now_; }
  WallTime wall_now() const override { return WallTime(now_.us()); }
  std::uint64_t random() override { return random_(); }
  boost::asio::any_io_executor executor() override { return boost::asio::system_executor(); }
  void post(Callback callback) override { posted_.push_back(std::move(callback)); }
  TimerId at(MonoTime when, Callback callback) override {
    timers_.emplace(std::pair(when, ++last_timer_), std::move(callback));
    return last_timer_;
  }
  void cancel(TimerId timer) override {
    std::erase_if(timers_, [&](const auto& item) { return item.first.second == timer; });
  }
  using Runtime::run_blocking;
  void run_blocking(Lane, Callback work, Callback done) override { works_.emplace_back(std::move(work), std::move(done)); }

  std::size_t works() const { return works_.size(); }
  std::size_t timers() const { return timers_.size(); }
  // Does the work; its done is posted unless the caller is about to crash.
  void run_work(std::size_t which, bool report = true) {
    auto [work, done] = std::move(works_[which]);
    works_.erase(works_.begin() + static_cast<std::ptrdiff_t>(which));
    work();
    if (report) post(std::move(done));
  }
  void run_posted() {
    while (!posted_.empty()) {
      Callback callback = std::move(posted_.front());
      posted_.pop_front();
      callback();
    }
  }
  void advance(Duration duration) {
    now_ = now_ + duration;
    while (!timers_.empty() && timers_.begin()->first.first <= now_) {
      Callback callback = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      callback();
    }
    run_posted();
  }
  // Everything that is due without time passing.
  void settle() {
    run_posted();
    while (!works_.empty()) {
      run_work(0);
      run_posted();
    }
  }
  // Until nothing is due for a long time.
  void run_until_idle() {
    settle();
    while (!timers_.empty()) {
      advance(timers_.begin()->first.first - now_);
      settle();
    }
  }

 private:
  std::function<std::uint64_t()> random_;
  MonoTime now_{1'000'000};
  TimerId last_timer_ = 0;
  std::deque<Callback> posted_;
  std::map<std::pair<MonoTime, TimerId>, Callback> timers_;
  std::vector<std::pair<Callback, Callback>> works_;
};

}  // namespace meridian
