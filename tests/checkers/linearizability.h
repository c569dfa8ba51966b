// Is the history of each key that of an atomic register with read, write, compare-and-set and remove?
//
// Wing and Gong's search with Lowe's memory of visited states. A batch or a scan is taken as one operation
// per key (their atomicity is versions.h's matter). An operation with an unknown outcome may take effect
// at any time after its call, or never; one that failed never does, except that a compare-and-set which failed on its
// condition has seen a value that was not the expected one. Reads of any replica are left out.
// Written values should be unique: the search is then fast. Repeated ones are handled, more slowly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/checkers/history.h"

namespace meridian::check {

enum class Verdict { kOk, kViolation, kTimeout };

struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string explanation;
  bool ok() const { return verdict == Verdict::kOk; }
};

// Of all keys; the first key in order that fails explains. max_steps bounds the search of each key.
Finding check_linearizable(const std::vector<Operation>& operations, std::uint64_t max_steps = 20'000'000);

}  // namespace meridian::check
