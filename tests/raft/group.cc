#include "tests/raft/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "raft/membership.h"

namespace meridian::raft::testing {

std::string_view name_of(MessageType type) {
  switch (type) {
    case MessageType::kAppend: return "Append";
    case MessageType::kAppendResponse: return "AppendResponse";
    case MessageType::kHeartbeat: return "Heartbeat";
    case MessageType::kHeartbeatResponse: return "HeartbeatResponse";
    case MessageType::kPreVote: return "PreVote";
    case MessageType::kPreVoteResponse: return "PreVoteResponse";
    case MessageType::kVote: return "Vote";
    case MessageType::kVoteResponse: return "VoteResponse";
    case MessageType::kTimeoutNow: return "TimeoutNow";
    case MessageType::kSnapshot: return "Snapshot";
    case MessageType::kReadIndex: return "ReadIndex";
    case MessageType::kReadIndexResponse: return "ReadIndexResponse";
    case MessageType::kRemoved: return "Removed";
    case MessageType::kLostMemory: return "LostMemory";
  }
  return "?";
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kFollower: return "follower";
    case Role::kPreCandidate: return "pre-candidate";
    case Role::kCandidate: return "candidate";
    case Role::kLeader: return "leader";
    case Role::kLearner: return "learner";
  }
  return "?";
}

std::string describe(const Message& m) {
  std::string out = fmt::format("{}>{} {} term={}", m.from, m.to, name_of(m.type), m.term);
  switch (m.type) {
    case MessageType::kAppend:
      out += fmt::format(" after={}/{} commit={}", m.log_index, m.log_term, m.commit);
      if (!m.entries.empty()) {
        out += fmt::format(" entries={}", m.entries.front().index);
        if (m.entries.size() > 1) out += fmt::format("..{}", m.entries.back().index);
      }
      break;
    case MessageType::kAppendResponse:
      if (m.reject) out += fmt::format(" REJECT after={} hint={}/{}", m.log_index, m.hint_index, m.hint_term);
      if (!m.reject) out += fmt::format(" match={}", m.log_index);
      break;
    case MessageType::kHeartbeat: out += fmt::format(" commit={}", m.commit); break;
    case MessageType::kPreVote:
    case MessageType::kVote:
      out += fmt::format(" log={}/{}{}", m.log_index, m.log_term, m.transfer ? " transfer" : "");
      break;
    case MessageType::kPreVoteResponse:
    case MessageType::kVoteResponse: out += m.reject ? " refused" : " granted"; break;
    case MessageType::kSnapshot: out += fmt::format(" state={}/{}", m.snapshot.index, m.snapshot.term); break;
    case MessageType::kRemoved: out += fmt::format(" by={}", m.log_index); break;
    case MessageType::kLostMemory:
      out += fmt::format(" {}={}/{}", m.reject ? "ends at" : "held", m.log_index, m.log_term);
      break;
    case MessageType::kTimeoutNow:
      if (m.answered != 0) out += fmt::format(" answered={} log={}/{}", m.answered, m.log_index, m.log_term);
      break;
    default: break;
  }
  return out;
}

Node& Group::add_node(Options options, Membership membership, LogIndex base) {
  Node& n = nodes_[options.id.value()];
  CHECK_F(!n.core.has_value() && n.id == ReplicaId(), "node {} exists", options.id);
  n.id = options.id;
  n.options = options;
  n.base = n.view.base = n.flushed.applied = base;
  n.base_term = n.view.base_term = n.flushed.term = Term(base == LogIndex() ? 0 : 1);
  n.flushed.membership = std::move(membership);
  judge.on_bootstrap(base);
  return n;
}

Node& Group::node(ReplicaId id) {
  const auto it = nodes_.find(id.value());
  CHECK_F(it != nodes_.end(), "no node {}", id);
  return it->second;
}

std::vector<ReplicaId> Group::ids() const {
  std::vector<ReplicaId> out;
  for (const auto& [id, n] : nodes_) out.emplace_back(id);
  return out;
}

std::vector<ReplicaId> Group::running() const {
  std::vector<ReplicaId> out;
  for (const auto& [id, n] : nodes_) {
    if (n.core) out.emplace_back(id);
  }
  return out;
}

std::int64_t Group::true_us(const Node& n, MonoTime t) const {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(t.us() - n.clock_offset) / n.rate));
}

void Group::start(Node& n) {
  InitialState initial;
  initial.fresh = n.fresh;
  initial.hard_state = n.hard_state;
  initial.base.index = n.base;
  initial.base.term = n.base_term;
  // What is applied stays on the disk.
  const std::size_t stored = std::min<std::size_t>(n.flushed.applied - n.base, n.entries.size());
  for (std::size_t i = 0; i < stored; ++i)
    initial.stored.push_back({n.entries[i].index, n.entries[i].index, n.entries[i].term});
  initial.entries.assign(n.entries.begin() + static_cast<std::ptrdiff_t>(stored), n.entries.end());
  initial.applied = n.flushed.applied;
  initial.membership = n.flushed.membership;
  n.machine = n.flushed;
  n.core.emplace(n.options, std::move(initial), clock(n));
  n.role = n.core->status().role;
  observe(n);
}

