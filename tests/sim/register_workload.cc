#include "tests/sim/register_workload.h"

#include <utility>

#include <fmt/format.h>

namespace meridian::sim {

using check::Event;
using check::EventType;
using check::Function;

namespace {
constexpr std::size_t kTimestampsKept = 64;
constexpr std::int64_t kFirstWrite = 52;  // of 100 operations, those before read
constexpr double kRepeatUnknown = 0.6;
constexpr double kRepeatAnswered = 0.05;
constexpr double kOtherPayload = 0.01;

bool is_condition(const v1::CompareAndSetResponse& answer) { return !answer.succeeded(); }
bool is_condition(const v1::WriteResponse&) { return false; }
}  // namespace

RegisterWorkload::RegisterWorkload(SimWorld& world, SimCluster& cluster, const RunOptions& options,
                                   check::History& history)
    : world_(world), cluster_(cluster), options_(options), history_(history) {}

std::vector<std::string> RegisterWorkload::keys() const {
  std::vector<std::string> keys;
  for (int i = 0; i < options_.keys; ++i) keys.push_back(fmt::format("k{:02}", i));
  return keys;
}

void RegisterWorkload::start() {
  for (int c = 0; c < options_.clients; ++c) {
    for (int s = 0; s < options_.slots; ++s) {
      const std::uint64_t process = next_process_++;
      slots_.push_back(std::make_unique<Slot>(world_.rng("slot", process), &cluster_.client(c), process));
      // The first one does everything, so that something is always written.
      const double profile = process == 0 ? 1 : slots_.back()->rng.unit();
      slots_.back()->only_reads = profile < 0.3;
      slots_.back()->only_writes = profile >= 0.3 && profile < 0.5;
      ++busy_slots_;
      spawn(*slots_.back()->client->runtime, run(slots_.back().get()));
    }
  }
}

Task<> RegisterWorkload::run(Slot* slot) {
  while (!stopping_) {
    co_await sleep_for(*slot->client->runtime, Duration(slot->rng.between(std::int64_t{0}, options_.think_us * 2)));
    if (!stopping_) co_await operate(*slot);
  }
  --busy_slots_;
}

Task<> RegisterWorkload::operate(Slot& slot) {
  // Some only read and so never notice by themselves that leadership has moved; some only write.
  const std::uint64_t kind = slot.only_reads    ? slot.rng.below(kFirstWrite)
                             : slot.only_writes ? slot.rng.between(kFirstWrite, std::int64_t{99})
                                                : slot.rng.below(100);
  if (kind < 26) return read(slot, true, 0);
  if (kind < 38) return read(slot, false, 0);
  if (kind < 42) {
    const bool linearizable = slot.rng.chance(0.5);
    return read(slot, linearizable, timestamps_.empty() ? 0 : timestamps_[slot.rng.below(timestamps_.size())]);
  }
  if (kind < 47) return multi_get(slot);
  if (kind < kFirstWrite) return scan(slot);
  if (kind < 80) return write(slot);
  if (kind < 94) return compare(slot);
  return batch(slot);
}

// ---- Reads

Task<> RegisterWorkload::read(Slot& slot, bool linearizable, std::uint64_t at) {
  v1::GetRequest request;
  request.set_key(draw_key(slot));
  request.mutable_options()->set_consistency(linearizable ? v1::CONSISTENCY_LINEARIZABLE : v1::CONSISTENCY_ANY_REPLICA);
  request.mutable_options()->set_at_timestamp(at);
  // As of the past it may be stale, whoever is asked.
  Event event{.f = Function::kRead, .key = request.key(), .linearizable = linearizable && at == 0};
  invoke(slot, event);
  const auto answer = co_await slot.client->core->get(request, deadline(slot));
  if (!answer) co_return fail_read(slot, event, answer.error());
  if (answer->found()) event.value = unpad(answer->value());
  event.version = answer->version();
  describe(answer->info(), &event);
  if (at != 0 && event.timestamp != at) violated(fmt::format("a read as of {} says {}", at, event.timestamp));
  if (event.linearizable) known_[event.key] = {event.value, event.version};
  event.type = EventType::kOk;
  complete(slot, event);
}

Task<> RegisterWorkload::multi_get(Slot& slot) {
  const auto all = keys();
  const std::size_t first = slot.rng.below(all.size());
  const std::size_t last = first + slot.rng.below(all.size() - first);
  v1::MultiGetRequest request;
  for (std::size_t i = first; i <= last; ++i) request.add_keys(all[i]);
  Event event{.f = Function::kScan, .key = all[first], .end = all[last] + '\x01', .linearizable = slot.rng.chance(0.7)};
  request.mutable_options()->set_consistency(event.linearizable ? v1::CONSISTENCY_LINEARIZABLE
                                                                : v1::CONSISTENCY_ANY_REPLICA);
  invoke(slot, event);
  const auto answer = co_await slot.client->core->multi_get(request, deadline(slot));
  if (!answer) co_return fail_read(slot, event, answer.error());
  if (answer->items_size() != request.keys_size()) violated("a multi_get answers another number of keys");
  for (int i = 0; i < answer->items_size(); ++i) {
    if (!answer->items(i).found()) continue;
    event.values[request.keys(i)] = unpad(answer->items(i).value());
    event.versions[request.keys(i)] = answer->items(i).version();
  }
  describe(answer->info(), &event);
  event.type = EventType::kOk;
  complete(slot, event);
}

Task<> RegisterWorkload::scan(Slot& slot) {
  v1::ScanRequest request;
  request.set_prefix("k");
  request.set_limit(slot.rng.chance(0.5) ? 1 + static_cast<std::uint32_t>(slot.rng.below(3)) : 0);
  request.set_reverse(slot.rng.chance(0.3));
  Event event{.f = Function::kScan, .key = "k", .end = "l", .linearizable = slot.rng.chance(0.7)};
  request.mutable_options()->set_consistency(event.linearizable ? v1::CONSISTENCY_LINEARIZABLE
                                                                : v1::CONSISTENCY_ANY_REPLICA);
  invoke(slot, event);
  std::string last;
  for (int page = 0;; ++page) {
    const auto answer = co_await slot.client->core->scan_page(request, deadline(slot));
    if (!answer) co_return fail_read(slot, event, answer.error());
    for (const auto& entry : answer->entries()) {
      if (!last.empty() && (request.reverse() ? entry.key() >= last : entry.key() <= last)) {
        violated(fmt::format("a scan answers {} after {}", entry.key(), last));
      }
      last = entry.key();
      event.values[last] = unpad(entry.value());
      event.versions[last] = entry.version();
    }
    const std::uint64_t timestamp = event.timestamp;
    describe(answer->info(), &event);
    if (page > 0 && event.timestamp != timestamp) violated("the pages of a scan have different timestamps");
    if (answer->next_page_token().empty()) break;
    request.set_page_token(answer->next_page_token());
  }
  event.type = EventType::kOk;
  complete(slot, event);
}

void RegisterWorkload::read_all() {
  for (const std::string& key : keys()) {
    const std::uint64_t process = next_process_++;
    slots_.push_back(std::make_unique<Slot>(world_.rng("slot", process), &cluster_.client(0), process));
    ++busy_slots_;
    spawn(*slots_.back()->client->runtime, [](RegisterWorkload* self, Slot* slot, std::string k) -> Task<> {
      v1::GetRequest request;
      request.set_key(k);
      Event event{.f = Function::kRead, .key = std::move(k)};
      self->invoke(*slot, event);
      client::Call call;
      call.deadline = slot->client->runtime->now() + Duration(10'000'000);
      const auto answer = co_await slot->client->core->get(request, std::move(call));
      if (!answer) {
        self->violated("the last read of " + event.key + " failed: " + answer.error().to_string());
        self->fail_read(*slot, event, answer.error());
      } else {
        if (answer->found()) event.value = self->unpad(answer->value());
        event.version = answer->version();
        self->describe(answer->info(), &event);
        event.type = EventType::kOk;
        self->complete(*slot, event);
      }
      --self->busy_slots_;
    }(this, slots_.back().get(), key));
  }
}

// ---- Mutations

Task<> RegisterWorkload::write(Slot& slot) {
  const std::string key = draw_key(slot);
  if (slot.rng.chance(0.2)) {
    v1::RemoveRequest request;
    request.set_key(key);
    return mutate(slot, v1::kRemove, std::move(request), {.f = Function::kRemove, .key = key});
  }
  const std::string value = new_value(slot);
  v1::PutRequest request;
  request.set_key(key);
  request.set_value(pad(value, options_.value_bytes));
  return mutate(slot, v1::kPut, std::move(request), {.f = Function::kWrite, .key = key, .value = value});
}

Task<> RegisterWorkload::compare(Slot& slot) {
  Event event{.f = Function::kCas, .key = draw_key(slot)};
  v1::CompareAndSetRequest request;
  request.set_key(event.key);
  const Known& known = known_[event.key];
  event.expected = known.value;
  if (!known.value) {
    request.set_expected_absent(true);
  } else if (known.version != 0 && slot.rng.chance(0.5)) {
    request.set_expected_version(known.version);
  } else {
    request.set_expected_value(pad(*known.value, options_.value_bytes));
  }
  if (slot.rng.chance(0.15)) {
    request.set_remove(true);
  } else {
    event.value = new_value(slot);
    request.set_value(pad(*event.value, options_.value_bytes));
  }
  return mutate(slot, v1::kCompareAndSet, std::move(request), std::move(event));
}

Task<> RegisterWorkload::batch(Slot& slot) {
  Event event{.f = Function::kBatch};
  v1::WriteBatchRequest request;
  for (std::uint64_t n = 1 + slot.rng.below(3); n > 0; --n) {
    const std::string key = draw_key(slot);
    if (event.values.contains(key)) continue;
    auto* mutation = request.add_mutations();
    mutation->set_key(key);
    if (slot.rng.chance(0.2)) {
      mutation->set_remove(true);
      event.values[key] = std::nullopt;
    } else {
      event.values[key] = new_value(slot);
      mutation->set_value(pad(*event.values[key], options_.value_bytes));
    }
  }
  return mutate(slot, v1::kWriteBatch, std::move(request), std::move(event));
}

template <class Request, class Response>
Task<> RegisterWorkload::mutate(Slot& slot, const Method<Request, Response>& method, Request request, Event event) {
  const Result<v1::RequestId> id = co_await new_id(slot);
  if (!id) co_return;
  *request.mutable_id() = *id;
  invoke(slot, event);
  Result<Response> answer = co_await slot.client->core->call(method, request, deadline(slot));
  // Once unknown, no later error makes it known; only an answer does.
  bool unknown = !answer && !is_definite(answer.error());
  while (!answer && unknown && slot.rng.chance(kRepeatUnknown)) {
    co_await sleep_for(*slot.client->runtime, Duration(slot.rng.between(std::int64_t{0}, std::int64_t{500'000})));
    answer = co_await slot.client->core->call(method, request, deadline(slot));
  }
  if (!answer) {
    event.type = unknown ? EventType::kInfo : EventType::kFail;
    event.error = answer.error().to_string();
    co_return complete(slot, std::move(event));
  }
  event.version = answer->version();
  event.type = is_condition(*answer) ? EventType::kFail : EventType::kOk;
  if (event.type == EventType::kFail) {
    event.error = "condition";
  } else if (event.f != Function::kBatch) {
    known_[event.key] = {event.value, event.version};
  }
  timestamps_.push_back(event.version);
  if (timestamps_.size() > kTimestampsKept) timestamps_.erase(timestamps_.begin());
  complete(slot, std::move(event));
  if (slot.rng.chance(kRepeatAnswered)) co_await repeat(slot, method, std::move(request), std::move(*answer));
}

template <class Request, class Response>
Task<> RegisterWorkload::repeat(Slot& slot, const Method<Request, Response>& method, Request request, Response first) {
  co_await sleep_for(*slot.client->runtime, Duration(slot.rng.between(std::int64_t{0}, std::int64_t{3'000'000})));
  bool other = false;
  if constexpr (std::is_same_v<Request, v1::PutRequest>) {
    other = slot.rng.chance(kOtherPayload / kRepeatAnswered);
    // Were it written, a read would see what nobody wrote.
    if (other) request.set_value(pad("other-payload", options_.value_bytes));
  }
  const Result<Response> again = co_await slot.client->core->call(method, request, deadline(slot));
  if (!again) co_return;
  if (other) co_return violated("an id with another payload was accepted: " + request.ShortDebugString());
  if (again->version() != first.version() || is_condition(*again) != is_condition(first)) {
    violated(fmt::format("a repeated request was answered {} and then {}", first.ShortDebugString(),
                         again->ShortDebugString()));
  }
}

Task<Result<v1::RequestId>> RegisterWorkload::new_id(Slot& slot) {
  client::Call call = deadline(slot);
  return suspend<Result<v1::RequestId>>(*slot.client->runtime, [&slot, call = std::move(call)](auto done) mutable {
    slot.client->core->new_request_id(std::move(call), std::move(done));
  });
}

client::Call RegisterWorkload::deadline(Slot& slot) {
  client::Call call;
  const std::int64_t us = slot.rng.chance(0.1) ? slot.rng.between(std::int64_t{1'000}, std::int64_t{200'000})
                                               : slot.rng.between(std::int64_t{500'000}, std::int64_t{5'000'000});
  call.deadline = slot.client->runtime->now() + Duration(us);
  return call;
}

// ---- Values and events

std::string RegisterWorkload::draw_key(Slot& slot) {
  return fmt::format("k{:02}", slot.rng.below(static_cast<std::uint64_t>(options_.keys)));
}

std::string RegisterWorkload::new_value(Slot& slot) { return fmt::format("v{}.{}", slot.process, next_value_++); }

// A name and, after it, bytes that follow from the name, so that a damaged value is noticed.
std::string RegisterWorkload::pad(const std::string& text, std::uint64_t longest) {
  std::string out = text + '|';
  if (longest == 0) return out;
  Rng rng(hash_bytes(text));
  out.append(rng.below(longest), static_cast<char>('a' + rng.below(26)));
  return out;
}

std::string RegisterWorkload::unpad(const std::string& stored) {
  std::string text = stored.substr(0, stored.find('|'));
  if (pad(text, options_.value_bytes) != stored) violated("a damaged value was read: " + stored.substr(0, 100));
  return text;
}

void RegisterWorkload::describe(const v1::ReadInfo& info, Event* event) {
  event->timestamp = info.timestamp();
  event->node = info.node_id();
  switch (info.role()) {
    case v1::REPLICA_ROLE_LEADER: event->role = "leader"; break;
    case v1::REPLICA_ROLE_FOLLOWER: event->role = "follower"; break;
    case v1::REPLICA_ROLE_LEARNER: event->role = "learner"; break;
    default: break;
  }
}

void RegisterWorkload::invoke(Slot& slot, Event event) {
  event.type = EventType::kInvoke;
  event.process = slot.process;
  event.time_us = world_.now();
  history_.add(std::move(event));
}

void RegisterWorkload::complete(Slot& slot, Event event) {
  event.process = slot.process;
  event.time_us = world_.now();
  if (event.type == EventType::kInfo) {
    ++unknown_;
    slot.process = next_process_++;  // the old one is busy for ever
  } else if (event.type == EventType::kOk || event.error == "condition") {
    ++answered_;
  }
  world_.mix_in(hash_bytes(check::to_json(event)));
  history_.add(std::move(event));
}

void RegisterWorkload::fail_read(Slot& slot, Event event, const Error& error) {
  event.type = EventType::kFail;
  event.error = error.to_string();
  if (event.error == "condition") event.error += '.';
  complete(slot, std::move(event));
}

void RegisterWorkload::violated(std::string what) {
  world_.note("VIOLATION: " + what);
  if (violation_.empty()) violation_ = std::move(what);
}

}  // namespace meridian::sim
