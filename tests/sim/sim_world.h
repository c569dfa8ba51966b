// The virtual world's clock and its one queue of events. One thread; what happens next is the event with
// the smallest (virtual time, order of scheduling), and nothing else: the same seed gives the same run.
//
// Every event that runs is mixed into one hash. Events belong to an actor (one incarnation of one process)
// or to the world itself (null). An actor can be paused: its events wait. A dead actor's events never run.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "base/runtime.h"
#include "tests/sim/sim_random.h"
#include "tests/sim/timeline.h"

namespace meridian::sim {

enum class EventKind : std::uint8_t { kPost, kTimer, kDisk, kDiskDone, kDeliver, kNetwork, kFault, kWorld };
std::string_view to_string(EventKind kind);

// One incarnation of one simulated process.
struct Actor {
  std::uint32_t id = 0;  // unique in a run: every incarnation is another actor
  std::string name;
  bool alive = true;
  std::int64_t paused_until = 0;
};

using EventId = std::uint64_t;  // 0: none

class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  std::uint64_t seed() const { return seed_; }
  // A stream of its own for each (purpose, number).
  Rng rng(std::string_view purpose, std::uint64_t number = 0) const;

  // Virtual microseconds since the start of the run.
  std::int64_t now() const { return now_; }

  std::uint32_t next_actor_id() { return ++last_actor_id_; }

  // Runs callback at virtual time `when` (now at the earliest). detail is mixed into the hash.
  // Of a dead actor: the callback is destroyed at once, and the answer is 0.
  EventId at(std::int64_t when, EventKind kind, Actor* actor, Callback callback, std::uint64_t detail = 0);
  // An event that ran or never was: does nothing.
  void cancel(EventId id);

  // The actor's queued events are destroyed unrun. Requires: not called from one of its own events.
  void kill(Actor* actor);
  // Runs now, in the order of scheduling, those of the actor's queued events of one kind that choose() picks.
  void hasten(Actor* actor, EventKind kind, const std::function<bool()>& choose);
  // Freezes the actor for a while: its events run when the pause is over. Clocks go on.
  void pause(Actor* actor, std::int64_t duration_us);

  // Runs the next event. False: there is none at or before `until`.
  bool step(std::int64_t until);
  // Runs all events up to and including virtual time `until`, which is then now.
  void run_until(std::int64_t until);
  void run_for(std::int64_t duration_us) { run_until(now_ + duration_us); }
  // Runs until condition holds; false if it does not before the virtual deadline.
  bool run_until(const std::function<bool()>& condition, std::int64_t deadline);

  // Of all events so far. mix_in adds what is no event (an answer, a fault).
  std::uint64_t hash() const { return hash_; }
  void mix_in(std::uint64_t value) { hash_ = mix(hash_, value); }
  std::uint64_t events_run() const { return events_run_; }
  Actor* running() const { return running_; }

  // Where a picture of the run is wanted; null: nowhere.
  void draw_on(Timeline* timeline) { timeline_ = timeline; }
  Timeline* timeline() const { return timeline_; }

  // A line in the ring of last events that a failure prints; remark() leaves it out of the hash.
  void note(std::string line);
  void remark(std::string line);
  std::vector<std::string> last_events() const;

 private:
  struct Slot {
    EventId id = 0;  // 0: free
    Actor* actor = nullptr;
    EventKind kind = EventKind::kPost;
    std::uint64_t detail = 0;
    Callback callback;
  };
  struct Entry {
    std::int64_t when;
    EventId id;  // its upper bits are the order of scheduling
    bool operator>(const Entry& other) const { return when != other.when ? when > other.when : id > other.id; }
  };
  struct Trace {
    std::int64_t when;
    std::uint32_t actor;
    EventKind kind;
    std::uint64_t detail;
    std::string text;  // of a note
  };
  static constexpr int kSlotBits = 22;
  static std::size_t slot_of(EventId id) { return id & ((1u << kSlotBits) - 1); }
  Slot* live(EventId id);
  EventId allocate();
  void run(EventId id);
  void trace(Trace entry);

  const std::uint64_t seed_;
  std::int64_t now_ = 0;
  std::uint64_t order_ = 0;
  std::uint32_t last_actor_id_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  // Invariant: an entry of later_ at now_ was scheduled before everything in ready_, for ready_ is empty
  // whenever time moves on.
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> later_;
  std::deque<EventId> ready_;
  Actor* running_ = nullptr;
  std::uint64_t hash_;
  std::uint64_t events_run_ = 0;
  std::uint64_t events_at_now_ = 0;
  std::deque<Trace> trace_;
  Timeline* timeline_ = nullptr;
};

}  // namespace meridian::sim
