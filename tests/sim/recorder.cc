#include "tests/sim/recorder.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/hlc.h"
#include "tests/sim/workload.h"

namespace meridian::sim {

using check::Event;
using check::EventType;

namespace {

std::uint64_t hash_value(std::uint64_t h, const check::Value& value) {
  return value ? hash_bytes(*value, mix(h, 1)) : mix(h, 2);
}

// Of what was answered, without going through text.
std::uint64_t hash_event(const Event& e) {
  std::uint64_t h = mix(static_cast<std::uint64_t>(e.type) << 8 | static_cast<std::uint64_t>(e.f), e.process);
  h = hash_bytes(e.key, h);
  h = hash_value(hash_value(h, e.value), e.expected);
  for (const auto& [key, value] : e.values) h = hash_value(hash_bytes(key, h), value);
  for (const auto& [key, version] : e.versions) h = mix(h, version);
  return hash_bytes(e.error, mix(mix(h, e.version), e.timestamp));
}

}  // namespace

std::string Recorder::new_value(const Slot& slot) { return fmt::format("v{}.{}", slot.process, next_value_++); }

void Recorder::invoke(const Slot& slot, Event event) {
  event.type = EventType::kInvoke;
  event.process = slot.process;
  event.time_us = world_.now();
  history_.add(std::move(event));
}

// T11: nobody answers with a timestamp above its own clock, so none is above all clocks.
void Recorder::check_time(const Event& event) {
  const WallTime latest(SimClocks::kEpochUs + world_.now() + clock_bound_us_);
  const Timestamp answered(std::max(event.version, event.timestamp));
  if (answered.physical() > latest) {
    violated(
        fmt::format("an answer of {} is {} us ahead of every clock", answered, (answered.physical() - latest).count()));
  }
}

void Recorder::complete(Slot& slot, Event event) {
  if (event.type == EventType::kOk) check_time(event);
  event.process = slot.process;
  event.time_us = world_.now();
  if (event.type == EventType::kInfo) {
    ++unknown_;
    slot.process = new_process();  // the old one is busy for ever
  } else if (event.type == EventType::kOk) {
    ++answered_;
  }
  world_.mix_in(hash_event(event));
  history_.add(std::move(event));
}

void Recorder::ok(Slot& slot, Event event) {
  event.type = EventType::kOk;
  complete(slot, std::move(event));
}

void Recorder::failed(Slot& slot, Event event, const std::string& error) {
  event.type = EventType::kFail;
  event.error = error;
  complete(slot, std::move(event));
}

void Recorder::unknown(Slot& slot, Event event, const std::string& error) {
  event.type = EventType::kInfo;
  event.error = error;
  complete(slot, std::move(event));
}

void Recorder::listed(const std::string& key, std::uint64_t node,
                      std::vector<std::pair<std::uint64_t, check::Value>> stored) {
  Event event;
  event.time_us = world_.now();
  event.process = UINT64_MAX;
  event.f = check::Function::kVersions;
  event.key = key;
  history_.add(event);
  event.type = EventType::kOk;
  event.node = node;
  event.stored = std::move(stored);
  history_.add(std::move(event));
}

void Recorder::violated(std::string what) {
  world_.note("VIOLATION: " + what);
  if (violation_.empty()) violation_ = std::move(what);
}

}  // namespace meridian::sim
