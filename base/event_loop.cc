#include "base/event_loop.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include "base/check.h"

namespace meridian {
namespace asio = boost::asio;

namespace {

std::int64_t clock_us(clockid_t clock) {
  timespec now;
  CHECK(clock_gettime(clock, &now) == 0);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return seed;
}

// So many rounds of what callbacks post in turn, before sockets get theirs.
constexpr int kMaxRounds = 8;

// Where nothing can happen but a wake().
class Sleep final : public Reactor {
 public:
  void attach() override {}
  void detach() override {}
  void wait(Duration at_most) override {
    std::unique_lock lock(mutex_);
    const auto woken = [this] { return woken_; };
    if (at_most == Duration::max()) {
      changed_.wait(lock, woken);
    } else if (at_most > Duration::zero()) {
      changed_.wait_for(lock, at_most, woken);
    }
    woken_ = false;
  }
  void wake() override {
    std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;  // guarded by mutex_
};

// Works of one runtime that are on the shared pool. Outlives the runtime in the pool's queue.
struct PoolGate {
  std::mutex mutex;
  std::condition_variable idle;
  bool closed = false;
  int running = 0;

  bool enter() {
    std::lock_guard lock(mutex);
    if (closed) return false;
    ++running;
    return true;
  }
  void leave() {
    std::lock_guard lock(mutex);
    if (--running == 0) idle.notify_all();
  }
  void close() {
    std::unique_lock lock(mutex);
    closed = true;
    idle.wait(lock, [this] { return running == 0; });
  }
};

}  // namespace

class EventLoop::Impl {
 public:
  explicit Impl(Options options);
  ~Impl();

  void run();
  void stop();
  void post(Callback callback);
  TimerId at(MonoTime when, Callback callback);
  void cancel(TimerId timer);
  void run_blocking(Lane lane, Callback work, Callback done);
  bool on_loop() const;

  Options options_;
  std::array<std::shared_ptr<BlockingPool>, kLanes> own_pools_;
  std::mt19937_64 random_{random_seed()};
  std::thread thread_;
  // Only for what Asio hangs on an executor's context.
  std::unique_ptr<asio::execution_context> context_ = std::make_unique<asio::execution_context>();

 private:
  void run_posted();
  void fire_timers();
  BlockingPool& pool_of(Lane lane);
  Duration time_to_sleep();
  void drop_everything();

  std::atomic<std::thread::id> loop_thread_{};
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;
  std::vector<Callback> inbox_;  // guarded by mutex_
  bool asleep_ = false;          // guarded by mutex_: who posts must wake the loop
  bool stopped_ = false;         // guarded by mutex_: nothing is queued any more

  // The rest belongs to the loop.
  std::vector<Callback> batch_;
  std::map<std::pair<MonoTime, TimerId>, Callback> timers_;
  std::unordered_map<TimerId, MonoTime> timer_times_;
  TimerId last_timer_ = 0;

  std::shared_ptr<PoolGate> gate_ = std::make_shared<PoolGate>();
  // The done callbacks stay here, on the loop, so that they are never destroyed on a pool's thread.
  std::unordered_map<std::uint64_t, Callback> blocking_;
  std::uint64_t last_blocking_ = 0;
};

namespace {

// Runs everything through Runtime::post: see the head of event_loop.h.
class LoopExecutor {
 public:
  LoopExecutor(Runtime* runtime, asio::execution_context* context) : runtime_(runtime), context_(context) {}

  template <class F>
  void execute(F&& f) const {
    runtime_->post(Callback(std::forward<F>(f)));
  }
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  LoopExecutor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  friend bool operator==(const LoopExecutor& a, const LoopExecutor& b) noexcept { return a.runtime_ == b.runtime_; }

 private:
  Runtime* runtime_;
  asio::execution_context* context_;
};

}  // namespace

EventLoop::Impl::Impl(Options options) : options_(std::move(options)) {
  if (!options_.reactor) options_.reactor = std::make_shared<Sleep>();
}

EventLoop::Impl::~Impl() {
  stop();
  if (thread_.joinable()) {
    CHECK_F(thread_.get_id() != std::this_thread::get_id(), "a loop cannot destroy itself");
    thread_.join();
  }
  drop_everything();  // a loop that never ran
  // Before the members that what hangs on it may use on its way out.
  context_.reset();
}

void EventLoop::Impl::run() {
  CHECK_F(loop_thread_.load() == std::thread::id{}, "the loop runs already");
  loop_thread_ = std::this_thread::get_id();
  options_.reactor->attach();
  while (!stopping_) {
    run_posted();
    fire_timers();
    options_.reactor->wait(time_to_sleep());
  }
  options_.reactor->detach();
  drop_everything();
  loop_thread_ = std::thread::id{};
}

void EventLoop::Impl::stop() {
  stopping_ = true;
  options_.reactor->wake();
}

bool EventLoop::Impl::on_loop() const {
  const std::thread::id loop = loop_thread_.load(std::memory_order_relaxed);
  return loop == std::thread::id{} || loop == std::this_thread::get_id();
}

void EventLoop::Impl::post(Callback callback) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    inbox_.push_back(std::move(callback));
    wake = std::exchange(asleep_, false);
  }
  // The loop's own thread posts from inside of its sleep when it handles an event there; it comes back by itself.
  if (wake && loop_thread_.load(std::memory_order_relaxed) != std::this_thread::get_id()) options_.reactor->wake();
}