void Group::restart(Node& n) {
  CHECK(!n.core);
  // The digest at the base: the machine's, taken back over the entries, is not known; recompute from the view.
  LogView view{n.base, n.view.covers(n.base) ? n.view.at(n.base).digest : 0, n.base_term, {}};
  for (const Entry& entry : n.entries) {
    view.items.push_back({entry.term, extend_digest(view.at(view.last()).digest, entry)});
  }
  n.view = std::move(view);
  start(n);
}

void Group::observe(Node& n) {
  if (!n.core) return;
  n.core->check_invariants();
  if (!n.dirty) judge.on_state(*n.core, n.view);  // else the view is older than the core
  if (const auto index = n.core->lease_read(clock(n))) judge.on_read(n.id, *index, judge.newest_commit());
  const Role role = n.core->status().role;
  if (role == n.role) return;
  n.role = role;
  log(fmt::format("{} is {} in term {}", n.id, name_of(role), n.core->term()));
}

void Group::drain(Node& n) {
  while (n.core && n.dirty) {
    n.dirty = false;
    Output out = n.core->take_output();
    take(n, std::move(out));
    observe(n);
  }
}

void Group::take(Node& n, Output out) {
  CHECK(!out.install || (out.messages.empty() && !out.persist && out.committed.empty()));
  for (Message& m : out.messages) network.push_back({std::move(m), {}});
  if (out.persist) {
    judge.on_persist(n.view, *out.persist, n.core->is_leader());
    n.persisting.push_back(std::move(*out.persist));
  }
  for (Entry& entry : out.committed) {
    // S3: what is applied is in this node's own durable log.
    CHECK_F(entry.index <= n.base + n.entries.size() && n.entries[entry.index - n.base - 1].term == entry.term,
            "{} is given {} to apply, which is not on its disk", n.id, entry.index);
    n.applying.push_back(std::move(entry));
  }
  for (const ReadState& read : out.reads) {
    if (read.index) judge.on_read(n.id, *read.index, n.asked.at(read.context));
    log(fmt::format("{} answers read {}: {}", n.id, read.context,
                    read.index ? fmt::format("as of {}", *read.index) : "leadership lost"));
  }
  n.reading.insert(n.reading.end(), out.stored_needed.begin(), out.stored_needed.end());
  for (const ReplicaId to : out.snapshots_needed) {
    log(fmt::format("{} makes a snapshot for {}", n.id, to));
    Message m;
    m.type = MessageType::kSnapshot;
    m.from = n.id;
    m.to = to;
    m.term = n.core->term();
    m.snapshot = n.core->snapshot_meta();
    CHECK(m.snapshot.index == n.machine.applied && m.snapshot.membership == n.machine.membership);
    CHECK(m.snapshot.term == n.machine.term || n.machine.applied == LogIndex());
    network.push_back({std::move(m), n.machine});
  }
  if (out.install) {
    log(fmt::format("{} starts to install a snapshot of {}", n.id, out.install->index));
    n.installing = out.install;
  }
  for (const ReplicaId id : out.lost_memory) log(fmt::format("{} finds that {} has lost its memory", n.id, id));
  if (out.stop) {
    CHECK_F(forgetful && !n.stopped, "{} stops: {}", n.id, out.stop->what);
    n.stopped = true;
    log(fmt::format("{} stops: {}", n.id, out.stop->what));
  }
  if (out.removed) {
    CHECK(!n.removed);
    n.removed = true;
    log(fmt::format("{} learns that it was removed", n.id));
  }
}

void Group::tick_if_due(Node& n) {
  if (!n.core || n.core->next_deadline() > clock(n)) return;
  act(n, [](Core& core, MonoTime now) { core.tick(now); });
  CHECK_F(n.core->next_deadline() > clock(n), "{}: tick() did not move the deadline", n.id);
}

void Group::deliver(Envelope envelope) {
  const Message& m = envelope.message;
  if (!nodes_.contains(m.to.value()) || !node(m.to).core) return drop(envelope);
  Node& to = node(m.to);
  if (m.type == MessageType::kSnapshot) to.received[m.snapshot.index.value()] = envelope.snapshot;
  act(to, [&](Core& core, MonoTime now) { core.step(now, m); });
  if (m.type != MessageType::kSnapshot || !node(m.from).core) return;
  act(node(m.from), [&](Core& core, MonoTime now) { core.snapshot_sent(now, m.to, m.snapshot.index, true); });
}

void Group::drop(const Envelope& envelope) {
  const Message& m = envelope.message;
  if (m.type != MessageType::kSnapshot || !node(m.from).core) return;
  act(node(m.from), [&](Core& core, MonoTime now) { core.snapshot_sent(now, m.to, m.snapshot.index, false); });
}

