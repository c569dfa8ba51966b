#include "tests/sim/cluster.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/keys.h"
#include "proxy/proxy.h"
#include "shard/node/node.h"
#include "tests/sim/sim_file.h"
#include "tests/sim/sim_store.h"
#include "txn/mvcc.h"

namespace meridian::sim {

namespace {

constexpr double kTornChance = 0.5;            // a power loss meets waiting work in the middle
constexpr std::uint64_t kFileSteps = 6;        // how far into it
constexpr std::uint64_t kRoomBytes = 8192;     // left on a disk that fills up
constexpr std::int64_t kFormUs = 300'000'000;  // messages are lost already

// Everything but what each replica keeps for itself (txn::KeyKind::kLocal).
const KeyRange kReplicatedKeys{std::string(1, '\x02'), {}};

constexpr std::int64_t kSupervisorUs = 500'000;
constexpr std::int64_t kRecognisedUs = 100'000;  // a clock that was stepped back is gone by at the next reading

NodeOptions node_options(const RunOptions& run, const std::string& region, int index) {
  NodeOptions options;
  options.region = region;
  if (run.priorities) options.replica.priority = static_cast<std::uint32_t>(index % 3);
  options.version = "sim";
  options.log.segment_bytes = run.segment_bytes;
  options.log.reserve_bytes = run.segment_bytes / 4;
  options.replica.election_timeout = Duration(run.election_us);
  options.replica.heartbeat_interval = Duration(run.election_us / 5);
  options.replica.trim_after_bytes = run.trim_bytes;
  options.replica.keep_log_bytes = run.keep_log_bytes;
  options.replica.max_log_bytes = 16 * run.keep_log_bytes;
  options.replica.log_memory_bytes = run.keep_log_bytes / 4;
  options.replica.flush_after_bytes = run.flush_bytes;
  options.replica.snapshot_chunk_bytes = run.chunk_bytes;
  options.replica.max_append_bytes = run.append_bytes;
  options.frame_bytes = (4 << 10) + 2 * run.append_bytes;  // less than a window
  options.replica.version_cache_bytes = run.flush_bytes / 4;  // too small for everything
  return options;
}

}  // namespace

SimClient::~SimClient() {
  if (runtime != nullptr) runtime->kill();
  if (transport != nullptr) transport->kill(true);
  core.reset();
}

// A machine that runs a node. Disk and store outlive the node's incarnations.
struct SimCluster::NodeMachine {
  NodeMachine(SimWorld& world, int i, std::uint64_t machine, const RunOptions& options)
      : index(i),
        address(fmt::format("n{}:1", i + 1)),
        region(fmt::format("r{}", i % options.regions)),
        clocks(world, machine, options.clocks),
        disk(options.disk),
        rng(world.rng("fs", machine)),
        fs([this] { return rng.next(); }),
        store(make_store(options.store, fs, world.rng("store", machine))) {}

  const int index;
  const Address address;
  const std::string region;
  SimClocks clocks;
  SimDisk disk;
  Rng rng;
  SimFileSystem fs;
  const std::unique_ptr<SimStore> store;
  bool may_die = false;
  bool halted = false;
  bool full = false;
  bool was_full = false;  // ever
  bool clock_wrong = false;
  bool started_wrong = false;  // this incarnation, and it has not been seen to know better
  std::int64_t clock_right_since = 0;

  std::unique_ptr<SimRuntime> runtime;
  std::unique_ptr<SimTransport> transport;
  std::unique_ptr<Node> node;
};

struct SimCluster::ProxyMachine {
  ProxyMachine(SimWorld& world, int i, std::uint64_t machine, const RunOptions& options)
      : index(i),
        address(fmt::format("p{}:1", i + 1)),
        region(fmt::format("r{}", i % options.regions)),
        clocks(world, machine, options.clocks) {}

  const int index;
  const Address address;
  const std::string region;
  SimClocks clocks;
  SimDisk disk;

