// One node: directory, engine and Node between the loop and the sockets.

#include <random>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "base/posix_file.h"
#include "server/command_line.h"
#include "server/ending.h"
#include "server/front.h"
#include "server/memory.h"
#include "server/parts.h"
#include "server/rocks/rocks_engine.h"
#include "shard/node/node.h"

namespace meridian::server {

namespace {

constexpr Duration kLoopPatience = 1s;  // of a scrape or a health check

// Figures of a node, brought up to date when somebody scrapes.
class NodeMetrics {
 public:
  explicit NodeMetrics(Metrics& m)
      : leader_(m.gauge("meridian_raft_leader", "1 where this node leads its shard.")),
        term_(m.gauge("meridian_raft_term", "Current term.")),
        last_(m.gauge("meridian_raft_last_index", "Last entry of the log.")),
        commit_(m.gauge("meridian_raft_commit_index", "Last entry known to be committed.")),
        applied_(m.gauge("meridian_raft_applied_index", "Last entry applied to the data.")),
        voters_(m.gauge("meridian_raft_voters", "Voters of the shard.")),
        trouble_(m.gauge("meridian_node_trouble", "1 where it refuses requests; /readyz says why.")),
        log_bytes_(m.gauge("meridian_log_disk_bytes", "Size of the log's segments.")),
        log_live_(m.gauge("meridian_log_live_bytes", "Part of the log that is still needed.")),
        log_queue_(m.gauge("meridian_log_queue_bytes", "Appended and not durable yet.")),
        log_full_(m.gauge("meridian_log_full", "1 while the disk is full.")),
        data_bytes_(m.gauge("meridian_engine_disk_bytes", "Size of the data's files.")),
        data_memory_(m.gauge("meridian_engine_memory_bytes", "Write buffers and caches.")),
        memory_limit_(m.gauge("meridian_memory_limit_bytes", "storage.memory: what a node may hold.")),
        memory_log_(m.gauge("meridian_memory_log_bytes", "Entries of the log in memory.")),
        memory_queue_(m.gauge("meridian_memory_queue_bytes", "Requests that wait, and entries not applied yet.")),
        memory_ids_(m.gauge("meridian_memory_remembered_ids_bytes", "Ids of requests that a leader remembers.")),
        cache_bytes_(m.gauge("meridian_version_cache_bytes", "Records held in memory because they were read lately.")),
        cache_hits_(m.counter("meridian_version_cache_hits_total", "Keys that were answered from it.")),
        cache_misses_(m.counter("meridian_version_cache_misses_total", "Keys that were looked for in it and not there.")),
        syncs_(m.latency("meridian_log_sync_seconds", "Time of one write of the log with its fsync.")),
        sync_sizes_(m.sizes("meridian_log_sync_size_bytes", "Size of one write of the log.")) {}

  void set(const api::NodeStatusResponse& status, const LogStats& log, const EngineStats& engine,
           const VersionCache::Stats& cache, const ReplicaMemory& memory) {
    memory_log_.set(static_cast<double>(memory.log_bytes));
    memory_queue_.set(static_cast<double>(memory.queue_bytes));
    memory_ids_.set(static_cast<double>(memory.remembered_requests * NodeMemory::kBytesPerRememberedId));
    leader_.set(status.role() == api::LEADER);
    term_.set(static_cast<double>(status.term()));
    last_.set(static_cast<double>(status.last_index()));
    commit_.set(static_cast<double>(status.commit_index()));
    applied_.set(static_cast<double>(status.applied_index()));
    voters_.set(status.voters_size());
    trouble_.set(!status.trouble().empty());
    log_bytes_.set(static_cast<double>(log.bytes_on_disk));
    log_live_.set(static_cast<double>(log.bytes_live));
    log_queue_.set(static_cast<double>(log.queue_bytes));
    data_bytes_.set(static_cast<double>(engine.disk_bytes));
    data_memory_.set(static_cast<double>(engine.memory_bytes));
    cache_bytes_.set(static_cast<double>(cache.bytes));
    catch_up(cache_hits_, cache.hits);
    catch_up(cache_misses_, cache.misses);
  }
  void set_offsets(Metrics& m, const api::NodeStatusResponse& status) {
    for (const auto& offset : status.clock_offsets()) {
      m.gauge("meridian_clock_offset_seconds", "How far this node's wall clock is ahead of a peer's.",
              {{"peer", std::to_string(offset.node_id())}})
          .set(static_cast<double>(offset.ahead_us()) / 1e6);
    }
  }
  void synced(Duration took, std::uint64_t bytes) {
    syncs_.record(took);
    sync_sizes_.record(bytes);
  }
  void set_memory(std::uint64_t limit) { memory_limit_.set(static_cast<double>(limit)); }
  void full(bool full) { log_full_.set(full); }

 private:
  static void catch_up(Counter& counter, std::uint64_t total) {
    if (total > counter.value()) counter.add(total - counter.value());
  }

