#include "base/asio_runtime.h"

#include <pthread.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/execution.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

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

class AsioRuntime::Impl {
 public:
  explicit Impl(Options options);
  ~Impl();

  void run();
  void stop();
  void post(Callback callback);
  TimerId at(MonoTime when, Callback callback);
  void cancel(TimerId timer);
  void run_blocking(Callback work, Callback done);
  bool on_loop() const;

  Options options_;
  std::mt19937_64 random_{random_seed()};
  std::thread thread_;
  std::unique_ptr<asio::io_context> io_ = std::make_unique<asio::io_context>(1);

 private:
  void drain();
  void wait_for_timer();
  void fire_timers();
  void arm(MonoTime when);
  void drop_everything();

  asio::executor_work_guard<asio::io_context::executor_type> work_{io_->get_executor()};
  std::atomic<std::thread::id> loop_thread_{};
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;
  std::vector<Callback> inbox_;  // guarded by mutex_
  bool scheduled_ = false;       // guarded by mutex_: a drain() is on its way or running
  bool stopped_ = false;         // guarded by mutex_: nothing is queued any more

  // The rest belongs to the loop.
  std::vector<Callback> batch_;
  std::map<std::pair<MonoTime, TimerId>, Callback> timers_;
  std::unordered_map<TimerId, MonoTime> timer_times_;
  TimerId last_timer_ = 0;
  std::optional<asio::posix::stream_descriptor> timer_fd_;  // gone before the context it belongs to
  // What the kernel's timer is set to; may be earlier than the first timer when that was cancelled.
  MonoTime armed_ = MonoTime::max();

  std::shared_ptr<PoolGate> gate_ = std::make_shared<PoolGate>();
  // The done callbacks stay here, on the loop, so that they are never destroyed on a pool's thread.
  std::unordered_map<std::uint64_t, Callback> blocking_;
  std::uint64_t last_blocking_ = 0;
};

namespace {

// Runs everything through Runtime::post: see the head of asio_runtime.h.
class LoopExecutor {
 public:
  LoopExecutor(Runtime* runtime, asio::io_context* context) : runtime_(runtime), context_(context) {}

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
  asio::io_context* context_;
};

}  // namespace

AsioRuntime::Impl::Impl(Options options) : options_(std::move(options)), timer_fd_(std::in_place, *io_) {
  const int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  CHECK(fd >= 0);
  timer_fd_->assign(fd);
  wait_for_timer();
}

AsioRuntime::Impl::~Impl() {
  stop();
  if (thread_.joinable()) {
    CHECK_F(thread_.get_id() != std::this_thread::get_id(), "a loop cannot destroy itself");
    thread_.join();
  }
  drop_everything();  // a loop that never ran
  timer_fd_.reset();
  work_.reset();
  // Before the members that frames of pending socket operations may use on their way out.
  io_.reset();
}

void AsioRuntime::Impl::run() {
  CHECK_F(loop_thread_.load() == std::thread::id{}, "the loop runs already");
  loop_thread_ = std::this_thread::get_id();
  if (!stopping_) io_->run();
  drop_everything();
  loop_thread_ = std::thread::id{};
}

void AsioRuntime::Impl::stop() {
  stopping_ = true;
  io_->stop();
}

bool AsioRuntime::Impl::on_loop() const {
  const std::thread::id loop = loop_thread_.load(std::memory_order_relaxed);
  return loop == std::thread::id{} || loop == std::this_thread::get_id();
}

void AsioRuntime::Impl::post(Callback callback) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    inbox_.push_back(std::move(callback));
    wake = !std::exchange(scheduled_, true);
  }
  if (wake) asio::post(*io_, [this] { drain(); });
}

void AsioRuntime::Impl::drain() {
  {
    std::lock_guard lock(mutex_);
    batch_.swap(inbox_);
  }
  for (Callback& callback : batch_) {
    if (stopping_.load(std::memory_order_relaxed)) return;
    callback();
    callback = nullptr;
  }
  batch_.clear();
  {
    std::lock_guard lock(mutex_);
    scheduled_ = !inbox_.empty();
    if (!scheduled_) return;
  }
  // Through the io_context again, so that timers and sockets get their turn.
  asio::post(*io_, [this] { drain(); });
}