  std::unique_ptr<SimRuntime> runtime;
  std::unique_ptr<SimTransport> transport;
  std::unique_ptr<Proxy> proxy;
};

SimCluster::SimCluster(SimWorld& world, const RunOptions& options)
    : world_(world), options_(options), network_(world, options.network) {
  for (int a = 0; a < options.regions; ++a) {
    for (int b = 0; b < a; ++b) {
      network_.set_delay(fmt::format("r{}", a), fmt::format("r{}", b), options.remote_min_us, options.remote_max_us);
    }
  }
  for (int i = 0; i < options.nodes + options.spares; ++i) {
    nodes_.push_back(std::make_unique<NodeMachine>(world, i, ++machines_, options_));
    network_.set_region(nodes_.back()->address, nodes_.back()->region);
    start_node(i);
  }
  for (int i = 0; i < options.proxies; ++i) {
    proxies_.push_back(std::make_unique<ProxyMachine>(world, i, ++machines_, options_));
    network_.set_region(proxies_.back()->address, proxies_.back()->region);
    start_proxy(i);
  }
  for (int i = 0; i < options.clients; ++i) {
    clients_.push_back(make_client(fmt::format("c{}", i + 1), i % options.regions));
  }
  admin_ = make_client("admin", 0);
}

SimCluster::~SimCluster() {
  ending_ = true;
  admin_.reset();
  clients_.clear();
  for (int i = 0; i < proxies(); ++i) crash_proxy(i);
  for (int i = 0; i < nodes(); ++i) crash_node(i, false);
}

std::unique_ptr<SimClient> SimCluster::make_client(const std::string& name, int region) {
  static const SimDisk kDisk;
  auto client = std::make_unique<SimClient>();
  const Address address = name + ":1";
  network_.set_region(address, fmt::format("r{}", region));
  client->clocks = std::make_unique<SimClocks>(world_, ++machines_, options_.clocks);
  client->runtime = std::make_unique<SimRuntime>(world_, name, *client->clocks, kDisk);
  client->transport = std::make_unique<SimTransport>(network_, *client->runtime, address);
  std::vector<Address> addresses;
  for (const auto& proxy : proxies_) addresses.push_back(proxy->address);
  // Some know one proxy only, which may go on believing what the others have unlearnt.
  Rng rng = world_.rng("proxies", machines_);
  if (rng.chance(0.5)) addresses = {addresses[rng.below(addresses.size())]};
  client->core = std::make_unique<client::ClientCore>(
      client::ClientCore::Deps{*client->runtime, *client->transport, std::move(addresses), {}});
  return client;
}

void SimCluster::start_node(int i) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  if (m.runtime != nullptr) return;
  m.halted = false;
  m.started_wrong = m.clock_wrong;
  draw(i, "down", false);
  m.clocks.reboot();
  m.runtime = std::make_unique<SimRuntime>(world_, m.address, m.clocks, m.disk);
  m.transport = std::make_unique<SimTransport>(network_, *m.runtime, m.address);
  const auto starting = std::make_shared<bool>(true);
  // Not from inside one of its own events: the process ends a moment later, having answered nothing more.
  const auto fatal = [this, i, starting](Error error) {
    world_.note(fmt::format("node {} stops: {}", i, error.to_string()));
    NodeMachine& machine = *nodes_[static_cast<std::size_t>(i)];
    machine.halted = true;
    // Without room for its identity and its first data it must not start, and is started again when there is some.
    const bool began = !*starting && machine.node != nullptr && machine.node->replica() != nullptr;
    const bool no_room = !began && machine.full && error.code() == ErrorCode::kDiskFull;
    // After its disk had been full RocksDB may have to be opened again; whoever supervises a node starts it.
    const bool starts_again = began && machine.was_full && error.code() == ErrorCode::kUnavailable;
    if (starts_again) {
      world_.at(world_.now() + kSupervisorUs, EventKind::kFault, nullptr, [this, i] {
        if (halted(i)) start_node(i);
      });
    }
    if (!machine.may_die && !no_room && !starts_again && died_.empty()) died_ = fmt::format("node {} stopped: {}", i, error.to_string());
    world_.at(world_.now(), EventKind::kFault, nullptr, [this, i] { crash_node(i, false); });
  };
  Result<std::unique_ptr<DataDirectory>> directory = DataDirectory::open(m.fs, "/data");
  if (!directory) return fatal(directory.error());
  if (const Result<> opened = m.store->open(); !opened) return fatal(opened.error());
  Result<std::unique_ptr<Node>> node = Node::open({*m.runtime, *m.transport, m.store->engine(), m.fs, fatal},
                                                  std::move(*directory), node_options(options_, m.region, i));
  if (!node) return fatal(node.error());
  *starting = false;
  m.node = std::move(*node);
}

