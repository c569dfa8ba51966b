// Emptying and removing the oldest segment.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/fault.h"
#include "shard/log/format.h"
#include "shard/log/segmented_log.h"

namespace meridian {
namespace {

// Of one batch: small enough not to hold up what others wait for.
constexpr std::size_t kSmallRewriteBytes = 256;
constexpr std::size_t kRewriteBytes = 1 << 20;

}  // namespace

bool SegmentedLog::worth_rewriting() const {
  const Segment& oldest = segments_.front();
  if (static_cast<double>(oldest.live) < options_.rewrite_below * static_cast<double>(oldest.bytes)) return true;
  if (BUGGIFY("log.rewrite_eagerly")) return true;
  const LogStats now = stats();
  return now.bytes_on_disk > options_.max_bytes && now.bytes_on_disk > 3 * now.bytes_live;
}

// One step, when something may have changed: choose a segment, or restate some more of it. A step ends with
// a batch whose completion comes back here.
void SegmentedLog::maybe_rewrite() {
  if (failed_ || full_ || dropping_ || rewrite_step_pending_) return;
  if (rewriting_ == 0) {
    // The last segment is never the one: it is being written.
    if (segments_.size() < 2 || !worth_rewriting()) return;
    rewriting_ = segments_.front().number;
    const auto items = table_.stated_below(segments_[1].first_sequence);
    rewrite_items_.assign(items.begin(), items.end());
  }
  rewrite_some();
}

void SegmentedLog::rewrite_some() {
  const std::uint64_t end = segments_[1].first_sequence;
  const std::size_t step = BUGGIFY("log.small_rewrite_steps") ? kSmallRewriteBytes : kRewriteBytes;
  Batch& batch = open_batch();
  const std::size_t before = batch.bytes.size();
  while (!rewrite_items_.empty() && batch.bytes.size() - before < step) {
    const std::size_t room = step - (batch.bytes.size() - before);
    if (table_.restate(rewrite_items_.front(), end, batch.sequence, room, batch.bytes)) rewrite_items_.pop_front();
  }
  totals_.bytes_rewritten += batch.bytes.size() - before;
  const bool restated_all = rewrite_items_.empty();
  if (restated_all) {
    CHECK_F(segments_.front().live == 0, "segment {} is to be removed with {} live bytes", rewriting_,
            segments_.front().live);
    log_format::append_record(batch.bytes, log_format::Record(log_format::FirstSegment{rewriting_ + 1}));
    batch.drop_below = rewriting_ + 1;
    dropping_ = true;
  } else {
    PROBE("log.rewrite_in_steps");
    rewrite_step_pending_ = true;
    batch.rewrite_step = true;
  }
  urgent_ = true;
}

// The record that says so is on disk, and with it all that was restated.
void SegmentedLog::remove_segments_below(std::uint64_t number) {
  PROBE("log.segment_removed");
  std::vector<std::string> paths;
  for (; segments_.front().number < number; segments_.pop_front()) {
    paths.push_back(directory_ + "/" + log_format::segment_name(segments_.front().number));
  }
  first_segment_ = number;
  rewriting_ = 0;
  dropping_ = false;
  totals_.segments_removed += paths.size();
  auto result = std::make_shared<Result<>>();
  runtime_.run_blocking(
      // In whatever order these reach the disk: a start removes what is left of them.
      [&fs = fs_, directory = directory_, paths = std::move(paths), result] {
        for (const std::string& path : paths) {
          if (*result) *result = fs.remove(path);
        }
        if (*result) *result = fs.sync_directory(directory);
      },
      [this, alive = std::weak_ptr<bool>(alive_), result] {
        if (const auto lock = alive.lock(); lock && *lock && !*result) fail(result->error());
      });
}

}  // namespace meridian
