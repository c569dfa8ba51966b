// limit_storage: the storage work of one replica and nothing else. A batch of puts is one log entry, written and
// synced; then it is applied to RocksDB as shard/replica.cc does it. The next batch is on its way to the disk while
// the last one is applied, so two batches are in flight: an upper bound for a closed loop of so many callers as one
// has puts. Three of these at once are what one machine's disk and processors leave to a cluster on it.
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/check.h"
#include "base/posix_file.h"
#include "server/rocks/rocks_engine.h"
#include "shard/log/log_store.h"
#include "shard/options.h"
#include "shard/state_machine.h"
#include "tests/limits/limit.h"
#include "tests/limits/puts.h"
#include "txn/mvcc.h"

namespace meridian::limits {
namespace {

// As a node's configuration has them by default (server/config.h).
constexpr std::size_t kBlockCache = 32 << 20;
constexpr std::size_t kWriteBuffer = 16 << 20;
constexpr std::size_t kInFlight = 2;  // one on its way to the disk, one that is applied
constexpr std::uint64_t kPreloadBatch = 1'000;

class StorageWork {
 public:
  StorageWork(EventLoop& runtime, LogStore& log, Engine& engine, StateMachine machine, const LimitOptions& options)
      : runtime_(runtime),
        log_(log),
        engine_(engine),
        machine_(std::move(machine)),
        options_(options),
        puts_(options.batch, options.value_bytes),
        preloaded_(machine_.state().index) {}

  Figures run() {
    const MonoTime started = runtime_.now();
    end_ = started + options_.duration();
    runtime_.post([this] { begin(); });
    runtime_.run();
    figures_.took = last_applied_ - started;
    return std::move(figures_);
  }

 private:
  struct Batch {
    raft::Entry entry;
    MonoTime begun;
  };

  void begin() {
    const MonoTime now = runtime_.now();
    if (now >= end_) {
      if (in_flight_ == 0 && !trimming_) runtime_.stop();
      return;
    }
    if (appending_ || in_flight_ == kInFlight) return;
    appending_ = true;
    ++in_flight_;
    Batch batch{puts_.next(runtime_.wall_now()), now};
    batch.entry.index = preloaded_ + batch.entry.index.value();
    LogUpdate update{.shard = kShard, .replica = kReplica};
    if (puts_.last() == LogIndex(1)) update.reset = LogBase{preloaded_, kTerm};
    update.entries.push_back(batch.entry);
    std::vector<LogUpdate> updates;
    updates.push_back(std::move(update));
    log_.append(std::move(updates), [this, batch = std::move(batch)]() mutable {
      appending_ = false;
      to_apply_.push_back(std::move(batch));
      begin();
      apply_next();
    });
  }

  // Posted, so that the log has started its next write before this takes the loop.
  void apply_next() {
    if (applying_ || to_apply_.empty()) return;
    applying_.emplace(std::move(to_apply_.front()));
    to_apply_.pop_front();
    runtime_.post([this] {
      prepared_ = machine_.prepare({applying_->entry});
      const Result<> written = engine_.write(prepared_.batch, MayBlock::kNo);
      if (written || written.error().code() != ErrorCode::kWouldBlock) return applied(written);
      auto result = std::make_shared<Result<>>();
      runtime_.run_blocking([this, result] { *result = engine_.write(prepared_.batch, MayBlock::kYes); },
                            [this, result] { applied(*result); });
    });
  }

  void applied(const Result<>& written) {
    CHECK_F(written.has_value(), "the data cannot be written: {}", written.error().to_string());
    last_applied_ = runtime_.now();
    figures_.operations += options_.batch;
    figures_.latency_us.record(static_cast<std::uint64_t>((last_applied_ - applying_->begun).count()));
    since_trim_ += prepared_.batch.bytes();
    machine_.written(prepared_);
    applying_.reset();
    --in_flight_;
    trim();
    begin();
    apply_next();
  }

  // What shard/log_trimmer.cc does where no follower lags.
  void trim() {
    if (trimming_ || since_trim_ < ReplicaOptions().trim_after_bytes) return;
    trimming_ = true;
    since_trim_ = 0;
    auto persisted = std::make_shared<LogIndex>();
    runtime_.run_blocking(
        [this, persisted] {
          const auto stored = engine_.get_persisted(txn::local_key(kShard));
          CHECK_F(stored.has_value(), "the data cannot be read: {}", stored.error().to_string());
          if (*stored) *persisted = decode_applied_state(**stored)->index;
        },
        [this, persisted] {
          trimming_ = false;
          if (*persisted > preloaded_) log_.truncate_prefix(kShard, {*persisted, kTerm});
          begin();
        });
  }

  EventLoop& runtime_;
  LogStore& log_;
  Engine& engine_;
  StateMachine machine_;
  const LimitOptions& options_;
  Puts puts_;
  const LogIndex preloaded_;

  MonoTime end_, last_applied_;
  std::size_t in_flight_ = 0;
  bool appending_ = false;
  std::deque<Batch> to_apply_;
  std::optional<Batch> applying_;
  PreparedApply prepared_;
  bool trimming_ = false;
  std::size_t since_trim_ = 0;
  Figures figures_;
};

// As many puts as there are keys, into the data alone.
Result<StateMachine> preload(Engine& engine, const Runtime& runtime, std::uint64_t value_bytes) {
  ASSIGN_OR_RETURN(StateMachine machine, load_state_machine(engine, kShard));
  Puts puts(kPreloadBatch, value_bytes);
  for (std::uint64_t i = 0; i < kKeys / kPreloadBatch; ++i) {
    PreparedApply prepared = machine.prepare({puts.next(runtime.wall_now())});
    RETURN_IF_ERROR(engine.write(prepared.batch, MayBlock::kYes));
    machine.written(prepared);
  }
  return machine;
}

Result<Figures> measure(const LimitOptions& options) {
  ASSIGN_OR_RETURN(const auto scratch, ScratchDirectory::make(options.directory));
  RocksOptions rocks;
  rocks.path = options.directory + "/data";
  rocks.block_cache_bytes = kBlockCache;
  rocks.write_buffer_bytes = kWriteBuffer;
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, open_rocks_engine(rocks));
  EventLoop runtime;
  ASSIGN_OR_RETURN(StateMachine machine, preload(*engine, runtime, options.value_bytes));
  PosixFileSystem fs;
  ASSIGN_OR_RETURN(const OpenedLog opened, open_segmented_log(runtime, fs, options.directory + "/log", {}));
  return StorageWork(runtime, *opened.store, *engine, std::move(machine), options).run();
}

}  // namespace
}  // namespace meridian::limits

int main(int argc, char** argv) {
  using namespace meridian::limits;
  LimitOptions options;
  if (const auto code =
          parse("limit_storage", "The storage work of one replica: log and data.", OnDisk::kYes, argc, argv, options)) {
    return *code;
  }
  const meridian::Result<Figures> figures = measure(options);
  return figures ? report("storage", options, *figures) : report_failure("limit_storage", figures.error());
}
