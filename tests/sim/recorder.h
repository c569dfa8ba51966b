// Writes the history of a run: every workload's events go through here, in the order in which they are seen, and
// into the world's hash. Counts what was answered, and keeps the first mistake that a workload saw by itself.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "tests/checkers/history.h"
#include "tests/sim/cluster.h"

namespace meridian::sim {

struct Slot;

class Recorder {
 public:
  // clock_bound_us: how far a wall clock may be ahead of true time.
  Recorder(SimWorld& world, check::History& history, std::int64_t clock_bound_us)
      : world_(world), history_(history), clock_bound_us_(clock_bound_us) {}

  std::uint64_t new_process() { return next_process_++; }
  // Unique in the run: "v3.17", by whom and a number.
  std::string new_value(const Slot& slot);
  // Unique in the run, a number.
  std::string new_element() { return std::to_string(++next_element_); }

  void invoke(const Slot& slot, check::Event event);
  // Requires: event.type says how it ended.
  void complete(Slot& slot, check::Event event);
  void ok(Slot& slot, check::Event event);
  void failed(Slot& slot, check::Event event, const std::string& error);
  void unknown(Slot& slot, check::Event event, const std::string& error);
  // Every stored version of a key on a node.
  void listed(const std::string& key, std::uint64_t node, std::vector<std::pair<std::uint64_t, check::Value>> stored);

  // A mistake that no history shows: a repeated request answered differently, a damaged value.
  void violated(std::string what);

  std::uint64_t answered() const { return answered_; }
  std::uint64_t unknown() const { return unknown_; }
  const std::string& violation() const { return violation_; }

 private:
  void check_time(const check::Event& event);

  SimWorld& world_;
  check::History& history_;
  const std::int64_t clock_bound_us_;
  std::uint64_t next_process_ = 0, next_value_ = 0, next_element_ = 0;
  std::uint64_t answered_ = 0, unknown_ = 0;
  std::string violation_;
};

}  // namespace meridian::sim
