#include "tests/sim/sim_network.h"

#include <algorithm>

#include <xxhash.h>

#include "base/check.h"

namespace meridian::sim {

namespace {
constexpr double kHeldChance = 0.3;  // a message into a cut link waits for the link to heal
constexpr std::int64_t kBreakMinUs = 10'000;
constexpr std::int64_t kBreakMaxUs = 2'000'000;
constexpr std::int64_t kLoopbackMaxUs = 30;
}  // namespace

SimNetwork::SimNetwork(SimWorld& world, NetworkOptions options)
    : world_(world), options_(options), rng_(world.rng("network")) {}

SimNetwork::~SimNetwork() = default;

void SimNetwork::set_delay(const std::string& a, const std::string& b, std::int64_t min_us, std::int64_t max_us) {
  delays_[{a, b}] = delays_[{b, a}] = {min_us, max_us};
}

void SimNetwork::cut(const Address& from, const Address& to) {
  cut_.insert({from, to});
  if (Timeline* picture = world_.timeline()) picture->begin(world_.now(), "", "cut");
}

void SimNetwork::clog(const Address& from, const Address& to, std::int64_t duration_us) {
  auto& until = clogged_until_[{from, to}];
  until = std::max(until, world_.now() + duration_us);
}

void SimNetwork::mend(const Address& from, const Address& to) {
  cut_.erase({from, to});
  std::vector<Envelope> held;
  held.swap(held_);
  for (Envelope& envelope : held) {
    if (envelope.from_address == from && envelope.to_address == to) {
      arrive_at(world_.now() + draw_delay(from, to) * 2, std::move(envelope));
    } else {
      held_.push_back(std::move(envelope));
    }
  }
}

void SimNetwork::heal() {
  cut_.clear();
  if (Timeline* picture = world_.timeline()) picture->end(world_.now(), "", "cut");
  clogged_until_.clear();
  std::vector<Envelope> held;
  held.swap(held_);
  for (Envelope& envelope : held) {
    const std::int64_t when = world_.now() + draw_delay(envelope.from_address, envelope.to_address) * 2;
    arrive_at(when, std::move(envelope));
  }
}

std::shared_ptr<SimNetwork::Endpoint> SimNetwork::listening(const Address& address) const {
  const auto it = endpoints_.find(address);
  if (it == endpoints_.end()) return nullptr;
  auto endpoint = it->second.lock();
  return endpoint != nullptr && endpoint->alive() ? endpoint : nullptr;
}

std::int64_t SimNetwork::draw_delay(const Address& from, const Address& to) {
  if (from == to) return rng_.between(std::int64_t{1}, kLoopbackMaxUs);
  const auto region = [&](const Address& address) {
    const auto it = regions_.find(address);
    return it == regions_.end() ? std::string() : it->second;
  };
  const auto it = delays_.find({region(from), region(to)});
  if (it == delays_.end()) return rng_.between(options_.local_min_us, options_.local_max_us);
  return rng_.between(it->second.first, it->second.second);
}

bool SimNetwork::transmit(Envelope envelope, std::int64_t* last_arrival) {
  ++stats_.messages;
  const bool loopback = envelope.from_address == envelope.to_address;
  const bool is_cut = cut_.contains({envelope.from_address, envelope.to_address});
  if (is_cut) ++stats_.cut;
  if (is_cut && rng_.chance(kHeldChance)) {
    held_.push_back(std::move(envelope));
    return true;
  }
  if (is_cut || (!loopback && rng_.chance(options_.loss))) {
    ++stats_.lost;
    draw(envelope, Timeline::kLost);
    const auto caller = envelope.caller().lock();
    // A call without a deadline would wait for ever: its connection breaks.
    const bool endless = envelope.kind != Envelope::Kind::kOneWay && envelope.remaining_us < 0;
    if (caller != nullptr && (endless || rng_.chance(options_.break_on_loss))) {
      world_.at(world_.now() + rng_.between(kBreakMinUs, kBreakMaxUs), EventKind::kNetwork, caller->actor(),
                [caller, callee = envelope.callee(), number = envelope.connection] {
                  caller->break_connection(callee, number);
                });
    }
    return false;
  }
  std::int64_t when = world_.now() + draw_delay(envelope.from_address, envelope.to_address);
  // A call is never carried out twice by a connection, or no server could ever say "certainly not done": what is
  // repeated are one-way messages, and requests by their callers.
  if (!loopback && envelope.kind == Envelope::Kind::kOneWay && rng_.chance(options_.duplicate)) {
    ++stats_.duplicated;
    if (envelope.kind == Envelope::Kind::kRequest) envelope.doubled = true;
    arrive_at(when + rng_.between(std::int64_t{0}, options_.straggler_max_us), envelope);
  }
  const auto clogged = clogged_until_.find({envelope.from_address, envelope.to_address});
  if (clogged != clogged_until_.end()) when = std::max(when, clogged->second);
  if (!loopback && rng_.chance(options_.reorder)) {
    ++stats_.reordered;
    when += rng_.between(std::int64_t{0}, options_.straggler_max_us);
  } else if (last_arrival != nullptr) {
    when = *last_arrival = std::max(*last_arrival, when);
  }
  arrive_at(when, std::move(envelope));
  return true;
}

void SimNetwork::draw(const Envelope& envelope, std::int64_t arrives) const {
  Timeline* picture = world_.timeline();
  if (picture == nullptr) return;
  const auto kind = envelope.kind == Envelope::Kind::kOneWay    ? Timeline::Kind::kOneWay
                    : envelope.kind == Envelope::Kind::kRequest ? Timeline::Kind::kRequest
                                                                : Timeline::Kind::kResponse;
  picture->message(world_.now(), arrives, envelope.from_address, envelope.to_address, kind, envelope.method);
}

void SimNetwork::arrive_at(std::int64_t when, Envelope envelope) {
  draw(envelope, when);
  const auto target = envelope.to.lock();
  if (target == nullptr) return;
  const std::uint64_t contents =
      options_.hash_contents
          ? XXH3_64bits_withSeed(envelope.payload.data(), envelope.payload.size(), envelope.method)
          : envelope.payload.size() + envelope.method;
  const std::uint64_t detail = contents + envelope.call;
  world_.at(
      when, EventKind::kDeliver, target->actor(),
      [this, envelope = std::move(envelope)]() mutable { arrive(std::move(envelope)); }, detail);
}

void SimNetwork::arrive(Envelope envelope) {
  const auto target = envelope.to.lock();
  if (target == nullptr || !target->alive()) return;
  if (envelope.kind != Envelope::Kind::kResponse) return deliver_request(target, envelope);
  // One of two copies failed; what becomes of the other is not known, so no error of one is definite.
  if (envelope.error && envelope.doubled) {
    target->finish(envelope.call, fail(Error(ErrorCode::kConnectionLost, "sent twice over a broken connection")
                                           .with_cause(std::move(*envelope.error))));
  } else if (envelope.error) {
    target->finish(envelope.call, fail(std::move(*envelope.error)));
  } else {
    target->finish(envelope.call, std::move(envelope.payload));
  }
}

void SimNetwork::deliver_request(const std::shared_ptr<Endpoint>& target, Envelope& envelope) {
  IncomingCall call;
  call.payload = std::move(envelope.payload);
  call.trace = std::move(envelope.trace);
  if (envelope.remaining_us >= 0) call.deadline = target->runtime->now() + Duration(envelope.remaining_us);
  if (envelope.kind == Envelope::Kind::kRequest) {
    Envelope answer;
    answer.kind = Envelope::Kind::kResponse;
    answer.from = target;
    answer.to = envelope.from;
    answer.from_address = envelope.to_address;
    answer.to_address = envelope.from_address;
    answer.method = envelope.method;
    answer.call = envelope.call;
    answer.connection = envelope.connection;
    answer.doubled = envelope.doubled;
    answer.remaining_us = envelope.remaining_us;
    call.respond = Responder([this, answer = std::move(answer)](Result<std::string> result) mutable {
      const auto from = answer.from.lock();
      if (from == nullptr || !from->alive()) return;  // dropped by a crash, not by the server
      if (result) {
        answer.payload = std::move(*result);
      } else {
        answer.error = std::move(result).error();
      }
      transmit(std::move(answer), nullptr);
    });
  }
  const auto handler = target->handlers.find(envelope.method);
  if (handler == target->handlers.end()) {
    return call.respond(fail(ErrorCode::kUnimplemented, fmt::format("method {:#x} is unknown", envelope.method)));
  }
  handler->second(std::move(call));
}

void SimNetwork::Endpoint::finish(std::uint64_t call, Result<std::string> result) {
  auto node = pending.extract(call);
  if (node.empty()) return;
  state->world->cancel(node.mapped().deadline);
  Pending& ended = node.mapped();
  if (ended.done) return ended.done(std::move(result));
  if (result) ended.late(std::move(*result));
}

void SimNetwork::Endpoint::give_up_waiting(std::uint64_t call, std::int64_t late_until) {
  Pending& waiting = pending.at(call);
  Error error(ErrorCode::kUnknownOutcome, fmt::format("no answer from {} by the deadline", waiting.to));
  if (!waiting.late || late_until <= state->world->now()) return finish(call, fail(std::move(error)));
  waiting.deadline = state->world->at(late_until, EventKind::kTimer, actor(),
                                      [self = shared_from_this(), call] { self->pending.erase(call); });
  std::exchange(waiting.done, nullptr)(fail(std::move(error)));
}

void SimNetwork::Endpoint::break_connection(const Address& to, std::uint64_t number) {
  const auto it = connections.find(to);
  if (it != connections.end() && it->second.number == number) connections.erase(it);
  std::vector<std::uint64_t> lost;
  for (const auto& [id, call] : pending) {
    if (call.to == to && call.connection == number) lost.push_back(id);
  }
  for (const std::uint64_t id : lost) {
    finish(id, fail(ErrorCode::kConnectionLost, fmt::format("the connection to {} broke", to)));
  }
}

}  // namespace meridian::sim
