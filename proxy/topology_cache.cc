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
  for (const Address& address : addresses()) ask(address);
}

void TopologyCache::refresh_if_old() {
  if (runtime_.now() - last_refresh_ >= options_.refresh_interval) refresh();
}

void TopologyCache::ask(const Address& address) {
  if (std::exchange(endpoints_[address].asking, true)) return;
  const MonoTime sent = runtime_.now();
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
  if (!answer) {
    endpoint.verdict = Verdict::kFailed;
    failed(address);
  } else if (!answer->initialised()) {
    endpoint.verdict = Verdict::kUninitialised;
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
    clock_.learn(answer->cluster_time_us(), sent, runtime_.now());
    learn_state(answer->state());
    const bool own_word = answer->node_id() == answer->leader_node_id();
    learn_leader(answer->leader_node_id(), answer->leader_term(), own_word ? address : Address(), own_word);
  }
  settle();
}

void TopologyCache::learn_state(const api::ClusterState& state) {
  if (state.cluster_id() == 0 || (known() && state.cluster_id() != state_.cluster_id())) return;
  if (known() && state.version() <= state_.version()) return;
  const bool first = !known();
  state_ = state;
  nodes_.clear();
  for (const api::NodeDescriptor& n : state_.nodes()) {
    if (n.state() != api::REMOVED) nodes_.push_back({n.id(), n.address(), n.region(), n.state()});
  }
  LOG_INFO("topology learnt", {{"cluster", fmt::format("{:016x}", state_.cluster_id())},
                               {"version", state_.version()},
                               {"nodes", nodes_.size()}});
  if (!first) return;
  for (Waiting& waiting : std::exchange(waiting_, {})) waiting.waiter({});
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

bool TopologyCache::settled() const {
  return std::ranges::none_of(endpoints_, [](const auto& entry) { return entry.second.asking; });
}

bool TopologyCache::uninitialised() const {
  return !known() && settled() && runtime_.now() - last_settled_ <= kVerdictLasts &&
         std::ranges::any_of(endpoints_, [](const auto& e) { return e.second.verdict == Verdict::kUninitialised; });
}

Error TopologyCache::not_initialised() const {
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
  waiting_.push_back({deadline, std::move(waiter)});
  refresh();
  runtime_.cancel(std::exchange(timer_, 0));
  arm_timer();
}

void TopologyCache::when_settled(Callback callback) {
  settling_.push_back(std::move(callback));
  refresh();
}

void TopologyCache::settle() {
  if (!settled()) return;
  last_settled_ = runtime_.now();
  for (Callback& callback : std::exchange(settling_, {})) callback();
  if (known() || waiting_.empty()) return;
  // Nobody is left to hear from; a later try may go better, and the caller is told so while it can still go elsewhere.
  const Error error = uninitialised() ? not_initialised() : Error(ErrorCode::kUnavailable, describe_unknown());
  for (Waiting& waiting : std::exchange(waiting_, {})) waiting.waiter(fail(error));
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
  std::vector<Waiting> late;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    if (waiting.deadline > now) return false;
    late.push_back(std::move(waiting));
    return true;
  });
  for (Waiting& waiting : late) waiting.waiter(fail(ErrorCode::kUnavailable, describe_unknown()));
  if (!known() || !any_reachable()) refresh();
  arm_timer();
}

}  // namespace meridian::proxy
