#include "tests/sim/nemesis.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace meridian::sim {

namespace {
constexpr double kPowerLoss = 0.6;  // otherwise only the process dies
constexpr std::int64_t kElectionUs = 500'000;
constexpr std::int64_t kWatchUs = 100;
constexpr std::int64_t kLateUs = 2'500'000;  // longer than the others need to elect one of them
}  // namespace

Nemesis::Nemesis(SimWorld& world, SimCluster& cluster, const RunOptions& options)
    : world_(world), cluster_(cluster), options_(options), rng_(world.rng("nemesis")) {}

void Nemesis::later(std::int64_t delay_us, Callback callback) {
  world_.at(world_.now() + delay_us, EventKind::kFault, nullptr, std::move(callback));
}

void Nemesis::start() {
  plan();
  if (options_.spares > 0) tend_members();
  watch_clocks();
}

void Nemesis::plan() {
  const double wait = -std::log(1.0 - rng_.unit()) * static_cast<double>(options_.fault_mean_us);
  later(static_cast<std::int64_t>(wait), [this] {
    if (stopped_) return;
    const std::string& kind = options_.kinds[rng_.below(options_.kinds.size())];
    if (struck_ >= options_.max_faults) return;
    if (strike(kind)) ++counts_[kind], ++struck_;
    plan();
  });
}

bool Nemesis::strike(const std::string& kind) {
  if (kind == "clock_jump" || kind == "clock_jump_all") return jump_clocks(kind == "clock_jump_all");
  if (kind == "disk_full") return fill_disk();
  if (kind == "fsync_fails") return fail_sync();
  if (kind == "bit_flip") return flip_bit();
  if (kind == "old_term_on_majority") return old_term_on_majority();
  if (kind == "vote_within_lease") return vote_within_lease();
  if (kind == "leader_with_learner") return leader_with_learner();
  if (kind == "add_node" || kind == "remove_node" || kind == "replace_node") return change_members(kind);
  return strike_network_or_nodes(kind), true;
}

void Nemesis::strike_network_or_nodes(const std::string& kind) {
  const int n = static_cast<int>(cluster_.members().size());
  if (kind == "crash_one") return crash_nodes(1);
  if (kind == "crash_minority") return crash_nodes(std::max(1, (n - 1) / 2));
  if (kind == "crash_majority") return crash_nodes(n / 2 + 1);
  if (kind == "crash_all") return crash_nodes(n);
  if (kind == "power_cut") return power_cut();
  if (kind == "transfer" || kind == "transfer_deafen") return transfer(kind == "transfer_deafen");
  if (kind == "end_node") {
    const int i = rng_.chance(0.5) ? draw_leader() : draw_node();
    world_.note(fmt::format("fault: node {} is told to end", i));
    return cluster_.end_node(i, [this, i] {
      later(draw_us(options_.down_us), [this, i] {
        if (!cluster_.halted(i)) cluster_.start_node(i);
      });
    });
  }
  if (kind == "crash_proxy") {
    const int i = static_cast<int>(rng_.below(static_cast<std::uint64_t>(cluster_.proxies())));
    world_.note(fmt::format("fault: proxy {} crashes", i));
    cluster_.crash_proxy(i);
    return later(draw_us(options_.down_us), [this, i] { cluster_.start_proxy(i); });
  }
  if (kind == "pause" || kind == "pause_leader") {
    const int i = kind == "pause" ? draw_node() : draw_leader();
    const std::int64_t us = draw_us(options_.pause_us);
    world_.note(fmt::format("fault: node {} pauses for {} us", i, us));
    return cluster_.pause_node(i, us);
  }
  if (kind == "clock") {
    const int i = draw_node();
    world_.note(fmt::format("fault: the wall clock of node {} is adjusted", i));
    return cluster_.adjust_clock(i);
  }
  if (kind == "slow_disk") {
    const int i = draw_node();
    world_.note(fmt::format("fault: the disk of node {} is slow", i));
    cluster_.slow_disk(i, options_.slow_factor);
    return later(draw_us(options_.slow_us), [this, i] { cluster_.slow_disk(i, 1); });
  }
  cut(kind);
}

int Nemesis::draw_leader() {
  const auto leader = cluster_.leader();
  return leader ? *leader : draw_node();
}

void Nemesis::crash_nodes(int count) {
  std::vector<int> order = cluster_.members();
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng_.below(i)]);
  // Half of the time the leader is among them.
  const auto leader = cluster_.leader();
  const bool leader_too = rng_.chance(0.5);
  const auto place = leader && leader_too ? std::find(order.begin(), order.end(), *leader) : order.end();
  if (place != order.end()) std::swap(order[0], *place);
  // At one instant, or one after the other.
  const std::int64_t spread = rng_.chance(0.5) ? 0 : draw_us(options_.down_us) / 4;
  for (int i = 0; i < count; ++i) {
    const int victim = order[static_cast<std::size_t>(i)];
    if (spread == 0) {
      crash_node(victim, kPowerLoss, 0);
    } else {
      later(rng_.between(std::int64_t{0}, spread), [this, victim] {
        if (!stopped_) crash_node(victim, kPowerLoss, 0);
      });
    }
  }
}