void SimCluster::start_proxy(int i) {
  ProxyMachine& m = *proxies_[static_cast<std::size_t>(i)];
  if (m.runtime != nullptr) return;
  m.clocks.reboot();
  m.runtime = std::make_unique<SimRuntime>(world_, m.address, m.clocks, m.disk);
  m.transport = std::make_unique<SimTransport>(network_, *m.runtime, m.address);
  ProxyOptions options;
  // All machines: whoever replaces nodes tells proxies that start later of the new ones.
  for (const auto& node : nodes_) options.nodes.push_back(node->address);
  options.region = m.region;
  options.version = "sim";
  options.attempt_timeout = Duration(options_.attempt_us);
  m.proxy = std::make_unique<Proxy>(Proxy::Deps{*m.runtime, *m.transport}, std::move(options));
  m.proxy->start();
}

std::optional<int> SimCluster::leader() const {
  std::optional<int> leader;
  Term term;
  for (const auto& m : nodes_) {
    if (m->node == nullptr || !m->node->is_leader()) continue;
    const Term own = m->node->replica()->raft_status().term;
    if (!leader || own > term) leader = m->index, term = own;
  }
  return leader;
}

std::optional<raft::Status> SimCluster::raft_status(int i) const {
  const NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  if (m.node == nullptr || m.node->replica() == nullptr) return std::nullopt;
  return m.node->replica()->raft_status();
}

Term SimCluster::term() const {
  Term term;
  for (const auto& m : nodes_) {
    if (m->node != nullptr && m->node->replica() != nullptr)
      term = std::max(term, m->node->replica()->raft_status().term);
  }
  return term;
}

std::uint64_t SimCluster::node_id(int i) const {
  const NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  return m.node == nullptr ? 0 : m.node->directory().identity().node_id();
}

std::shared_ptr<const api::ClusterState> SimCluster::topology() const {
  std::shared_ptr<const api::ClusterState> best;
  const std::optional<int> leading = leader();
  for (const auto& m : nodes_) {
    if (m->node == nullptr || m->node->replica() == nullptr) continue;
    const auto known = m->node->replica()->cluster();
    if (known->nodes().empty()) continue;  // new, and has not got its data yet
    if (leading == m->index) return known;
    if (best == nullptr || known->version() > best->version()) best = known;
  }
  return best;
}

std::vector<int> SimCluster::members() const {
  std::vector<int> out;
  const auto known = topology();
  for (const auto& m : nodes_) {
    bool member = known == nullptr && m->index < options_.nodes;
    if (known != nullptr) {
      for (const api::NodeDescriptor& node : known->nodes()) {
        member |= node.address() == m->address && node.state() != api::REMOVED;
      }
    }
    if (member) out.push_back(m->index);
  }
  return out;
}

std::uint64_t SimCluster::member_id(int i) const {
  const auto known = topology();
  if (known == nullptr) return 0;
  for (const api::NodeDescriptor& node : known->nodes()) {
    if (node.address() == node_address(i) && node.state() != api::REMOVED) return node.id();
  }
  return 0;
}

bool SimCluster::removed(int i) const {
  const NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  return m.node != nullptr && m.node->directory().identity().initialised() && m.node->replica() == nullptr;
}

