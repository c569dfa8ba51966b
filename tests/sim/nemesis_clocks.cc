// Wall clocks that go beyond the bound, and whether the nodes notice.
#include <cmath>

#include <fmt/format.h>

#include "tests/sim/nemesis.h"

namespace meridian::sim {

namespace {
constexpr double kLongestJumpS = 3600;
constexpr std::int64_t kLookUs = 20'000;
}  // namespace

// By 1 s to 1 h, either way, of one or of all alike; stepped back after a while. Not two at a time.
bool Nemesis::jump_clocks(bool all) {
  if (clocks_jumped_) return false;
  clocks_jumped_ = true;
  all_jumped_ = all;
  const auto by_us =
      static_cast<std::int64_t>(1e6 * std::pow(kLongestJumpS, rng_.unit())) * (rng_.chance(0.5) ? 1 : -1);
  std::vector<int> victims = cluster_.members();
  if (!all) victims = {rng_.chance(0.5) ? draw_leader() : draw_node()};
  for (const int i : victims) {
    world_.note(fmt::format("fault: the wall clock of node {} is set to {} us from true time", i, by_us));
    cluster_.set_clock(i, by_us);
  }
  later(draw_us(options_.pause_us), [this, victims] {
    for (const int i : victims) cluster_.set_clock(i, 0);
    world_.note("the wall clocks are set right");
    clocks_jumped_ = all_jumped_ = false;
  });
  return true;
}

void Nemesis::watch_clocks() {
  later(kLookUs, [this] {
    if (stopped_) return;
    if (not_noticed_.empty()) not_noticed_ = cluster_.clock_misjudged();
    watch_clocks();
  });
}

}  // namespace meridian::sim
