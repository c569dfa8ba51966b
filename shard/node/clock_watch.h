// Measures how far this node's wall clock is from those of the others, tells the guard (T12), and whoever operates
// them. On the node's loop.
#pragma once

#include <string>

#include "base/lifetime.h"
#include "base/node_clock.h"
#include "base/runtime.h"
#include "base/transport.h"
#include "shard/api/api.pb.h"
#include "shard/node/peers.h"
#include "shard/placement_source.h"

namespace meridian {

class ClockWatch {
 public:
  struct Deps {
    Runtime& runtime;
    Transport& transport;
    NodeClock& clock;
    const Peers& peers;
    const PlacementSource& placement;
    Duration max_offset;  // δ
  };
  // Begins at once.
  explicit ClockWatch(Deps deps);
  ~ClockWatch();
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

  // The offsets, and a warning where one of them is above δ/2.
  void describe(api::NodeStatusResponse& status);

 private:
  void look();
  void ask(NodeId node);
  void say(bool faulty);
  // The peer whose clock is certainly furthest away; empty: all are within δ/2.
  std::string warning();

  Deps deps_;
  TimerId timer_ = 0;
  std::string fault_, warned_;  // as last logged
  Lifetime lifetime_;
};

}  // namespace meridian