bool SimCluster::changing_members() const {
  const auto known = topology();
  return known != nullptr &&
         std::ranges::any_of(known->operations(), [](const api::Operation& operation) { return !operation.done(); });
}

std::vector<int> SimCluster::free_nodes() const {
  std::vector<int> out;
  const std::vector<int> taken = members();
  for (const auto& m : nodes_) {
    const bool empty = m->node != nullptr && m->node->directory().identity().cluster_id() == 0;
    if (empty && std::ranges::find(taken, m->index) == taken.end()) out.push_back(m->index);
  }
  return out;
}

bool SimCluster::converged(std::string* why) const {
  if (changing_members()) {
    *why = "a change of the members is not finished";
    return false;
  }
  const NodeMachine* first = nullptr;
  std::uint64_t hash = 0;
  for (const int i : members()) {
    NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
    if (m.node == nullptr || m.node->replica() == nullptr) {
      *why = fmt::format("node {} is not up", i);
      return false;
    }
    const LogIndex applied = m.node->replica()->applied().index;
    if (first != nullptr && applied != first->node->replica()->applied().index) {
      *why = fmt::format("node {} has applied {}, node {} {}", i, applied, first->index,
                         first->node->replica()->applied().index);
      return false;
    }
    const std::uint64_t own = hash_contents(m.store->engine(), kReplicatedKeys);
    if (first != nullptr && own != hash) {
      *why = fmt::format("node {} holds other bytes than node {}, both having applied {}", i, first->index, applied);
      return false;
    }
    first = &m;
    hash = own;
  }
  return true;
}

std::string SimCluster::describe() const {
  std::string text;
  for (const auto& m : nodes_) {
    text += fmt::format("\n  node {}: ", m->index);
    if (m->node == nullptr || m->node->replica() == nullptr) {
      text += m->node == nullptr ? "down" : "not part of a cluster";
      continue;
    }
    const raft::Status s = m->node->replica()->raft_status();
    text += fmt::format("replica {} term {} leader {} log {}..{} stable {} commit {} handed out {} applied {}", s.id,
                        s.term, s.leader, s.first_index, s.last_index, s.stable, s.commit, s.applied,
                        m->node->replica()->applied().index);
    for (const raft::FollowerStatus& f : s.followers) {
      text += fmt::format("; {} has {}{}{}", f.id, f.match, f.recently_active ? "" : ", silent",
                          f.snapshotting ? ", gets a snapshot" : "");
    }
  }
  return text;
}

