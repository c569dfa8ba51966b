// Whether a node's wall clock can be gone by (T12). Pure; lives on its node's loop.
//
// Two witnesses. The monotonic clock, at every reading: where the wall clock has moved otherwise than it, the wall
// clock has jumped, and is not gone by until the jump is undone or a quorum's clocks confirm it. And the clocks of the
// peers, as measured every now and then: a clock that most nodes are certainly more than δ away from is off. A node
// that has just started knows nothing of its clock until a quorum (itself included) is near it.
//
// How far is a jump? Clocks that keep their promise differ by at most δ, so one of them may be stepped by up to δ; ε is
// a quarter more, and steps are added up, for what was legal is forgotten only at the rate at which clocks may differ.
// What stays below ε leaves a clock that was right less than 1.25 δ off: stamps that far ahead cost a wait that short,
// and the peers find it out. Slewing (500 ppm) and the monotonic clock's own error (ρ) stay far below 2ρ.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"

namespace meridian {

// A reading of some node's clock, as it tells others.
struct ClockReading {
  WallTime time;      // what it goes by
  Duration error{0};  // of `time`, beyond a clock's usual one: grows while it goes by the monotonic clock only
  WallTime wall;      // what its wall clock shows
};

class ClockGuard {
 public:
  struct Options {
    Duration max_offset{250'000};  // δ
    double rate_error = 0.01;      // ρ, of monotonic clocks
  };
  explicit ClockGuard(Options options) : options_(options) {}

  // Every reading of the clocks goes through here. Answers the time to go by: the wall clock, or, since it has jumped,
  // where it would be without that.
  WallTime read(MonoTime now, WallTime wall);
  // The same, and how wrong it may be. Requires: read() just now.
  ClockReading reading(MonoTime now) const;

  // The nodes whose clocks count beside this one's; none: it is alone.
  void follow(const std::vector<NodeId>& peers);
  // A peer's clock was read at some moment between sending the question and receiving the answer.
  void measured(NodeId peer, const ClockReading& reading, MonoTime sent, MonoTime received);

  enum class Fault : std::uint8_t {
    kNone,
    kJumped,   // differently from the monotonic clock
    kOff,      // more than δ away from most nodes
    kUnknown,  // since the start not compared with those of a quorum
  };
  Fault fault() const {
    return jumped_ ? Fault::kJumped : off_ ? Fault::kOff : compared_ ? Fault::kNone : Fault::kUnknown;
  }
  // For people, naming by how much; empty: nothing is wrong.
  std::string describe() const;

  struct Offset {
    NodeId peer;
    Duration ahead{0};  // of this node's clock; negative: behind
    Duration error{0};
  };
  // As measured lately.
  std::vector<Offset> offsets(MonoTime now) const;

 private:
  struct Sample {
    std::int64_t time, wall;  // less this node's monotonic clock
    Duration error;           // of both, when measured
    Duration time_error;      // of `time` beyond that
    MonoTime at;
  };
  Duration drift(Duration elapsed) const;
  Duration error_of(const Sample& sample, MonoTime now) const { return sample.error + drift(now - sample.at); }
  void judge(MonoTime now);
  bool confirmed(MonoTime now) const;
  bool refuted(MonoTime now) const;
  void watch_agreement(MonoTime now);
  void believe(MonoTime now);

  Options options_;
  bool known_ = false;
  std::int64_t base_ = 0;  // wall less monotonic, as it is gone by
  std::int64_t raw_ = 0;   // as last read
  MonoTime started_;
  MonoTime read_at_;  // up to here `base_` has followed
  bool jumped_ = false, off_ = false;
  bool followed_ = false, compared_ = false;
  std::int64_t jumped_by_ = 0;
  MonoTime jumped_at_, agreed_since_;  // the latter: most wall clocks agree with this one since then
  std::map<NodeId, std::optional<Sample>> peers_;
};

}  // namespace meridian
