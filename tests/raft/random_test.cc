// 3 to 7 cores over a network that loses, duplicates and reorders, with partitions, power cuts, slow disks, skewed
// clocks, membership changes, transfers, snapshots. After every step the judge checks the paper's five safety
// properties and that no read is stale; at the end everything is healed and must make progress.
//
//   raft_random_test [--seed N] [--seeds COUNT] [--seconds LIMIT] [--steps COUNT] [--bug NAME] [--verbose]
#include <fmt/format.h>

#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "base/check.h"
#include "base/fault.h"
#include "raft/hasher.h"
#include "raft/membership.h"
#include "tests/raft/group.h"

namespace meridian::raft::testing {
namespace {

char g_failure_note[128];

// Deliberate bugs by name, and which rare paths were taken.
class Hooks : public FaultHooks {
 public:
  bool buggify(std::string_view) override { return false; }
  void failpoint(std::string_view) override {}
  void probe(std::string_view point) override { probes.emplace(point); }
  bool deliberate_bug(std::string_view name) override { return name == bug; }
  std::string bug;
  std::set<std::string> probes;
};

struct Totals {
  std::uint64_t seeds = 0, steps = 0, commits = 0, leaders = 0, crashes = 0, reads = 0, changes = 0;
};

class Run {
 public:
  Run(std::uint64_t seed, bool verbose) : random_(seed) {
    if (verbose) {
      std::setvbuf(stdout, nullptr, _IOLBF, 0);
      group_.log = [this](std::string what) { fmt::print("{:8.1f} ms  {}\n", group_.true_time.us() / 1e3, what); };
    }
    make_group();
  }

  std::uint64_t go(int steps, Totals& totals) {
    for (int i = 0; i < steps; ++i) {
      step();
      ++totals.steps;
    }
    heal();
    totals.commits += group_.judge.newest_commit().value();
    totals.leaders += group_.judge.leaders_seen();
    totals.crashes += crashes_;
    totals.changes += changes_;
    totals.reads += reads_;
    Hasher h;
    for (const ReplicaId id : group_.ids()) {
      Node& n = group_.node(id);
      if (n.core) h.add(n.core->hash(group_.clock(n)));
    }
    return h.value();
  }

 private:
  bool chance(double p) { return static_cast<double>(random_.next() >> 11) * 0x1p-53 < p; }

  Options options_for(ReplicaId id) {
    Options o;
    o.id = id;
    o.seed = random_.next();
    o.priority = priorities_ ? static_cast<std::uint32_t>(random_.below(3)) : 0;
    if (small_) {
      o.max_append_bytes = 150;
      o.max_inflight_bytes = 500;
      o.max_uncommitted_bytes = 5000;
    }
    return o;
  }