void Nemesis::crash_node(int i, double power_loss_chance, std::int64_t extra_down_us) {
  // A majority that starts with clocks that are wrong alike is right, for all that anybody can know.
  if (!cluster_.node_up(i) || all_jumped_) return;
  const bool power_loss = rng_.chance(power_loss_chance);
  world_.note(fmt::format("fault: node {} {}", i, power_loss ? "loses power" : "is killed"));
  cluster_.crash_node(i, power_loss);
  later(draw_us(options_.down_us) + extra_down_us, [this, i] {
    if (cluster_.node_up(i) || cluster_.halted(i)) return;
    world_.note(fmt::format("node {} starts", i));
    cluster_.start_node(i);
  });
}

// The lights go out for all at once while the followers' disks lag; whoever led may come back last.
void Nemesis::power_cut() {
  const int leader = draw_leader();
  for (int i = 0; i < cluster_.nodes(); ++i) {
    if (rng_.chance(i == leader ? 0.2 : 0.8)) cluster_.slow_disk(i, options_.slow_factor);
  }
  world_.note("fault: disks are slow, and soon the power fails");
  later(draw_us(options_.slow_us), [this] {
    const int last = rng_.chance(0.7) ? draw_leader() : -1;
    for (int i = 0; i < cluster_.nodes(); ++i) {
      cluster_.slow_disk(i, 1);
      if (!stopped_) crash_node(i, 1, i == last ? kLateUs : 0);
    }
  });
}

void Nemesis::cut(const std::string& kind) {
  const auto all = cluster_.addresses();
  std::vector<bool> side(all.size());
  const auto nodes = static_cast<std::size_t>(cluster_.nodes());
  if (kind == "clog") {
    const std::size_t from = rng_.below(all.size()), to = rng_.below(all.size());
    const std::int64_t us = draw_us(options_.cut_us);
    world_.note(fmt::format("fault: {} -> {} is clogged for {} us", all[from], all[to], us));
    return cluster_.network().clog(all[from], all[to], us);
  }
  world_.note("fault: " + kind);
  if (kind == "ring") {
    ring();
  } else if (kind == "mute_leader") {
    mute(draw_leader());
  } else if (kind == "isolate_leader") {
    // With whoever happens to be on its side: proxies and clients that still believe in it.
    for (std::size_t i = nodes; i < all.size(); ++i) side[i] = rng_.chance(0.5);
    side[static_cast<std::size_t>(draw_leader())] = true;
    isolate(side, rng_.chance(0.6));
  } else {
    for (std::size_t i = 0; i < all.size(); ++i) side[i] = rng_.chance(0.5);
    isolate(side, kind == "partition");
  }
  later(draw_us(options_.cut_us), [this] {
    world_.note("the network heals");
    cluster_.network().heal();
  });
}

void Nemesis::isolate(const std::vector<bool>& side, bool both_ways) {
  const auto all = cluster_.addresses();
  for (std::size_t a = 0; a < all.size(); ++a) {
    for (std::size_t b = 0; b < all.size(); ++b) {
      if (side[a] && !side[b]) {
        cluster_.network().cut(all[a], all[b]);
        if (both_ways) cluster_.network().cut(all[b], all[a]);
      }
    }
  }
}

// The other nodes hear nothing of it; it hears them, and clients reach everyone.
void Nemesis::mute(int node) {
  for (int i = 0; i < cluster_.nodes(); ++i) {
    if (i != node) cluster_.network().cut(cluster_.node_address(node), cluster_.node_address(i));
  }
}

// Each node hears only its two neighbours.
void Nemesis::ring() {
  const int n = cluster_.nodes();
  for (int a = 0; a < n; ++a) {
    for (int b = 0; b < n; ++b) {
      const int distance = (a - b + n) % n;
      if (distance > 1 && distance < n - 1) cluster_.network().cut(cluster_.node_address(a), cluster_.node_address(b));
    }
  }
  // Of three, one link is missing.
  if (n == 3) {
    cluster_.network().cut(cluster_.node_address(0), cluster_.node_address(1));
    cluster_.network().cut(cluster_.node_address(1), cluster_.node_address(0));
  }
}

void Nemesis::transfer(bool then_deafen) {
  const int to = draw_node();
  const auto from = cluster_.leader();
  if (cluster_.node_id(to) == 0) return;
  world_.note(fmt::format("leadership is asked to move to node {}", to));
  v1::TransferLeaderRequest request;
  request.set_node_id(cluster_.node_id(to));
  client::Call call;
  call.deadline = cluster_.admin().runtime->now() + Duration(1'000'000);
  cluster_.admin().core->transfer_leader(std::move(request), std::move(call),
                                         [](Result<v1::TransferLeaderResponse>) {});
  if (!then_deafen || !from || *from == to) return;
  deafen_at_election(*from, cluster_.term(), world_.now() + kElectionUs);
}

// From the moment that another node campaigns, before it has asked for a vote, the old leader hears no other
// node: it goes on believing that it leads, until it misses them.
void Nemesis::deafen_at_election(int old_leader, Term term, std::int64_t deadline) {
  if (stopped_ || world_.now() > deadline) return;
  if (cluster_.term() == term) {
    return later(kWatchUs, [this, old_leader, term, deadline] { deafen_at_election(old_leader, term, deadline); });
  }
  world_.note(fmt::format("fault: node {} hears no other node", old_leader));
  for (int i = 0; i < cluster_.nodes(); ++i) {
    if (i != old_leader) cluster_.network().cut(cluster_.node_address(i), cluster_.node_address(old_leader));
  }
  later(draw_us(options_.cut_us), [this] { cluster_.network().heal(); });
}

}  // namespace meridian::sim