TimerId AsioRuntime::Impl::at(MonoTime when, Callback callback) {
  CHECK(on_loop());
  if (stopping_) return 0;
  const TimerId id = ++last_timer_;
  timers_.emplace(std::pair(when, id), std::move(callback));
  timer_times_.emplace(id, when);
  if (when < armed_) arm(when);
  return id;
}

void AsioRuntime::Impl::cancel(TimerId timer) {
  CHECK(on_loop());
  auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return;
  auto node = timers_.extract({found->second, timer});
  timer_times_.erase(found);
  // node, and whatever its callback holds, is destroyed last: it may come back here.
}

void AsioRuntime::Impl::arm(MonoTime when) {
  armed_ = when;
  itimerspec spec = {};
  const std::int64_t us = std::max<std::int64_t>(when.us(), 1);  // zero would disarm it
  spec.it_value.tv_sec = us / 1'000'000;
  spec.it_value.tv_nsec = us % 1'000'000 * 1000;
  CHECK(timerfd_settime(timer_fd_->native_handle(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
}

void AsioRuntime::Impl::wait_for_timer() {
  timer_fd_->async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    std::uint64_t expirations = 0;
    const ssize_t n = ::read(timer_fd_->native_handle(), &expirations, sizeof expirations);
    CHECK(n == sizeof expirations || errno == EAGAIN || errno == EINTR);
    fire_timers();
    if (!stopping_) wait_for_timer();
  });
}

void AsioRuntime::Impl::fire_timers() {
  armed_ = MonoTime::max();
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
  if (!timers_.empty() && timers_.begin()->first.first < armed_) arm(timers_.begin()->first.first);
}

void AsioRuntime::Impl::run_blocking(Callback work, Callback done) {
  CHECK(on_loop());
  if (stopping_) return;
  if (!options_.pool) options_.pool = std::make_shared<BlockingPool>(2);
  const std::uint64_t id = ++last_blocking_;
  blocking_.emplace(id, std::move(done));
  options_.pool->submit([this, gate = gate_, id, work = std::move(work)]() mutable {
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

void AsioRuntime::Impl::drop_everything() {
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

AsioRuntime::AsioRuntime() : AsioRuntime(Options()) {}
AsioRuntime::AsioRuntime(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
AsioRuntime::~AsioRuntime() = default;

void AsioRuntime::run() { impl_->run(); }
void AsioRuntime::start_thread() {
  CHECK(!impl_->thread_.joinable());
  impl_->thread_ = std::thread([this] { impl_->run(); });
  pthread_setname_np(impl_->thread_.native_handle(), impl_->options_.name.substr(0, 15).c_str());
}
void AsioRuntime::stop() { impl_->stop(); }
void AsioRuntime::join() {
  if (impl_->thread_.joinable()) impl_->thread_.join();
}
bool AsioRuntime::on_loop() const { return impl_->on_loop(); }
asio::io_context& AsioRuntime::context() { return *impl_->io_; }

MonoTime AsioRuntime::now() const { return MonoTime(clock_us(CLOCK_BOOTTIME)); }
WallTime AsioRuntime::wall_now() const { return WallTime(clock_us(CLOCK_REALTIME)); }
std::uint64_t AsioRuntime::random() { return impl_->random_(); }
asio::any_io_executor AsioRuntime::executor() { return LoopExecutor(this, impl_->io_.get()); }
void AsioRuntime::post(Callback callback) { impl_->post(std::move(callback)); }
TimerId AsioRuntime::at(MonoTime when, Callback callback) { return impl_->at(when, std::move(callback)); }
void AsioRuntime::cancel(TimerId timer) { impl_->cancel(timer); }
void AsioRuntime::run_blocking(Callback work, Callback done) { impl_->run_blocking(std::move(work), std::move(done)); }

}  // namespace meridian
