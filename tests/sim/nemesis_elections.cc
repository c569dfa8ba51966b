// Faults that need the right moment of an election. They watch the replicas and strike when it is there; they give up
// when it does not come.
#include <algorithm>

#include <fmt/format.h>

#include "tests/sim/nemesis.h"

namespace meridian::sim {

namespace {
constexpr std::int64_t kLookUs = 50;   // no message is faster
constexpr std::int64_t kPatience = 8;  // election timeouts
constexpr double kRestartChance = 0.6;
}  // namespace

void Nemesis::when(std::function<bool()> condition, Callback then) {
  look(std::move(condition), world_.now() + kPatience * options_.election_us, std::move(then));
}

void Nemesis::look(std::function<bool()> condition, std::int64_t deadline, Callback then) {
  if (stopped_ || world_.now() > deadline) return end_staging();
  if (condition()) return then();
  later(kLookUs, [this, condition = std::move(condition), deadline, then = std::move(then)]() mutable {
    look(std::move(condition), deadline, std::move(then));
  });
}

void Nemesis::end_staging() {
  staging_ = false;
  cluster_.network().heal();
}

void Nemesis::cut_pair(int a, int b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}

void Nemesis::mend_pair(int a, int b) {
  cluster_.network().mend(cluster_.node_address(a), cluster_.node_address(b));
  cluster_.network().mend(cluster_.node_address(b), cluster_.node_address(a));
}

void Nemesis::cut_one_way(int from, int to) {
  cluster_.network().cut(cluster_.node_address(from), cluster_.node_address(to));
}

std::optional<std::array<int, 3>> Nemesis::leader_and_two() const {
  const std::vector<int> members = cluster_.members();
  const std::optional<int> leader = cluster_.leader();
  if (staging_ || members.size() != 3 || !leader) return std::nullopt;
  std::array<int, 3> out{*leader, -1, -1};
  for (const int i : members) {
    if (i == *leader) continue;
    (out[1] < 0 ? out[1] : out[2]) = i;
  }
  for (const int i : out) {
    if (i < 0 || !cluster_.raft_status(i)) return std::nullopt;
  }
  return out;
}

// Figure 8 of the Raft paper: an entry of an old term reaches a majority under a later leader, which is then cut off
// before anything of its own term has; the third replica holds a younger entry, and may win over it.
bool Nemesis::old_term_on_majority() {
  const auto three = leader_and_two();
  if (!three) return false;
  const auto [a, b, c] = *three;
  staging_ = true;
  world_.note(fmt::format("fault: node {} writes what nobody hears of", a));
  cut_pair(a, b), cut_pair(a, c);
  const Term first = cluster_.term();
  // Of a node that is down: of replica 0.
  const auto status = [this](int i) { return cluster_.raft_status(i).value_or(raft::Status()); };
  const auto leads = [status](int i) { return status(i).id != ReplicaId() && status(i).leader == status(i).id; };
  // One of the two asks for the other's vote, and gets it; whatever it sends after that is lost.
  when([=] { return status(b).term > first && status(b).term == status(c).term; },
       [this, a, b, c, status, leads] {
         status(b).role == raft::Role::kCandidate ? cut_one_way(b, c) : cut_one_way(c, b);
         when([=] { return leads(b) || leads(c); },
              [this, a, b, c, status, leads] {
                const int second = leads(b) ? b : c, follower = leads(b) ? c : b;
                cut_pair(second, follower);
                world_.note(fmt::format("fault: node {} leads, and nobody hears of it", second));
                const LogIndex before = status(follower).last_index;
                mend_pair(a, follower);
                // The first leader leads again, and has told the other follower of one entry.
                when([=] { return leads(a) && status(follower).last_index > before; },
                     [this, a, second, follower] {
                       world_.note(fmt::format("fault: node {} is cut off, with an old entry on a majority", a));
                       cut_one_way(a, follower);
                       later(options_.disk.max_us + options_.remote_max_us, [this, a, second, follower] {
                         cut_pair(a, follower);
                         mend_pair(second, follower);
                         when([this, second] { return cluster_.leader() == second; },
                              [this] { later(draw_us(options_.cut_us), [this] { end_staging(); }); });
                       });
                     });
              });
       });
  return true;
}

// The leader's lease rests on one follower; the other hears nothing of the leader, and asks that follower for its vote.
// It may have been restarted meanwhile. A leader that is replaced now learns it late.
bool Nemesis::vote_within_lease() {
  const auto three = leader_and_two();
  if (!three) return false;
  const auto [leader, promised, candidate] = *three;
  staging_ = true;
  world_.note(fmt::format("fault: node {} hears nothing of leader {}", candidate, leader));
  cut_pair(leader, candidate);
  if (rng_.chance(kRestartChance)) {
    later(rng_.between(options_.election_us, 2 * options_.election_us), [this, leader = leader, promised = promised] {
      if (stopped_ || !cluster_.node_up(promised)) return;
      world_.note(fmt::format("fault: node {} is killed, starts at once, and hears no leader", promised));
      cluster_.crash_node(promised, false);
      cluster_.start_node(promised);
      cut_pair(leader, promised);
    });
  }
  const auto leads = [this, candidate = candidate] {
    const auto status = cluster_.raft_status(candidate);
    return status && status->leader == status->id;
  };
  when(leads, [this, leader = leader, promised = promised] {
    cut_pair(leader, promised);
    later(options_.election_us + draw_us(options_.cut_us), [this] { end_staging(); });
  });
  return true;
}

// A leader and a learner, which is no majority, have only each other.
bool Nemesis::leader_with_learner() {
  if (staging_) return false;
  const auto pair = [this]() -> std::optional<std::pair<int, int>> {
    const std::optional<int> leader = cluster_.leader();
    const auto status = leader ? cluster_.raft_status(*leader) : std::nullopt;
    if (!status || status->membership.learners.empty()) return std::nullopt;
    for (int i = 0; i < cluster_.nodes(); ++i) {
      const auto other = cluster_.raft_status(i);
      if (other && other->id == status->membership.learners.front()) return std::pair(*leader, i);
    }
    return std::nullopt;
  };
  staging_ = true;
  when([pair] { return pair().has_value(); }, [this, pair] {
    const auto [leader, learner] = *pair();
    world_.note(fmt::format("fault: leader {} and learner {} hear only each other", leader, learner));
    for (int i = 0; i < cluster_.nodes(); ++i) {
      if (i != leader && i != learner) cut_pair(leader, i), cut_pair(learner, i);
    }
    later(2 * options_.election_us + draw_us(options_.cut_us), [this] { end_staging(); });
  });
  return true;
}

}  // namespace meridian::sim
