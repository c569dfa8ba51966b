// limit_log: batches of puts into the log alone, each batch one entry that is written and synced before the next: what
// a replica could do if it had nothing to do but to keep its log.
#include <memory>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/posix_file.h"
#include "shard/log/log_store.h"
#include "tests/limits/limit.h"
#include "tests/limits/puts.h"

namespace meridian::limits {
namespace {

// So many entries stay in the log: it creates, rewrites and removes segments as a replica's does.
constexpr std::uint64_t kKeptBytes = 16 << 20;

class LogLoad {
 public:
  LogLoad(EventLoop& runtime, LogStore& log, const LimitOptions& options)
      : runtime_(runtime), log_(log), options_(options) {
    // Made beforehand: encoding is not the log's work. The stamps do not matter to it, so they come again.
    Puts puts(options.batch, options.value_bytes);
    for (int i = 0; i < 16; ++i) entries_.push_back(puts.next(runtime.wall_now()));
    kept_ = std::max<std::uint64_t>(kKeptBytes / entries_.front().bytes(), 16);
  }

  Figures run() {
    started_ = runtime_.now();
    end_ = started_ + options_.duration();
    runtime_.post([this] { append(); });
    runtime_.run();
    figures_.took = runtime_.now() - started_;
    return std::move(figures_);
  }

 private:
  void append() {
    const MonoTime begun = runtime_.now();
    if (begun >= end_) return runtime_.stop();
    index_ = index_.next();
    raft::Entry entry = entries_[index_.value() % entries_.size()];
    entry.index = index_;
    LogUpdate update{.shard = kShard, .replica = kReplica};
    update.entries.push_back(std::move(entry));
    std::vector<LogUpdate> updates;
    updates.push_back(std::move(update));
    if (index_.value() % kept_ == 0 && index_.value() > 2 * kept_) {
      log_.truncate_prefix(kShard, {LogIndex(index_.value() - kept_), kTerm});
    }
    log_.append(std::move(updates), [this, begun] {
      figures_.operations += options_.batch;
      figures_.latency_us.record(static_cast<std::uint64_t>((runtime_.now() - begun).count()));
      append();
    });
  }

  EventLoop& runtime_;
  LogStore& log_;
  const LimitOptions& options_;
  std::vector<raft::Entry> entries_;
  std::uint64_t kept_ = 0;
  LogIndex index_;
  MonoTime started_, end_;
  Figures figures_;
};

Result<Figures> measure(const LimitOptions& options) {
  ASSIGN_OR_RETURN(const auto scratch, ScratchDirectory::make(options.directory));
  EventLoop runtime;
  PosixFileSystem fs;
  ASSIGN_OR_RETURN(const OpenedLog opened, open_segmented_log(runtime, fs, options.directory + "/log", {}));
  return LogLoad(runtime, *opened.store, options).run();
}

}  // namespace
}  // namespace meridian::limits

int main(int argc, char** argv) {
  using namespace meridian::limits;
  LimitOptions options;
  if (const auto code = parse("limit_log", "Synced batches into the log alone.", OnDisk::kYes, argc, argv, options)) {
    return *code;
  }
  const meridian::Result<Figures> figures = measure(options);
  return figures ? report("log", options, *figures) : report_failure("limit_log", figures.error());
}
