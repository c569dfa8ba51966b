// Is the history of each key that of an atomic register with read, write, compare-and-set and remove?
//
// Wing and Gong's search with Lowe's memory of visited states. A batch or a scan is taken as one operation
// per key (their atomicity is versions.h's matter). An operation with an unknown outcome may take effect
// at any time after its call, or never; one that failed never does, except that a compare-and-set which failed on its
// condition has seen a value that was not the expected one. Reads of any replica are left out.
//
//   phantom-value      a value was found that nobody wrote, or only what failed
//   not-linearizable   no order of the operations explains what was read
// Written values should be unique: the search is then fast. Repeated ones are handled, more slowly.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

// Of all keys; the first key in order that fails explains. max_steps bounds the search of each key.
Finding check_linearizable(const std::vector<Operation>& operations, std::uint64_t max_steps = 20'000'000);

}  // namespace meridian::check
