#include "tests/stories/bed.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"

namespace meridian::stories {

RunOptions quiet_cluster(int nodes, std::uint64_t seed) {
  set_log_level(LogLevel::kOff);
  RunOptions o;
  o.seed = seed;
  o.scenario = "story";
  o.nodes = nodes;
  o.clients = 2;
  o.disk.max_us = 10'000;
  o.election_us = 500'000;
  o.attempt_us = 1'000'000;
  o.segment_bytes = 64 << 10;
  o.trim_bytes = 1 << 20;
  o.keep_log_bytes = 1 << 20;
  o.flush_bytes = 64 << 20;
  o.chunk_bytes = 4 << 10;
  return o;
}

Bed::Bed(RunOptions options, std::string bug)
    : world(options.seed), faults(world, std::move(bug)), cluster(world, options) {
  faults.set_buggify(false);
  std::string why;
  CHECK_F(cluster.form(&why), "the cluster was not formed: {}", why);
  await_leader();
}

Bed::~Bed() = default;

void Bed::start_put(int client, const std::string& key, const std::string& value, Written done, std::int64_t timeout_us,
                    std::optional<v1::RequestId> id) {
  sim::SimClient& c = cluster.client(client);
  v1::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  client::Call call{.deadline = c.runtime->now() + Duration(timeout_us), .id = std::move(id)};
  c.core->put(std::move(request), std::move(call), std::move(done));
}

void Bed::start_get(int client, const std::string& key, std::function<void(const Result<Answer>&)> done,
                    std::int64_t timeout_us, v1::Consistency consistency) {
  sim::SimClient& c = cluster.client(client);
  v1::GetRequest request;
  request.set_key(key);
  request.mutable_options()->set_consistency(consistency);
  client::Call call{.deadline = c.runtime->now() + Duration(timeout_us)};
  c.core->get(std::move(request), std::move(call), [done = std::move(done)](const Result<v1::GetResponse>& got) {
    if (!got) return done(fail(got.error()));
    Answer answer{.version = got->version(), .timestamp = got->info().timestamp()};
    if (got->found()) answer.value = got->value();
    done(answer);
  });
}

Result<std::uint64_t> Bed::put(const std::string& key, const std::string& value, int client, std::int64_t timeout_us,
                               std::optional<v1::RequestId> id) {
  std::optional<Result<std::uint64_t>> out;
  start_put(
      client, key, value,
      [&out](const Result<v1::WriteResponse>& written) {
        if (written) {
          out.emplace(written->version());
        } else {
          out.emplace(fail(written.error()));
        }
      },
      timeout_us, std::move(id));
  CHECK(run_until([&out] { return out.has_value(); }, 2 * timeout_us));
  return *std::move(out);
}

Result<Bed::Answer> Bed::get(const std::string& key, int client, std::int64_t timeout_us, v1::Consistency consistency) {
  std::optional<Result<Answer>> out;
  start_get(client, key, [&out](const Result<Answer>& answer) { out.emplace(answer); }, timeout_us, consistency);
  CHECK(run_until([&out] { return out.has_value(); }, 2 * timeout_us));
  return *std::move(out);
}

v1::RequestId Bed::new_id(int client) {
  std::optional<v1::RequestId> id;
  sim::SimClient& c = cluster.client(client);
  c.core->new_request_id({.deadline = c.runtime->now() + Duration(10'000'000)},
                         [&id](const Result<v1::RequestId>& made) { id = made.value(); });
  CHECK(run_until([&id] { return id.has_value(); }));
  return *id;
}

void Bed::start_transfer(int node, std::int64_t timeout_us) {
  sim::SimClient& admin = cluster.admin();
  v1::TransferLeaderRequest request;
  request.set_node_id(cluster.node_id(node));
  admin.core->transfer_leader(std::move(request), {.deadline = admin.runtime->now() + Duration(timeout_us)},
                              [](const Result<v1::TransferLeaderResponse>&) {});
}

void Bed::crash_all(bool power_loss) {
  for (int i = 0; i < cluster.nodes(); ++i) cluster.crash_node(i, power_loss);
}

void Bed::start_all() {
  for (int i = 0; i < cluster.nodes(); ++i) cluster.start_node(i);
}

void Bed::mute(int node) {
  for (const Address& other : cluster.addresses()) {
    if (other != cluster.node_address(node)) cluster.network().cut(cluster.node_address(node), other);
  }
}

void Bed::deafen(int node) {
  for (const Address& other : cluster.addresses()) {
    if (other != cluster.node_address(node)) cluster.network().cut(other, cluster.node_address(node));
  }
}

void Bed::isolate(int node) {
  for (int i = 0; i < cluster.nodes(); ++i) {
    if (i == node) continue;
    cluster.network().cut(cluster.node_address(i), cluster.node_address(node));
    cluster.network().cut(cluster.node_address(node), cluster.node_address(i));
  }
}

int Bed::await_leader(int but) {
  const auto leads = [&] { return cluster.leader().has_value() && *cluster.leader() != but; };
  CHECK_F(run_until(leads), "nobody leads{}", cluster.describe());
  return *cluster.leader();
}

int Bed::a_follower() { return (await_leader() + 1) % cluster.nodes(); }

void Bed::expect_convergence() {
  cluster.heal();
  std::string why;
  const std::int64_t deadline = world.now() + 60'000'000;
  while (!cluster.converged(&why)) {
    if (world.now() >= deadline) {
      ADD_FAILURE() << "no convergence: " << why << cluster.describe();
      return;
    }
    world.run_for(100'000);
  }
}

void Bed::expect_stored(const std::map<std::string, std::string>& values) {
  for (int i = 0; i < cluster.nodes(); ++i) {
    std::size_t missing = 0;
    for (const auto& [key, value] : values) {
      const auto versions = cluster.stored(i, key);
      if (versions.empty() || versions.front().second != value) ++missing;
    }
    EXPECT_EQ(missing, 0u) << "of " << values.size() << " on node " << i;
  }
}

Writers::Writers(Bed& bed, std::string name, int per_client, std::int64_t pause_us) {
  state_->pause_us = pause_us;
  for (int client = 0; client < 2; ++client) {
    for (int i = 0; i < per_client; ++i) {
      ++state_->open;
      next(bed, client, fmt::format("{}-{}{}-", name, client, i), 0, state_);
    }
  }
}

void Writers::next(Bed& bed, int client, std::string prefix, int n, std::shared_ptr<State> state) {
  const std::string key = fmt::format("{}{}", prefix, n), value = "v-" + key;
  bed.start_put(client, key, value, [=, &bed](const Result<v1::WriteResponse>& written) {
    if (written) state->acknowledged[key] = value;
    bed.world.at(bed.world.now() + state->pause_us, sim::EventKind::kWorld, nullptr, [=, &bed] {
      if (state->go) return next(bed, client, prefix, n + 1, state);
      --state->open;
    });
  });
}

}  // namespace meridian::stories
