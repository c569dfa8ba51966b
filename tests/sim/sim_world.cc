#include "tests/sim/sim_world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace meridian::sim {

namespace {
constexpr std::size_t kTraceLength = 400;
// A node that posts to itself without end would stop time.
constexpr std::uint64_t kMaxEventsAtOneInstant = 200'000;
}  // namespace

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::kPost: return "post";
    case EventKind::kTimer: return "timer";
    case EventKind::kDisk: return "disk";
    case EventKind::kDiskDone: return "disk-done";
    case EventKind::kDeliver: return "deliver";
    case EventKind::kNetwork: return "network";
    case EventKind::kFault: return "fault";
    case EventKind::kWorld: return "world";
  }
  return "?";
}

SimWorld::SimWorld(std::uint64_t seed) : seed_(seed), hash_(mix(seed)) {}

SimWorld::~SimWorld() {
  // Destroying a callback may schedule or cancel: take each out of its slot first.
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].id = 0;
    Callback dropped = std::move(slots_[i].callback);
  }
}

Rng SimWorld::rng(std::string_view purpose, std::uint64_t number) const {
  return Rng(mix(mix(seed_, hash_bytes(purpose)), number));
}

SimWorld::Slot* SimWorld::live(EventId id) {
  const std::size_t index = slot_of(id);
  return id != 0 && index < slots_.size() && slots_[index].id == id ? &slots_[index] : nullptr;
}

EventId SimWorld::allocate() {
  std::uint32_t index;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    CHECK_F(index < (1u << kSlotBits), "{} events are waiting", index);
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  return slots_[index].id = (++order_ << kSlotBits) | index;
}

EventId SimWorld::at(std::int64_t when, EventKind kind, Actor* actor, Callback callback, std::uint64_t detail) {
  if (actor != nullptr && !actor->alive) return 0;
  const EventId id = allocate();
  Slot& slot = slots_[slot_of(id)];
  slot.actor = actor;
  slot.kind = kind;
  slot.detail = detail;
  slot.callback = std::move(callback);
  if (when <= now_) {
    ready_.push_back(id);
  } else {
    later_.push({when, id});
  }
  return id;
}

void SimWorld::cancel(EventId id) {
  Slot* slot = live(id);
  if (slot == nullptr) return;
  slot->id = 0;
  Callback dropped = std::move(slot->callback);
  free_.push_back(static_cast<std::uint32_t>(slot_of(id)));
}

void SimWorld::kill(Actor* actor) {
  CHECK_F(running_ != actor, "{} crashes inside its own event", actor->name);
  actor->alive = false;
  std::vector<Callback> dropped;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].id == 0 || slots_[i].actor != actor) continue;
    slots_[i].id = 0;
    dropped.push_back(std::move(slots_[i].callback));
    slots_[i].callback = nullptr;
    free_.push_back(static_cast<std::uint32_t>(i));
  }
  // Destroyed one by one, in the order of their slots: a destructor may cancel or schedule.
  for (Callback& callback : dropped) callback = nullptr;
}

void SimWorld::hasten(Actor* actor, EventKind kind, const std::function<bool()>& choose) {
  std::vector<EventId> chosen;
  for (const Slot& slot : slots_) {
    if (slot.id != 0 && slot.actor == actor && slot.kind == kind) chosen.push_back(slot.id);
  }
  std::sort(chosen.begin(), chosen.end());
  for (const EventId id : chosen) {
    if (choose() && live(id) != nullptr) run(id);
  }
}

void SimWorld::pause(Actor* actor, std::int64_t duration_us) {
  actor->paused_until = std::max(actor->paused_until, now_ + duration_us);
}

bool SimWorld::step(std::int64_t until) {
  for (;;) {
    EventId id;
    if (!later_.empty() && later_.top().when <= now_) {
      id = later_.top().id;
      later_.pop();
    } else if (!ready_.empty()) {
      id = ready_.front();
      ready_.pop_front();
    } else if (!later_.empty() && later_.top().when <= until) {
      now_ = later_.top().when;
      events_at_now_ = 0;
      continue;
    } else {
      return false;
    }
    Slot* slot = live(id);
    if (slot == nullptr) continue;
    if (slot->actor != nullptr && slot->actor->paused_until > now_) {
      later_.push({slot->actor->paused_until, id});
      continue;
    }
    run(id);
    return true;
  }
}

void SimWorld::run(EventId id) {
  Slot& slot = slots_[slot_of(id)];
  Callback callback = std::move(slot.callback);
  Actor* actor = slot.actor;
  trace({now_, actor != nullptr ? actor->id : 0, slot.kind, slot.detail, {}});
  hash_ = mix(hash_ + static_cast<std::uint64_t>(now_),
              mix((slot.detail << 8) + static_cast<std::uint64_t>(slot.kind), actor != nullptr ? actor->id : 0));
  slot.id = 0;
  slot.callback = nullptr;
  free_.push_back(static_cast<std::uint32_t>(slot_of(id)));
  ++events_run_;
  CHECK_F(++events_at_now_ < kMaxEventsAtOneInstant, "time stands still: {} events at {} us", events_at_now_, now_);
  running_ = actor;
  callback();
  callback = nullptr;
  running_ = nullptr;
}

void SimWorld::run_until(std::int64_t until) {
  while (step(until)) {
  }
  if (now_ < until) {
    now_ = until;
    events_at_now_ = 0;
  }
}

bool SimWorld::run_until(const std::function<bool()>& condition, std::int64_t deadline) {
  while (!condition()) {
    if (!step(deadline)) {
      now_ = std::max(now_, deadline);
      return condition();
    }
  }
  return true;
}

void SimWorld::trace(Trace entry) {
  if (trace_.size() >= kTraceLength) trace_.pop_front();
  trace_.push_back(std::move(entry));
}

void SimWorld::note(std::string line) {
  mix_in(hash_bytes(line));
  remark(std::move(line));
}

void SimWorld::remark(std::string line) {
  if (timeline_ != nullptr) timeline_->note(now_, line);
  trace({now_, running_ != nullptr ? running_->id : 0, EventKind::kWorld, 0, std::move(line)});
}

std::vector<std::string> SimWorld::last_events() const {
  std::vector<std::string> lines;
  for (const Trace& t : trace_) {
    lines.push_back(t.text.empty() ? fmt::format("{:>12.6f} actor {:<3} {} {:x}", t.when / 1e6, t.actor,
                                                 to_string(t.kind), t.detail)
                                   : fmt::format("{:>12.6f} actor {:<3} {}", t.when / 1e6, t.actor, t.text));
  }
  return lines;
}

}  // namespace meridian::sim
