// Sets that only grow: is what was read what had been added?
//
//   phantom-element      read, but never added; or its add failed; or it was read before it was added
//   duplicate-elements   twice in one read
//   lost-element         acknowledged or read, absent from a later read, and never read again
//   stale-element        acknowledged or read, absent from a later read, and read again afterwards
//   incomparable-reads   two reads each of which has an element that the other has not
//   set-cycle            no order of adds and reads explains them, though none of the above holds
// Together they are exact: a set without them is linearizable. A read at the level of any replica may be stale.
#pragma once

#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

Finding check_sets(const std::vector<Operation>& operations);

}  // namespace meridian::check
