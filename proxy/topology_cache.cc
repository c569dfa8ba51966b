#include "proxy/topology_cache.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/fault.h"
#include "base/log.h"

namespace meridian::proxy {

namespace {

// While nothing is known, or nobody answers, nodes are asked again after this.
constexpr Duration kAskAgain = std::chrono::milliseconds(200);
// A verdict "not initialised" is good for so long.
constexpr Duration kVerdictLasts = std::chrono::milliseconds(100);
// So that many waiting requests do not keep nodes busy with the same question.
constexpr Duration kAskGap = std::chrono::milliseconds(10);
// A replica that failed is not preferred for so long.
constexpr Duration kAvoided = std::chrono::seconds(1);

}  // namespace

TopologyCache::TopologyCache(Runtime& runtime, Transport& transport, ClusterClock& clock, const ProxyOptions& options)
    : runtime_(runtime), transport_(transport), clock_(clock), options_(options) {}

void TopologyCache::start() {
  started_ = true;
  refresh();
  arm_timer();
}

std::vector<Address> TopologyCache::addresses() const {
  std::vector<Address> all = options_.nodes;
  for (const Node& node : nodes_) all.push_back(node.address);
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void TopologyCache::refresh() {
  last_refresh_ = runtime_.now();
  for (const Address& address : addresses()) ask(address, false);
}

void TopologyCache::refresh_if_old() {
  if (runtime_.now() - last_refresh_ >= options_.refresh_interval) refresh();
}

void TopologyCache::ask(const Address& address, bool at_once) {
  const MonoTime sent = runtime_.now();
  Endpoint& endpoint = endpoints_[address];
  if (endpoint.asking) return;
  if (!at_once && endpoint.verdict != Verdict::kUnasked && sent - endpoint.last_asked < kAskGap) return;
  endpoint.asking = true;
  endpoint.last_asked = sent;
  CallOptions options;
  options.deadline = sent + options_.probe_timeout;
  call(transport_, address, api::kTopology, api::TopologyRequest(), std::move(options),
       lifetime_.guard([this, address, sent](Result<api::TopologyResponse> answer) {
         on_topology(address, sent, std::move(answer));
       }));
}

void TopologyCache::on_topology(const Address& address, MonoTime sent, Result<api::TopologyResponse> answer) {
  Endpoint& endpoint = endpoints_[address];
  endpoint.asking = false;
  bool leader_spoke = false;
  if (!answer) {
    endpoint.verdict = Verdict::kFailed;
    failed(address);
  } else if (!answer->initialised()) {
    endpoint.verdict = Verdict::kUninitialised;
    said_uninitialised_ = runtime_.now();
    answered(address, runtime_.now() - sent);
  } else if (known() && answer->state().cluster_id() != state_.cluster_id()) {
    PROBE("proxy.node_of_another_cluster");
    endpoint.verdict = Verdict::kFailed;
    if (!std::exchange(warned_of_other_cluster_, true)) {
      LOG_WARNING("a node belongs to another cluster; it is not listened to",
                  {{"address", address},
                   {"its_cluster", fmt::format("{:016x}", answer->state().cluster_id())},
                   {"our_cluster", fmt::format("{:016x}", state_.cluster_id())}});
    }
  } else {
    endpoint.verdict = Verdict::kKnows;
    answered(address, runtime_.now() - sent);
    learn_state(answer->state());
    leader_spoke = answer->leader_node_id() != 0 && answer->node_id() == answer->leader_node_id();
    endpoint.follows = !leader_spoke;
    // It is the leader's clock that judges request ids; another node's may be off.
    if (leader_spoke || !clock_.known()) clock_.learn(answer->cluster_time_us(), sent, runtime_.now());
    learn_leader(answer->leader_node_id(), answer->leader_term(), leader_spoke ? address : Address(), leader_spoke);
  }
  finish_waiting(address, leader_spoke);
}

void TopologyCache::learn_state(const api::ClusterState& state) {
  if (state.cluster_id() == 0 || (known() && state.cluster_id() != state_.cluster_id())) return;
  if (known() && state.version() <= state_.version()) return;
  state_ = state;
  nodes_.clear();
  for (const api::NodeDescriptor& n : state_.nodes()) {
    if (n.state() != api::REMOVED) nodes_.push_back({n.id(), n.address(), n.region(), n.state()});
  }
  LOG_INFO("topology learnt", {{"cluster", fmt::format("{:016x}", state_.cluster_id())},
                               {"version", state_.version()},
                               {"nodes", nodes_.size()}});
}

const TopologyCache::Node* TopologyCache::node(std::uint64_t id) const {
  const auto it = std::ranges::find(nodes_, id, &Node::id);
  return it == nodes_.end() ? nullptr : &*it;
}

Result<TopologyCache::Shard> TopologyCache::locate(std::string_view keyspace) const {
  if (keyspace.empty()) keyspace = api::kDefaultKeyspace;
  for (const api::KeyspaceDescriptor& k : state_.keyspaces()) {
    if (k.name() != keyspace) continue;
    // One shard per keyspace, until they split.
    for (const api::ShardDescriptor& shard : state_.shards()) {
      if (shard.keyspace_id() == k.id()) return Shard{k.id(), shard.id()};
    }
  }
  constexpr std::size_t kQuoted = 64;
  return fail(ErrorCode::kNotFound, fmt::format("there is no keyspace \"{}\"{}", keyspace.substr(0, kQuoted),
                                                keyspace.size() > kQuoted ? "..." : ""));
}

std::optional<TopologyCache::Route> TopologyCache::leader() const {
  const LeaderTracker::Leader* leader = leader_.leader();
  if (leader == nullptr) return std::nullopt;
  if (!leader->address.empty()) return Route{leader->node, leader->term, leader->address};
  const Node* where = node(leader->node);
  return where == nullptr ? std::nullopt : std::optional(Route{leader->node, leader->term, where->address});
}

void TopologyCache::learn_leader(std::uint64_t node, std::uint64_t term, Address address, bool own_word) {
  const bool had_route = leader().has_value();
  const bool another = leader_.learn(node, term, std::move(address), own_word);
  if (another && leader()) endpoints_[leader()->address].follows = false;
  if (another) LOG_DEBUG("leader learnt", {{"node", node}, {"term", term}});
  if ((another || !had_route) && leader() && on_leader_) on_leader_();
}

const TopologyCache::Node* TopologyCache::nearest(const std::vector<std::uint64_t>& tried) {
  const MonoTime now = runtime_.now();
  const Node* best = nullptr;
  // Smaller is better; among equals of the own region chance spreads the load.
  auto rank = [&](const Node& node) {
    const Endpoint& endpoint = endpoints_[node.address];
    const bool near = node.region == options_.region;
    const std::int64_t distance =
        near ? static_cast<std::int64_t>(runtime_.random_below(1 << 20)) : endpoint.latency.count();
    return std::tuple(endpoint.failed_until > now, node.state == api::JOINING, !near, distance);
  };
  std::optional<std::tuple<bool, bool, bool, std::int64_t>> best_rank;
  for (const Node& node : nodes_) {
    if (std::ranges::find(tried, node.id) != tried.end()) continue;
    const auto its = rank(node);
    if (best_rank && *best_rank <= its) continue;
    best = &node;
    best_rank = its;
  }
  return best;
}

void TopologyCache::answered(const Address& address, Duration latency) {
  Endpoint& endpoint = endpoints_[address];
  endpoint.reachable = true;
  endpoint.failed_until = MonoTime();
  endpoint.latency = endpoint.latency == Duration(0) ? latency : (endpoint.latency * 7 + latency) / 8;
}

void TopologyCache::failed(const Address& address) {
  Endpoint& endpoint = endpoints_[address];
  endpoint.reachable = false;
  endpoint.failed_until = runtime_.now() + kAvoided;
  arm_timer();
}

bool TopologyCache::any_reachable() const {
  return std::ranges::any_of(nodes_, [this](const Node& node) {
    const auto it = endpoints_.find(node.address);
    return it != endpoints_.end() && it->second.reachable;
  });
}

bool TopologyCache::leader_answers() const {
  const std::optional<Route> route = leader();
  if (!route) return false;
  const auto it = endpoints_.find(route->address);
  return it != endpoints_.end() && it->second.reachable && !it->second.follows;
}

bool TopologyCache::uninitialised() const {
  bool any = false;
  for (const auto& [address, endpoint] : endpoints_) {
    if (endpoint.verdict == Verdict::kUnasked) return false;
    any = any || endpoint.verdict == Verdict::kUninitialised;
  }
  return !known() && any && runtime_.now() - said_uninitialised_ <= kVerdictLasts;
}

Error TopologyCache::not_initialised() const {
  // Those that are silent may be a cluster, beside which another one must not be formed.
  if (const std::vector<Address> all = silent(); !all.empty()) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("the nodes that answer belong to no cluster; no answer comes from {}", fmt::join(all, ", ")));
  }
  return Error(ErrorCode::kUnavailable, "the cluster has not been initialised; run `meridianctl cluster init`");
}