bool SimCluster::form(std::string* why) {
  // As an operator would: asked again until it is answered.
  bool formed = false;
  *why = "no answer";
  const std::int64_t deadline = world_.now() + kFormUs;
  while (!formed && world_.now() < deadline) {
    bool answered = false;
    v1::InitClusterRequest request;
    for (int i = 0; i < options_.nodes; ++i) {
      auto* node = request.add_nodes();
      node->set_address(node_address(i));
      node->set_region(node_region(i));
    }
    client::Call call;
    call.deadline = admin_->runtime->now() + Duration(10'000'000);
    admin_->core->init_cluster(std::move(request), std::move(call), [&](Result<v1::InitClusterResponse> result) {
      answered = true;
      formed = result.has_value();
      if (!result) *why = result.error().to_string();
    });
    world_.run_until([&] { return answered; }, deadline);
    if (!formed) world_.run_for(100'000);
  }
  // Asked again, a cluster says that it exists as soon as one node is in it. Until all are, the plan of whoever forms
  // it is all there is, and a disk that is lost would be the cluster.
  const auto complete = [&] {
    for (int i = 0; i < options_.nodes; ++i) {
      const NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
      if (m.node == nullptr || m.node->replica() == nullptr) return false;
    }
    return true;
  };
  if (formed && !world_.run_until(complete, deadline)) {
    *why = "not every node has joined";
    return false;
  }
  return formed;
}

int SimCluster::nodes() const { return static_cast<int>(nodes_.size()); }
const std::string& SimCluster::node_region(int i) const { return nodes_[static_cast<std::size_t>(i)]->region; }
void SimCluster::expect_death(int i, bool expected) { nodes_[static_cast<std::size_t>(i)]->may_die = expected; }
bool SimCluster::death_expected(int i) const { return nodes_[static_cast<std::size_t>(i)]->may_die; }
bool SimCluster::disk_is_full(int i) const { return nodes_[static_cast<std::size_t>(i)]->full; }
bool SimCluster::halted(int i) const { return nodes_[static_cast<std::size_t>(i)]->halted; }
int SimCluster::proxies() const { return static_cast<int>(proxies_.size()); }
Address SimCluster::node_address(int i) const { return nodes_[static_cast<std::size_t>(i)]->address; }
Address SimCluster::proxy_address(int i) const { return proxies_[static_cast<std::size_t>(i)]->address; }
bool SimCluster::node_up(int i) const { return nodes_[static_cast<std::size_t>(i)]->node != nullptr; }
bool SimCluster::proxy_up(int i) const { return proxies_[static_cast<std::size_t>(i)]->proxy != nullptr; }

std::vector<Address> SimCluster::addresses() const {
  std::vector<Address> all;
  for (const auto& node : nodes_) all.push_back(node->address);
  for (const auto& proxy : proxies_) all.push_back(proxy->address);
  for (const auto& client : clients_) all.push_back(client->transport->local_address());
  return all;
}

void SimCluster::crash_node(int i, bool power_loss) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  if (m.runtime == nullptr) return;
  draw(i, "down", true);
  if (power_loss) {
    // The power may go while files are being written: some of the way into work that nobody will hear of.
    std::uint64_t steps = m.rng.below(kFileSteps);
    bool gone = false;
    using Operation = SimFileSystem::Operation;
    m.fs.set_injector([&m, steps, gone](Operation operation, const std::string&) mutable -> std::optional<Error> {
      // RocksDB may read while it writes in the background: only what changes the disk has an order.
      if (!gone && (operation == Operation::kRead || steps-- != 0)) return std::nullopt;
      if (!std::exchange(gone, true)) m.fs.crash();
      return Error(ErrorCode::kIo, "the power is gone");
    });
    m.runtime->hasten_blocking(kTornChance);
    m.fs.set_injector(nullptr);
  }
  m.runtime->kill();
  m.transport->kill(!power_loss);
  m.node.reset();
  m.transport.reset();
  m.runtime.reset();
  if (ending_) return;  // nobody will look at what is left, and working it out takes long
  m.store->close();     // its memory is gone either way
  power_loss ? m.fs.crash() : m.fs.kill();
}

void SimCluster::end_node(int i, Callback ended) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  if (m.node == nullptr) return;
  m.node->shut_down(true, [this, i, actor = m.runtime->state(), ended = std::move(ended)]() mutable {
    // Not from inside one of its own events.
    world_.at(world_.now(), EventKind::kFault, nullptr, [this, i, actor, ended = std::move(ended)]() mutable {
      if (!actor->actor.alive) return;
      crash_node(i, false);
      ended();
    });
  });
}

void SimCluster::crash_proxy(int i) {
  ProxyMachine& m = *proxies_[static_cast<std::size_t>(i)];
  if (m.runtime == nullptr) return;
  m.runtime->kill();
  m.transport->kill(world_.now() % 2 == 0);
  m.proxy.reset();
  m.transport.reset();
  m.runtime.reset();
}

void SimCluster::pause_node(int i, std::int64_t duration_us) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  if (m.runtime == nullptr) return;
  m.runtime->pause(Duration(duration_us));
  draw(i, "paused", true);
  world_.at(world_.now() + duration_us, EventKind::kFault, nullptr, [this, i] { draw(i, "paused", false); });
}

void SimCluster::draw(int i, const char* what, bool begins) {
  Timeline* picture = world_.timeline();
  if (picture == nullptr) return;
  begins ? picture->begin(world_.now(), node_address(i), what) : picture->end(world_.now(), node_address(i), what);
}