  Gauge &leader_, &term_, &last_, &commit_, &applied_, &voters_, &trouble_;
  Gauge &log_bytes_, &log_live_, &log_queue_, &log_full_, &data_bytes_, &data_memory_;
  Gauge &memory_limit_, &memory_log_, &memory_queue_, &memory_ids_;
  Gauge& cache_bytes_;
  Counter &cache_hits_, &cache_misses_;
  MetricHistogram &syncs_, &sync_sizes_;
};

NodeOptions node_options(const NodeConfig& config, const NodeMemory& memory, std::uint64_t seed) {
  NodeOptions options;
  options.region = config.region;
  options.version = version_text();
  options.replica.election_timeout = config.raft.election_timeout;
  options.replica.heartbeat_interval = config.raft.heartbeat_interval;
  options.replica.clock_drift = config.raft.clock_drift;
  options.replica.priority = static_cast<std::uint32_t>(config.raft.priority);
  options.replica.max_clock_offset = config.limits.clock_offset;
  options.replica.request_window = config.limits.request_window;
  options.replica.max_queued_bytes = memory.queue;
  options.replica.flush_after_bytes = memory.unflushed_log;
  options.replica.log_memory_bytes = memory.recent_log;
  options.replica.keep_log_bytes = config.storage.log_keep;
  options.replica.max_log_bytes = config.storage.log_max;
  options.replica.remembered_requests = memory.remembered_requests();
  options.replica.limits = config.limits.to_api();
  options.replica.seed = seed;
  options.replica.version_cache_bytes = memory.version_cache;
  options.log.segment_bytes = config.storage.log_segment;
  options.frame_bytes = config.limits.frame;
  return options;
}

class NodeInProcess final : public Part {
 public:
  NodeInProcess(NodeConfig config, std::unique_ptr<Front> front)
      : config_(std::move(config)), front_(std::move(front)), metrics_(front_->metrics()) {}

  ~NodeInProcess() override { stop(Duration(0)); }

  Result<> start() {
    ASSIGN_OR_RETURN(const NodeMemory most, divide_memory(config_.storage, config_.limits));
    std::random_device device;
    const NodeMemory memory = most.staggered(std::uniform_real_distribution<>()(device));
    metrics_.set_memory(config_.storage.memory);
    ASSIGN_OR_RETURN(std::unique_ptr<DataDirectory> directory, DataDirectory::open(fs_, config_.dir));
    RocksOptions rocks;
    rocks.path = config_.dir + "/data";
    rocks.block_cache_bytes = memory.block_cache;
    rocks.write_buffer_bytes = memory.write_buffer;
    rocks.background_bytes_per_s = config_.storage.background_rate;
    ASSIGN_OR_RETURN(engine_, open_rocks_engine(rocks));

    RETURN_IF_ERROR(front_->on_loop([&]() -> Result<> {
      NodeOptions options = node_options(config_, memory, front_->runtime().random());
      options.log.on_synced = [this](Duration took, std::uint64_t bytes) { metrics_.synced(took, bytes); };
      options.log.on_full = [this](bool full) { metrics_.full(full); };
      ASSIGN_OR_RETURN(node_, Node::open({.runtime = front_->runtime(),
                                          .transport = front_->transport(),
                                          .engine = *engine_,
                                          .fs = fs_,
                                          .fatal = [](const Error& error) { end_at_once(error); }},
                                         std::move(directory), std::move(options)));
      return {};
    }));
    refresh_ = front_->metrics().on_scrape([this] { refresh(); });
    return front_->listen({}, [this] {
      return front_->ask_loop([this] { return node_->not_ready(); }, kLoopPatience)
          .value_or("its loop does not answer");
    });
  }

  const Address& address() const override { return front_->address(); }

  Result<> shut_down(Duration bound, bool hand_over) override {
    front_->drain();
    const bool flushed =
        front_->wait_for([this, hand_over](Callback done) { node_->shut_down(hand_over, std::move(done)); }, bound);
    if (!flushed) LOG_WARNING("not everything was flushed in time; the log has it", {{"dir", config_.dir}});
    stop(std::min(bound, Duration(500ms)));
    return {};
  }

 private:
  void refresh() {
    const auto figures = front_->ask_loop(
        [this] { return std::tuple(node_->status(), node_->log_stats(), node_->version_cache(), node_->memory()); }, kLoopPatience);
    if (!figures) return;
    const auto& [status, log, cache, memory] = *figures;
    metrics_.set(status, log, engine_->stats(), cache, memory);
    metrics_.set_offsets(front_->metrics(), status);
  }

  void stop(Duration grace) {
    front_->stop(grace, [this] {
      refresh_.reset();
      node_.reset();
      engine_.reset();
    });
  }

  const NodeConfig config_;
  std::unique_ptr<Front> front_;
  NodeMetrics metrics_;
  PosixFileSystem fs_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Node> node_;
  std::shared_ptr<void> refresh_;
};

}  // namespace

Result<std::unique_ptr<Part>> start_node(NodeConfig config, std::shared_ptr<BlockingPool> pool,
                                         const std::string& name, std::shared_ptr<LocalNetwork> network) {
  ASSIGN_OR_RETURN(const NodeMemory memory, divide_memory(config.storage, config.limits));
  ASSIGN_OR_RETURN(auto front, Front::start({.name = name,
                                             .role = "node",
                                             .listen = config.listen,
                                             .advertise = config.advertise,
                                             .http = config.http,
                                             .region = config.region,
                                             .latency = config.latency,
                                             .latency_peers = config.latency_peers,
                                             .frame_bytes = config.limits.frame,
                                             .answer_bytes = memory.answers,
                                             .max_streams = config.limits.streams,
                                             .reflection = config.reflection,
                                             .pool = std::move(pool),
                                             .network = std::move(network)}));
  auto node = std::make_unique<NodeInProcess>(std::move(config), std::move(front));
  RETURN_IF_ERROR(node->start());
  return node;
}

}  // namespace meridian::server