std::string TopologyCache::describe_unknown() const {
  return fmt::format("no node answers; asked {}", fmt::join(addresses(), ", "));
}

std::vector<Address> TopologyCache::silent() const {
  std::vector<Address> all;
  for (const auto& [address, endpoint] : endpoints_) {
    if (endpoint.verdict == Verdict::kFailed) all.push_back(address);
  }
  return all;
}

void TopologyCache::when_known(MonoTime deadline, Waiter waiter) {
  if (known()) return waiter({});
  if (uninitialised()) return waiter(fail(not_initialised()));
  wait(Until::kKnown, deadline, std::move(waiter));
}

void TopologyCache::when_fresh(MonoTime deadline, Waiter waiter) {
  wait(Until::kLeaderSpoke, deadline, std::move(waiter));
}

void TopologyCache::when_all_asked(MonoTime deadline, Waiter waiter) {
  wait(Until::kAllAsked, deadline, std::move(waiter));
}

void TopologyCache::wait(Until until, MonoTime deadline, Waiter waiter) {
  const std::vector<Address> all = addresses();
  waiting_.push_back({until, deadline, all, std::move(waiter)});
  for (const Address& address : all) ask(address, true);
  runtime_.cancel(std::exchange(timer_, 0));
  arm_timer();
}

void TopologyCache::end_waiting(const std::function<bool(Waiting&)>& ended) {
  std::vector<Waiting> done;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    if (!ended(waiting)) return false;
    done.push_back(std::move(waiting));
    return true;
  });
  for (Waiting& waiting : done) {
    if (waiting.until != Until::kKnown || known()) {
      waiting.waiter({});
    } else if (uninitialised()) {
      waiting.waiter(fail(not_initialised()));
    } else {
      // A later try may go better; the caller is told while it can still go elsewhere.
      waiting.waiter(fail(ErrorCode::kUnavailable, describe_unknown()));
    }
  }
}

void TopologyCache::finish_waiting(const Address& heard, bool leader_spoke) {
  end_waiting([&](Waiting& waiting) {
    std::erase(waiting.left, heard);
    return waiting.left.empty() || (waiting.until == Until::kLeaderSpoke && leader_spoke) ||
           (waiting.until == Until::kKnown && known());
  });
}

void TopologyCache::arm_timer() {
  if (!started_ || timer_ != 0) return;
  if (known() && any_reachable() && waiting_.empty()) return;
  MonoTime when = runtime_.now() + kAskAgain;
  for (const Waiting& waiting : waiting_) when = std::min(when, waiting.deadline);
  timer_ = runtime_.at(when, lifetime_.guard([this] { on_timer(); }));
}

void TopologyCache::on_timer() {
  timer_ = 0;
  const MonoTime now = runtime_.now();
  end_waiting([now](const Waiting& waiting) { return waiting.deadline <= now; });
  if (!known() || !any_reachable()) refresh();
  arm_timer();
}

}  // namespace meridian::proxy
