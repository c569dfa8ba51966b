// Do the replicas hold the same at the end? All that was listed of a key (Function::kVersions, one operation for each
// replica) must be equal.
//
//   replicas-differ
#pragma once

#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

Finding check_replicas(const std::vector<Operation>& operations);

}  // namespace meridian::check