void SimCluster::adjust_clock(int i) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  if (!m.clock_wrong) m.clocks.adjust(world_.now());
}

void SimCluster::set_clock(int i, std::int64_t offset_us) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  m.clocks.set_wall_offset(world_.now(), offset_us);
  const bool wrong = std::abs(offset_us) > options_.clocks.wall_bound_us;
  if (m.clock_wrong && !wrong) m.clock_right_since = world_.now();
  m.clock_wrong = wrong;
}

// One that started with a wrong clock can't know before it has heard its peers; nor, when it is right again.
std::string SimCluster::clock_misjudged() {
  for (const auto& m : nodes_) {
    if (m->node == nullptr || !m->node->in_cluster()) continue;
    const std::optional<Error> fault = m->node->clock_fault();
    if (!fault && !m->clock_wrong) m->started_wrong = false;
    if (m->started_wrong) continue;
    if (m->clock_wrong && !fault) return fmt::format("node {} goes by its clock, which is wrong", m->index);
    if (!m->clock_wrong && m->node->clock_wrong() && world_.now() - m->clock_right_since > kRecognisedUs) {
      return fmt::format("node {}, whose clock is right: {}", m->index, fault->to_string());
    }
  }
  return {};
}

void SimCluster::slow_disk(int i, double factor) {
  nodes_[static_cast<std::size_t>(i)]->disk.slow_factor = factor;
  draw(i, "slow disk", factor > 1);
}

void SimCluster::fill_disk(int i, bool full) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  m.fs.set_capacity(full ? std::optional(m.fs.used_bytes() + m.rng.below(kRoomBytes)) : std::nullopt);
  m.store->set_disk_full(full);
  m.full = full;
  m.was_full |= full;
  draw(i, "full disk", full);
}

void SimCluster::fill_data_disk(int i, bool full) { nodes_[static_cast<std::size_t>(i)]->store->set_disk_full(full); }

SimFileSystem& SimCluster::files(int i) { return nodes_[static_cast<std::size_t>(i)]->fs; }

void SimCluster::wipe_node(int i) {
  NodeMachine& m = *nodes_[static_cast<std::size_t>(i)];
  CHECK(m.runtime == nullptr);
  fill_disk(i, false);
  CHECK(m.fs.remove_all("/data").has_value());
  m.store->wipe();
}

void SimCluster::heal() {
  network_.heal();
  network_.options().loss = 0;
  network_.options().duplicate = 0;
  network_.options().reorder = 0;
  for (int i = 0; i < nodes(); ++i) {
    slow_disk(i, 1);
    if (nodes_[static_cast<std::size_t>(i)]->clock_wrong) set_clock(i, 0);
    fill_disk(i, false);
    files(i).fail_next_syncs(0);
    if (node_up(i)) expect_death(i, false);
    if (!halted(i)) start_node(i);  // who repairs it does that
  }
  for (int i = 0; i < proxies(); ++i) start_proxy(i);
}

std::vector<std::pair<std::uint64_t, check::Value>> SimCluster::stored(int node, const std::string& key) const {
  std::vector<std::pair<std::uint64_t, check::Value>> versions;
  Engine& engine = nodes_[static_cast<std::size_t>(node)]->store->engine();
  const KeyspaceId keyspace(1);
  const auto it = engine.iterate(txn::version_range(keyspace, key, key_after(key)), {});
  for (it->seek_to_first(); it->valid(); it->next()) {
    std::string_view suffix = it->key().substr(it->key().size() - 10);  // timestamp inverted, origin
    std::uint64_t version = 0;
    CHECK(consume_u64_inverted(suffix, version));
    std::string_view value;
    const auto header = txn::decode_version_header(it->value(), &value);
    CHECK(header.has_value());
    check::Value text;
    if (!header->tombstone) text = std::string(value.substr(0, value.find('|')));
    versions.emplace_back(version, std::move(text));
  }
  return versions;
}

}  // namespace meridian::sim