void EventLoop::Impl::run_posted() {
  for (int round = 0; round < kMaxRounds; ++round) {
    {
      std::lock_guard lock(mutex_);
      asleep_ = false;
      if (inbox_.empty()) return;
      batch_.swap(inbox_);
    }
    for (Callback& callback : batch_) {
      if (stopping_.load(std::memory_order_relaxed)) return;
      callback();
      callback = nullptr;
    }
    batch_.clear();
  }
}

Duration EventLoop::Impl::time_to_sleep() {
  {
    std::lock_guard lock(mutex_);
    if (!inbox_.empty() || stopping_) return Duration::zero();
    asleep_ = true;
  }
  if (timers_.empty()) return Duration::max();
  return std::max(timers_.begin()->first.first - MonoTime(clock_us(CLOCK_BOOTTIME)), Duration::zero());
}

TimerId EventLoop::Impl::at(MonoTime when, Callback callback) {
  CHECK(on_loop());
  if (stopping_) return 0;
  const TimerId id = ++last_timer_;
  timers_.emplace(std::pair(when, id), std::move(callback));
  timer_times_.emplace(id, when);
  return id;
}

void EventLoop::Impl::cancel(TimerId timer) {
  CHECK(on_loop());
  auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return;
  auto node = timers_.extract({found->second, timer});
  timer_times_.erase(found);
  // node, and whatever its callback holds, is destroyed last: it may come back here.
}

void EventLoop::Impl::fire_timers() {
  if (timers_.empty()) return;
  const MonoTime now(clock_us(CLOCK_BOOTTIME));
  const TimerId last = last_timer_;  // what a callback adds waits for the next round
  while (!timers_.empty() && !stopping_) {
    auto first = timers_.begin();
    if (first->first.first > now || first->first.second > last) break;
    Callback callback = std::move(first->second);
    timer_times_.erase(first->first.second);
    timers_.erase(first);
    callback();
  }
}

BlockingPool& EventLoop::Impl::pool_of(Lane lane) {
  std::shared_ptr<BlockingPool>& pool =
      lane == Lane::kBulk ? options_.pool : own_pools_[static_cast<std::size_t>(lane)];
  if (!pool)
    pool = std::make_shared<BlockingPool>(lane_workers(lane), lane == Lane::kLog    ? "log"
                                                              : lane == Lane::kRead ? "reads"
                                                                                    : "blocking");
  return *pool;
}

void EventLoop::Impl::run_blocking(Lane lane, Callback work, Callback done) {
  CHECK(on_loop());
  if (stopping_) return;
  const std::uint64_t id = ++last_blocking_;
  blocking_.emplace(id, std::move(done));
  pool_of(lane).submit([this, gate = gate_, id, work = std::move(work)]() mutable {
    if (!gate->enter()) return;
    work();
    work = nullptr;  // before the loop may be told, or be gone
    post([this, id] {
      auto node = blocking_.extract(id);
      if (node) node.mapped()();
    });
    gate->leave();
  });
}

void EventLoop::Impl::drop_everything() {
  gate_->close();
  std::vector<Callback> inbox;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    inbox.swap(inbox_);
  }
  // Each is moved out first: a destructor may come back to cancel a timer.
  std::vector<Callback> batch = std::move(batch_);
  auto timers = std::move(timers_);
  timers_.clear();
  timer_times_.clear();
  auto blocking = std::move(blocking_);
  blocking_.clear();
}

EventLoop::EventLoop() : EventLoop(Options()) {}
EventLoop::EventLoop(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() { impl_->run(); }
void EventLoop::start_thread() {
  CHECK(!impl_->thread_.joinable());
  impl_->thread_ = std::thread([this] { impl_->run(); });
  pthread_setname_np(impl_->thread_.native_handle(), impl_->options_.name.substr(0, 15).c_str());
}
void EventLoop::stop() { impl_->stop(); }
void EventLoop::join() {
  if (impl_->thread_.joinable()) impl_->thread_.join();
}
bool EventLoop::on_loop() const { return impl_->on_loop(); }

MonoTime EventLoop::now() const { return MonoTime(clock_us(CLOCK_BOOTTIME)); }
WallTime EventLoop::wall_now() const { return WallTime(clock_us(CLOCK_REALTIME)); }
std::uint64_t EventLoop::random() { return impl_->random_(); }
asio::any_io_executor EventLoop::executor() { return LoopExecutor(this, impl_->context_.get()); }
void EventLoop::post(Callback callback) { impl_->post(std::move(callback)); }
TimerId EventLoop::at(MonoTime when, Callback callback) { return impl_->at(when, std::move(callback)); }
void EventLoop::cancel(TimerId timer) { impl_->cancel(timer); }
void EventLoop::run_blocking(Lane lane, Callback work, Callback done) {
  impl_->run_blocking(lane, std::move(work), std::move(done));
}

}  // namespace meridian