void Group::write(Node& n, const Persist& persist) {
  if (persist.hard_state) {
    n.hard_state = *persist.hard_state;
    n.fresh = false;
  }
  if (persist.truncate_from) {
    CHECK(*persist.truncate_from > n.base);
    if (*persist.truncate_from <= n.base + n.entries.size()) n.entries.resize(*persist.truncate_from - n.base - 1);
  }
  for (const Entry& entry : persist.entries) {
    CHECK_F(entry.index == n.base + n.entries.size() + 1, "{} writes {} after {}", n.id, entry.index,
            n.base + n.entries.size());
    n.entries.push_back(entry);
  }
}

bool Group::finish_persist(Node& n) {
  if (!n.core || n.persisting.empty()) return false;
  const Persist persist = std::move(n.persisting.front());
  n.persisting.pop_front();
  write(n, persist);
  act(n, [&](Core& core, MonoTime now) { core.persisted(now, persist.sequence); });
  return true;
}

bool Group::finish_read(Node& n) {
  if (!n.core || n.reading.empty()) return false;
  const StoredRead read = n.reading.front();
  n.reading.pop_front();
  std::vector<Entry> entries;  // none: the log was cut meanwhile
  std::size_t bytes = 0;
  for (LogIndex i = read.from;
       i > n.base && i <= std::min(read.last, n.base + n.entries.size()) && bytes < read.max_bytes; i = i.next()) {
    entries.push_back(n.entries[i - n.base - 1]);
    bytes += entries.back().bytes();
  }
  act(n, [&](Core& core, MonoTime now) { core.stored_read(now, read.to, std::move(entries)); });
  return true;
}

bool Group::apply(Node& n, std::size_t most) {
  if (!n.core || n.applying.empty() || n.installing) return false;
  for (; most > 0 && !n.applying.empty(); --most) {
    const Entry entry = std::move(n.applying.front());
    n.applying.pop_front();
    CHECK_F(entry.index == n.machine.applied.next(), "{} applies {} after {}", n.id, entry.index, n.machine.applied);
    n.machine.applied = entry.index;
    n.machine.term = entry.term;
    n.machine.digest = extend_digest(n.machine.digest, entry);
    if (entry.type == EntryType::kMembership) n.machine.membership = decode_membership(*entry.data).value();
    judge.on_apply(entry.index, n.machine.digest);
    if (entry.type == EntryType::kCommand) log(fmt::format("{} applies {} '{}'", n.id, entry.index, *entry.data));
    if (entry.type == EntryType::kMembership) {
      log(fmt::format("{} applies {} {}", n.id, entry.index, raft::describe(n.machine.membership)));
    }
  }
  act(n, [&](Core& core, MonoTime now) { core.applied(now, n.machine.applied); });
  return true;
}

bool Group::finish_install(Node& n) {
  if (!n.core || !n.installing) return false;
  while (finish_persist(n)) continue;  // the log store works in order
  const SnapshotMeta meta = *n.installing;
  n.installing.reset();
  n.applying.clear();
  n.machine = n.flushed = n.received.at(meta.index.value());
  CHECK(n.machine.applied == meta.index);
  judge.on_apply(meta.index, n.machine.digest);
  n.base = meta.index;
  n.base_term = meta.term;
  n.entries.clear();
  judge.on_reset(n.view, meta.index, meta.term, n.machine.digest);
  log(fmt::format("{} has installed the snapshot of {}", n.id, meta.index));
  act(n, [&](Core& core, MonoTime now) { core.snapshot_installed(now, meta); });
  return true;
}

void Group::compact(Node& n, LogIndex index) {
  index = std::min(index, n.machine.applied);
  if (!n.core || n.installing || index <= n.base) return;
  drain(n);
  flush(n);  // S4: only below what the data has durable
  const std::size_t count = index - n.base;
  const LogView::Item base = n.view.at(index);
  n.view.items.erase(n.view.items.begin(), n.view.items.begin() + static_cast<std::ptrdiff_t>(count));
  n.view.base = index;
  n.view.base_digest = base.digest;
  n.view.base_term = base.term;
  n.entries.erase(n.entries.begin(), n.entries.begin() + static_cast<std::ptrdiff_t>(count));
  n.base = index;
  n.base_term = base.term;
  act(n, [&](Core& core, MonoTime) { core.compact(index); });
}

void Group::crash(Node& n, std::size_t writes_kept) {
  CHECK(n.core);
  for (; writes_kept > 0 && !n.persisting.empty(); --writes_kept) {
    write(n, n.persisting.front());
    n.persisting.pop_front();
  }
  n.core.reset();
  n.persisting.clear();
  n.reading.clear();
  n.applying.clear();
  n.installing.reset();
  n.received.clear();
  n.asked.clear();
  n.dirty = n.removed = n.stopped = false;
}

void Group::roll_back(Node& n) {
  CHECK(!n.core && n.copy);
  forgetful = true;
  static_cast<Disk&>(n) = n.copy->first;
  n.view = n.copy->second;
}

}  // namespace meridian::raft::testing
