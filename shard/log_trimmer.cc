#include "shard/log_trimmer.h"

#include <algorithm>
#include <optional>

#include "base/fault.h"
#include "shard/applied_state.h"
#include "txn/mvcc.h"

namespace meridian {

void LogTrimmer::applied(std::size_t bytes) {
  since_trim_ += bytes;
  since_flush_ += bytes;
  if (since_trim_ >= deps_.options.trim_after_bytes || BUGGIFY("log_trimmer.eager")) trim();
}

void LogTrimmer::trim() {
  if (running_) return;
  running_ = true;
  since_trim_ = 0;
  const bool flush = since_flush_ >= deps_.options.flush_after_bytes || BUGGIFY("log_trimmer.flush");
  if (flush) since_flush_ = 0;
  auto persisted = std::make_shared<Result<LogIndex>>(LogIndex());
  deps_.runtime.run_blocking(
      [persisted, flush, &engine = deps_.engine, shard = deps_.options.shard] {
        *persisted = [&]() -> Result<LogIndex> {
          if (flush) RETURN_IF_ERROR(engine.flush());
          ASSIGN_OR_RETURN(const auto stored, engine.get_persisted(txn::local_key(shard)));
          if (!stored) return LogIndex();
          ASSIGN_OR_RETURN(const AppliedState state, decode_applied_state(*stored));
          return state.index;
        }();
      },
      lifetime_.guard([this, persisted, generation = generation_] {
        running_ = false;
        if (generation != generation_) return;
        if (!*persisted) {
          // A full disk passes; the log only grows meanwhile. Anything else does not.
          if (persisted->error().code() == ErrorCode::kDiskFull) return;
          return deps_.fatal(std::move(*persisted).error());
        }
        trim_to(**persisted);
      }));
}

// What lies before it is needed by nobody, as far as this replica knows. A follower does not know how far the others
// are, and may lead next: it keeps the tail.
LogIndex LogTrimmer::needed_by_followers(LogIndex target, const raft::Status& status) const {
  if (DELIBERATE_BUG("trim_at_flush")) return target;
  const ReplicaOptions& options = deps_.options;
  if (!BUGGIFY("log_trimmer.no_tail")) {
    target = std::min(target, deps_.log.index_before_last(options.shard, options.keep_log_bytes));
  }
  for (const raft::FollowerStatus& f : status.followers) {
    if (f.lost_memory) continue;
    const std::optional<LogIndex> holds = f.snapshotting ? deps_.snapshots.on_its_way(f.id) : f.holds;
    if (!holds || *holds >= target) continue;
    if (deps_.log.bytes_after(options.shard, *holds) > options.max_log_bytes) {
      PROBE("log_trimmer.follower_left_behind");
      continue;
    }
    target = *holds;
  }
  return target;
}

void LogTrimmer::trim_to(LogIndex persisted) {
  const raft::Status status = deps_.core.status();
  LogIndex target = DELIBERATE_BUG("truncate_above_flush") ? status.applied : std::min(persisted, status.applied);
  target = needed_by_followers(target, status);
  if (target < status.first_index) return;
  const Term term = deps_.core.term_at(target);
  deps_.core.compact(target);
  deps_.log.truncate_prefix(deps_.options.shard, LogBase{target, term});
}

}  // namespace meridian