  void add(ReplicaId id, Membership membership, LogIndex base) {
    Node& n = group_.add_node(options_for(id), std::move(membership), base);
    n.rate = 1 + 0.0099 * (static_cast<double>(random_.below(2001)) / 1000 - 1);
    n.clock_offset = static_cast<std::int64_t>(random_.below(1'000'000'000));
    group_.start(n);
  }

  void make_group() {
    loss_ = chance(0.3) ? 0 : 0.3 * static_cast<double>(random_.below(1000)) / 1000;
    duplication_ = chance(0.5) ? 0 : 0.1;
    late_chance_ = chance(0.5) ? 0 : 0.01;
    reorder_ = chance(0.3) ? 0 : 0.3;
    disk_ = chance(0.3) ? 0.1 : 0.6;
    faults_ = chance(0.2) ? 0.1 : chance(0.5) ? 1 : 3;
    priorities_ = chance(0.4);
    small_ = chance(0.5);
    const std::uint64_t count = 3 + random_.below(5);
    Membership membership;
    for (std::uint64_t i = 1; i <= count; ++i) membership.voters.emplace_back(i);
    const LogIndex base(chance(0.5) ? 10 : 0);
    for (const ReplicaId id : std::vector(membership.voters)) add(id, membership, base);
    next_id_ = count + 1;
  }

  Node& any(const std::vector<ReplicaId>& ids) { return group_.node(ids[random_.below(ids.size())]); }

  bool cut(ReplicaId from, ReplicaId to) const { return cuts_.contains({from.value(), to.value()}); }

  void step() {
    if (chance(0.3)) advance();
    deliver_some();
    std::vector<ReplicaId> up = group_.running();
    std::erase_if(up, [&](ReplicaId id) { return paused(id); });
    for (const ReplicaId id : up) work(group_.node(id));
    if (!up.empty()) client(any(up));
    if (chance(0.02 * faults_)) disturb();
    if (chance(0.01)) operate();
  }

  void advance() {
    const std::uint64_t limit = chance(0.03) ? 700'000 : 20'000;
    group_.true_time = group_.true_time + Duration(static_cast<std::int64_t>(random_.below(limit)));
    for (const ReplicaId id : group_.running()) {
      Node& n = group_.node(id);
      // Whoever asks a leader that has just woken is answered before it hears anything.
      if (const auto index = n.core->lease_read(group_.clock(n))) {
        group_.judge.on_read(id, *index, group_.judge.newest_commit());
      }
      if (paused(id) || chance(0.1)) continue;  // a stalled loop: the tick comes late
      group_.tick_if_due(n);
    }
    for (std::size_t i = 0; i < late_.size(); ++i) {
      if (!chance(0.02)) continue;
      group_.network.push_back(std::move(late_[i]));
      late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  bool paused(ReplicaId id) const {
    const auto it = paused_until_.find(id.value());
    return it != paused_until_.end() && it->second > group_.true_time;
  }

  void deliver_some() {
    std::size_t count = group_.network.empty() ? 0 : 1 + random_.below(1 + group_.network.size() / 2);
    for (; count > 0 && !group_.network.empty(); --count) {
      const std::size_t at = chance(reorder_) ? random_.below(group_.network.size()) : 0;
      Envelope e = group_.network[at];
      if (paused(e.message.to)) {
        if (!chance(0.1)) continue;  // most of it waits in the socket
      }
      if (chance(duplication_)) {
        if (e.message.type == MessageType::kSnapshot) continue;
      } else {
        group_.network.erase(group_.network.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (chance(late_chance_) || (late_chance_ > 0 && e.message.type == MessageType::kTimeoutNow && chance(0.5))) {
        late_.push_back(std::move(e));
        continue;
      }
      if (paused(e.message.to)) {
        group_.drop(e);
        continue;
      }
      if (chance(loss_) || cut(e.message.from, e.message.to)) {
        group_.drop(e);
        if (e.message.type == MessageType::kAppend && chance(0.2) && group_.node(e.message.from).core) {
          group_.act(group_.node(e.message.from), [&](Core& core, MonoTime) { core.report_unreachable(e.message.to); });
        }
      } else {
        group_.deliver(std::move(e));
      }
    }
  }

  void work(Node& n) {
    if (chance(0.8)) group_.drain(n);
    while (chance(disk_) && group_.finish_persist(n)) continue;
    if (chance(0.5)) group_.apply(n, 1 + random_.below(20));
    if (chance(0.1)) group_.finish_install(n);
    while (chance(0.7) && group_.finish_read(n)) continue;
    if (n.core && chance(0.1)) n.core->limit_memory(random_.below(200));
    if (chance(0.01)) group_.flush(n);
    if (chance(0.01)) group_.compact(n, n.machine.applied + 0);
    if (chance(0.01) && n.machine.applied > LogIndex(5)) group_.compact(n, LogIndex(n.machine.applied.value() - 5));
    if (n.core && n.core->lease_read(group_.clock(n))) ++reads_;  // judged by observe()
  }

  void client(Node& n) {
    if (n.installing) return;
    if (n.core->is_leader()) {
      for (std::uint64_t i = random_.below(4); i > 0; --i) {
        auto data = std::make_shared<const std::string>(fmt::format("v{}", ++values_));
        (void)group_.act(n, [&](Core& core, MonoTime now) { return core.propose(now, core.term(), data); });
      }
      if (chance(0.2)) {
        const std::uint64_t context = ++contexts_;
        n.asked[context] = group_.judge.newest_commit();
        (void)group_.act(n, [&](Core& core, MonoTime now) { return core.read_index(now, context); });
      }
    } else if (chance(0.01)) {
      group_.act(n, [](Core& core, MonoTime now) { core.campaign(now); });
    }
  }

  void disturb() {
    const std::vector<ReplicaId> all = group_.ids();
    Node& n = any(all);
    switch (random_.below(6)) {
      case 0:
      case 1:
        if (n.core) {
          ++crashes_;
          group_.log(fmt::format("{} crashes", n.id));
          group_.crash(n, random_.below(n.persisting.size() + 1));
          if (chance(0.7)) group_.restart(n);  // at once: L2
        } else {
          group_.log(fmt::format("{} restarts", n.id));
          group_.restart(n);
        }
        break;
      case 2: {
        const Node& other = any(all);
        if (other.id == n.id) break;
        cuts_.insert({n.id.value(), other.id.value()});
        if (chance(0.7)) cuts_.insert({other.id.value(), n.id.value()});
        break;
      }
      case 3: {
        Node* leader = some_leader();
        Node& victim = leader != nullptr && chance(0.5) ? *leader : n;
        group_.log(fmt::format("{} pauses", victim.id));
        paused_until_[victim.id.value()] =
            group_.true_time + Duration(static_cast<std::int64_t>(random_.below(1'500'000)));
        break;
      }
      case 4:
      case 5:
        if (chance(0.3)) {
          for (const ReplicaId id : all)
            cuts_.insert({n.id.value(), id.value()}), cuts_.insert({id.value(), n.id.value()});
        } else {
          cuts_.clear();
        }
        break;
    }
    if (chance(0.3)) {
      for (const ReplicaId id : all) {
        if (!group_.node(id).core) group_.restart(group_.node(id));
      }
    }
  }

  Node* some_leader() {
    std::vector<ReplicaId> leaders;
    for (const ReplicaId id : group_.running()) {
      if (group_.node(id).core->is_leader()) leaders.push_back(id);
    }
    return leaders.empty() ? nullptr : &any(leaders);
  }

  void operate() {
    Node* leader = some_leader();
    if (leader == nullptr) return;
    const Membership now = leader->core->status().membership;
    if (chance(0.5)) {
      const ReplicaId to = now.voters[random_.below(now.voters.size())];
      (void)group_.act(*leader, [&](Core& core, MonoTime t) { return core.transfer_leadership(t, to); });
      return;
    }
    std::vector<ReplicaId> voters, learners;
    for (const auto* ids : {&now.voters, &now.learners}) {
      for (const ReplicaId id : *ids) {
        if (chance(0.75))
          voters.push_back(id);
        else if (chance(0.5))
          learners.push_back(id);
      }
    }
    if (voters.size() < 3 && next_id_ < 16) {
      const ReplicaId id(next_id_++);
      add(id, {}, LogIndex());
      (chance(0.5) ? voters : learners).push_back(id);
    }
    const auto done =
        group_.act(*leader, [&](Core& core, MonoTime t) { return core.propose_membership(t, voters, learners); });
    if (done) ++changes_;
  }

  // No more faults: a leader must be there, and all its members must hold the same.
  void heal() {
    cuts_.clear();
    paused_until_.clear();
    for (Envelope& e : late_) group_.network.push_back(std::move(e));
    loss_ = duplication_ = reorder_ = 0;
    for (const ReplicaId id : group_.ids()) {
      if (!group_.node(id).core) group_.restart(group_.node(id));
    }
    LogIndex target;
    for (int ms = 0; ms < 30'000; ++ms) {
      group_.true_time = group_.true_time + Duration(1000);
      for (const ReplicaId id : group_.ids()) group_.tick_if_due(group_.node(id));
      quiesce();
      Node* leader = some_leader();
      if (ms == 15'000) {
        if (leader == nullptr) dump();
        CHECK_F(leader != nullptr, "no leader 15 s after everything was healed");
        const auto index = group_.act(*leader, [](Core& core, MonoTime now) {
          return core.propose(now, core.term(), std::make_shared<const std::string>("last"));
        });
        if (index) target = *index;
      }
      if (ms > 15'000 && leader != nullptr && target != LogIndex() && converged(*leader, target)) return;
      if (ms > 15'000 && target == LogIndex()) ms = 14'000;  // a hand-over was going on
    }
    dump();
    CHECK_F(false, "no progress 30 s after everything was healed");
  }

  void dump() {
    for (const ReplicaId id : group_.ids()) {
      Node& n = group_.node(id);
      if (!n.core) continue;
      const Status s = n.core->status();
      fmt::print(stderr, "{}: {} leader={} term={} log=({},{}] commit={} applied={} stable={} removed={} of {}\n", id,
                 name_of(s.role), s.leader, s.term, s.first_index.previous(), s.last_index, s.commit, s.applied,
                 s.stable, n.removed, raft::describe(s.membership));
      for (const FollowerStatus& f : s.followers) {
        fmt::print(stderr, "   {} match={} active={} snapshotting={}\n", f.id, f.match, f.recently_active,
                   f.snapshotting);
      }
    }
  }

  void quiesce() {
    for (bool busy = true; busy;) {
      busy = false;
      for (const ReplicaId id : group_.ids()) {
        Node& n = group_.node(id);
        group_.drain(n);
        while (group_.finish_persist(n)) busy = true;
        while (group_.finish_read(n)) busy = true;
        while (group_.apply(n, 100)) busy = true;
        while (group_.finish_install(n)) busy = true;
        group_.drain(n);
      }
      std::vector<Envelope> messages = std::exchange(group_.network, {});
      for (Envelope& e : messages) busy = true, group_.deliver(std::move(e));
    }
  }

  bool converged(Node& leader, LogIndex target) {
    const Membership m = leader.core->status().membership;
    if (m.joint()) return false;
    for (const ReplicaId id : group_.ids()) {
      Node& n = group_.node(id);
      if (m.contains(id) && n.machine.applied < target) return false;
    }
    return true;
  }

  Group group_;
  Random random_;
  std::map<std::uint64_t, MonoTime> paused_until_;
  std::vector<Envelope> late_;
  double late_chance_ = 0, loss_ = 0, duplication_ = 0, reorder_ = 0, disk_ = 0, faults_ = 1;
  bool priorities_ = false, small_ = false;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cuts_;
  std::uint64_t next_id_ = 1, values_ = 0, contexts_ = 0, crashes_ = 0, changes_ = 0, reads_ = 0;
};

extern "C" void on_abort(int) {
  (void)!write(STDERR_FILENO, g_failure_note, std::strlen(g_failure_note));
  std::signal(SIGABRT, SIG_DFL);
}

int run(int argc, char** argv) {
  std::uint64_t first = 1, seeds = 400, seconds = 20, steps = 3000;
  bool verbose = false;
  Hooks hooks;
  g_fault_hooks = &hooks;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--verbose") {
      verbose = true;
      continue;
    }
    if (flag == "--bug")
      hooks.bug = value;
    else if (flag == "--seed")
      first = std::stoull(value), seeds = 1;
    else if (flag == "--first")
      first = std::stoull(value);
    else if (flag == "--seeds")
      seeds = std::stoull(value);
    else if (flag == "--seconds")
      seconds = std::stoull(value);
    else if (flag == "--steps")
      steps = std::stoull(value);
    else
      return fmt::print(stderr, "unknown flag {}\n", flag), 2;
    ++i;
  }
  std::signal(SIGABRT, on_abort);
  Totals totals;
  const std::clock_t start = std::clock();
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    if (static_cast<std::uint64_t>((std::clock() - start) / CLOCKS_PER_SEC) >= seconds) break;
    std::snprintf(g_failure_note, sizeof g_failure_note, "\nrepeat with: raft_random_test --seed %llu --steps %llu\n",
                  static_cast<unsigned long long>(seed), static_cast<unsigned long long>(steps));
    const std::uint64_t hash = Run(seed, verbose).go(static_cast<int>(steps), totals);
    if (seed == first) {
      Totals again;
      CHECK_F(Run(seed, false).go(static_cast<int>(steps), again) == hash, "the same seed gave another hash");
    }
    ++totals.seeds;
  }
  fmt::print("{} seeds, {} steps: {} commits, {} leaders, {} crashes, {} lease reads, {} membership changes\n",
             totals.seeds, totals.steps, totals.commits, totals.leaders, totals.crashes, totals.reads, totals.changes);
  for (const std::string& probe : hooks.probes) fmt::print("  reached {}\n", probe);
  return 0;
}

}  // namespace
}  // namespace meridian::raft::testing

int main(int argc, char** argv) { return meridian::raft::testing::run(argc, argv); }
