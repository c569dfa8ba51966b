// tests/sim: scenario files, from which every seed draws the options of its run.
#include "tests/sim/scenario.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

FUZZ_TARGET(bytes) {
  using namespace meridian;
  static const int file = ::memfd_create("scenario", 0);
  CHECK(file >= 0 && ::ftruncate(file, 0) == 0);
  CHECK(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  const auto scenario = sim::Scenario::load("/proc/self/fd/" + std::to_string(file));
  if (!scenario) return;
  const auto first = scenario->draw(7), second = scenario->draw(7);
  CHECK(first.to_string() == second.to_string());
}
