// Counters: did every increment happen exactly once?
//
//   lost-increment        a read is below what all acknowledged increments before it make
//   repeated-increment    a read is above what all increments that may have happened make
//   counter-went-back     a read is below an earlier one, though nothing was subtracted
// An increment with an unknown outcome may have happened once or not at all; one that was tried again under its id is
// one increment. The bounds are exact as soon as nothing runs beside a read and no outcome is unknown.
#pragma once

#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

Finding check_counters(const std::vector<Operation>& operations);

}  // namespace meridian::check
