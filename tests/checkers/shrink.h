// Makes a failing history small enough to be understood.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/checkers/checkers.h"

namespace meridian::check {

struct Shrunk {
  std::vector<Operation> operations;
  Finding finding;  // of these alone; the same anomaly
};

// Leaves operations out for as long as the checker finds the same anomaly in the rest. What is left fails of itself,
// and not because something that would explain it is missing: a write goes only with all who found its value, a removal
// only with all who found nothing, and so on. `budget` bounds the operations judged in all.
Shrunk shrink(const Checker& checker, const std::vector<Operation>& operations, const Finding& finding,
              std::uint64_t budget = 1'500'000);

}  // namespace meridian::check
