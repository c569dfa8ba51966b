#include "shard/log_trimmer.h"

#include <algorithm>

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

void LogTrimmer::trim_to(LogIndex persisted) {
  const raft::Status status = deps_.core.status();
  LogIndex target = DELIBERATE_BUG("truncate_above_flush") ? status.applied : std::min(persisted, status.applied);
  const std::size_t kept = deps_.core.retained_bytes();
  const bool keep_tail = kept <= deps_.options.keep_log_bytes && !BUGGIFY("log_trimmer.no_tail");
  if (keep_tail) {
    // Followers that are within reach are served from the log.
    for (const raft::FollowerStatus& f : status.followers) {
      if (f.recently_active && !f.snapshotting) target = std::min(target, f.match);
    }
    // A follower does not know how far the others are; it may lead next.
    if (status.followers.empty()) return;
  }
  if (target < status.first_index) return;
  const Term term = deps_.core.term_at(target);
  deps_.core.compact(target);
  deps_.log.truncate_prefix(deps_.options.shard, LogBase{target, term});
}

}  // namespace meridian
