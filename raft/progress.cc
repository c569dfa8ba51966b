#include "raft/progress.h"

#include <algorithm>

#include "base/check.h"

namespace meridian::raft {

bool Progress::may_send(std::size_t max_inflight_bytes) const {
  if (lost != LogIndex()) return false;
  switch (state) {
    case State::kProbe: return !probe_sent;
    case State::kReplicate: return inflight_bytes_ < max_inflight_bytes;
    case State::kSnapshot: return false;
  }
  return false;
}

void Progress::sent(LogIndex last, std::size_t bytes) {
  if (state == State::kProbe) {
    probe_sent = true;
    return;
  }
  CHECK(state == State::kReplicate && last >= next);
  inflight_.push_back({last, bytes});
  inflight_bytes_ += bytes;
  next = last.next();
}

bool Progress::acknowledge(LogIndex index) {
  while (!inflight_.empty() && inflight_.front().last <= index) {
    inflight_bytes_ -= inflight_.front().bytes;
    inflight_.pop_front();
  }
  if (index <= match) return false;
  match = index;
  next = std::max(next, match.next());
  return true;
}

std::size_t Progress::take_stored(std::size_t max_bytes, std::vector<Entry>& out) {
  CHECK(has_stored());
  std::size_t bytes = 0;
  while (!stored.empty() && (bytes == 0 || bytes + stored.front().bytes() <= max_bytes)) {
    bytes += stored.front().bytes();
    out.push_back(std::move(stored.front()));
    stored.pop_front();
  }
  return bytes;
}

void Progress::lose(LogIndex had) {
  lost = had;
  match = LogIndex();
  acked_round = 0;
  become_probe(LogIndex(1));
}

void Progress::refuse(MonoTime now, Duration pause) {
  refused_until = now + pause * (1 << std::min(refusals, 5U));
  ++refusals;
}

void Progress::become_probe(LogIndex next_index) {
  stored.clear();
  state = State::kProbe;
  probe_sent = false;
  inflight_.clear();
  inflight_bytes_ = 0;
  next = std::max(next_index, match.next());
}

void Progress::become_replicate() {
  become_probe(match.next());
  state = State::kReplicate;
}

void Progress::become_snapshot() {
  become_probe(match.next());
  state = State::kSnapshot;
}

void Progress::check_invariants() const {
  CHECK_F(match < next, "replica {}: match {} next {}", id, match, next);
  CHECK(state == State::kReplicate || inflight_.empty());
  std::size_t bytes = 0;
  LogIndex last = match;
  for (const Send& send : inflight_) {
    CHECK(send.last > last && send.last < next);
    last = send.last;
    bytes += send.bytes;
  }
  CHECK(bytes == inflight_bytes_);
}

}  // namespace meridian::raft
