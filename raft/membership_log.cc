#include "raft/membership_log.h"

#include <algorithm>

#include "base/check.h"

namespace meridian::raft {

const MembershipLog::Record& MembershipLog::as_of(LogIndex index) const {
  auto it = std::find_if(records_.rbegin(), records_.rend(), [&](const Record& r) { return r.index <= index; });
  CHECK_F(it != records_.rend(), "no membership as of {}", index);
  return *it;
}

bool MembershipLog::was_member_before(LogIndex index) const {
  if (pruned_member_) return true;
  const LogIndex newest = as_of(index).index;
  return std::any_of(records_.begin(), records_.end(),
                     [&](const Record& r) { return r.index < newest && r.membership.contains(self_); });
}

void MembershipLog::append(LogIndex index, Membership membership) {
  CHECK_F(index > records_.back().index, "membership at {} after {}", index, records_.back().index);
  records_.push_back({index, std::move(membership)});
}

bool MembershipLog::truncate(LogIndex from) {
  CHECK(records_.front().index < from);
  const std::size_t before = records_.size();
  while (records_.back().index >= from) records_.pop_back();
  return records_.size() != before;
}

void MembershipLog::reset(LogIndex index, Membership membership, LogIndex committed) {
  pruned_member_ = pruned_member_ || std::any_of(records_.begin(), records_.end(), [&](const Record& r) {
                     return r.index < index && r.index <= committed && r.membership.contains(self_);
                   });
  records_ = {{index, std::move(membership)}};
}

void MembershipLog::prune(LogIndex applied) {
  std::size_t keep = 0;
  while (keep + 1 < records_.size() && records_[keep + 1].index <= applied) ++keep;
  for (std::size_t i = 0; i < keep; ++i) pruned_member_ = pruned_member_ || records_[i].membership.contains(self_);
  records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(keep));
}

}  // namespace meridian::raft
