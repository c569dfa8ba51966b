#include "tests/sim/sim_transport.h"

#include <algorithm>

#include "base/check.h"
#include "tests/sim/sim_network.h"

namespace meridian::sim {

namespace {
constexpr std::int64_t kKeepAliveMinUs = 500'000;
constexpr std::int64_t kKeepAliveMaxUs = 4'000'000;
constexpr std::int64_t kResetMaxUs = 5'000;
}  // namespace

SimTransport::SimTransport(SimNetwork& network, SimRuntime& runtime, Address address)
    : network_(network), self_(std::make_shared<SimNetwork::Endpoint>()) {
  CHECK_F(network.listening(address) == nullptr, "two processes listen at {}", address);
  self_->address = address;
  self_->runtime = &runtime;
  self_->state = runtime.state();
  network.endpoints_[std::move(address)] = self_;
}

SimTransport::~SimTransport() { kill(true); }

Address SimTransport::local_address() const { return self_->address; }

void SimTransport::handle(MethodId method, CallHandler handler) { self_->handlers[method] = std::move(handler); }

SimNetwork::Connection* SimTransport::connect(const Address& to) {
  if (const auto it = self_->connections.find(to); it != self_->connections.end()) {
    // The peer was restarted: its machine answers the first segment with a reset.
    const auto target = it->second.target.lock();
    if ((target == nullptr || !target->alive()) && network_.listening(to) != nullptr) {
      network_.world_.at(network_.world_.now() + 2 * network_.draw_delay(self_->address, to), EventKind::kNetwork,
                         self_->actor(),
                         [self = self_, to, number = it->second.number] { self->break_connection(to, number); });
    }
    return &it->second;
  }
  auto target = network_.listening(to);
  if (target == nullptr || network_.is_cut(self_->address, to) || network_.is_cut(to, self_->address)) return nullptr;
  auto& connection = self_->connections[to];
  connection.target = target;
  connection.number = ++self_->last_connection;
  // The handshake.
  const std::int64_t ready = network_.world_.now() + 2 * network_.draw_delay(self_->address, to);
  connection.last_arrival.fill(self_->address == to ? 0 : ready);
  return &connection;
}

void SimTransport::fail_unsent(const Address& to, MonoTime deadline, ResponseCallback done) {
  SimWorld& world = network_.world_;
  const bool is_cut = network_.is_cut(self_->address, to) || network_.is_cut(to, self_->address);
  // A live machine refuses at once; a dead or cut-off one lets the attempt time out.
  const bool refused = !is_cut && network_.rng_.chance(0.5);
  const std::int64_t given_up =
      world.now() + (refused ? 2 * network_.draw_delay(self_->address, to) : network_.options_.connect_timeout_us);
  const std::int64_t expired = self_->runtime->clocks().world_at(deadline);
  Error error = expired <= given_up ? Error(ErrorCode::kDeadlineExceeded, fmt::format("no connection to {}", to))
                                    : Error(ErrorCode::kUnavailable, fmt::format("cannot connect to {}", to));
  world.at(std::min(expired, given_up), EventKind::kNetwork, self_->actor(),
           [error = std::move(error), done = std::move(done)]() mutable { done(fail(std::move(error))); });
}

void SimTransport::call(const Address& to, MethodId method, std::string request, CallOptions options,
                        ResponseCallback done) {
  if (!self_->alive()) return;
  const MonoTime now = self_->runtime->now();
  SimNetwork::Connection* connection = options.deadline <= now ? nullptr : connect(to);
  if (connection == nullptr) return fail_unsent(to, options.deadline, std::move(done));

  const std::uint64_t id = ++self_->last_call;
  auto& pending = self_->pending[id];
  pending.done = std::move(done);
  pending.late = std::move(options.late);
  pending.to = to;
  pending.connection = connection->number;
  if (options.deadline != MonoTime::max()) {
    pending.deadline = network_.world_.at(
        self_->runtime->clocks().world_at(options.deadline), EventKind::kTimer, self_->actor(),
        [self = self_, id, late_until = pending.late ? self_->runtime->clocks().world_at(options.late_until) : 0] {
          self->give_up_waiting(id, late_until);
        });
  }
  SimNetwork::Envelope envelope;
  envelope.kind = SimNetwork::Envelope::Kind::kRequest;
  envelope.from = self_;
  envelope.to = connection->target;
  envelope.from_address = self_->address;
  envelope.to_address = to;
  envelope.method = method;
  envelope.call = id;
  envelope.connection = connection->number;
  envelope.payload = std::move(request);
  envelope.trace = std::move(options.trace);
  if (options.deadline != MonoTime::max()) envelope.remaining_us = (options.deadline - now).count();
  network_.transmit(std::move(envelope), &connection->last_arrival[static_cast<std::size_t>(options.priority)]);
}

void SimTransport::send(const Address& to, MethodId method, std::string message, CallOptions options) {
  if (!self_->alive()) return;
  SimNetwork::Connection* connection = connect(to);
  if (connection == nullptr) return;
  SimNetwork::Envelope envelope;
  envelope.kind = SimNetwork::Envelope::Kind::kOneWay;
  envelope.from = self_;
  envelope.to = connection->target;
  envelope.from_address = self_->address;
  envelope.to_address = to;
  envelope.method = method;
  envelope.connection = connection->number;
  envelope.payload = std::move(message);
  envelope.trace = std::move(options.trace);
  network_.transmit(std::move(envelope), &connection->last_arrival[static_cast<std::size_t>(options.priority)]);
}

void SimTransport::kill(bool abrupt) {
  if (self_->handlers.empty() && self_->pending.empty() && network_.endpoints_[self_->address].lock() != self_) return;
  if (network_.endpoints_[self_->address].lock() == self_) network_.endpoints_.erase(self_->address);
  for (const auto& [address, weak] : network_.endpoints_) {
    const auto peer = weak.lock();
    if (peer == nullptr || !peer->alive()) continue;
    const auto it = peer->connections.find(self_->address);
    if (it == peer->connections.end() || it->second.target.lock() != self_) continue;
    const std::int64_t heard =
        abrupt ? network_.draw_delay(self_->address, address) + network_.rng_.between(std::int64_t{0}, kResetMaxUs)
               : network_.rng_.between(kKeepAliveMinUs, kKeepAliveMaxUs);
    network_.world_.at(network_.world_.now() + heard, EventKind::kNetwork, peer->actor(),
                       [peer, to = self_->address, number = it->second.number] { peer->break_connection(to, number); });
  }
  // Destroying callbacks can reach back here: each container is emptied first.
  auto pending = std::exchange(self_->pending, {});
  auto handlers = std::exchange(self_->handlers, {});
  self_->connections.clear();
}

}  // namespace meridian::sim
