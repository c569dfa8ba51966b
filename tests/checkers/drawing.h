// A history as a page to look at: one file without anything from outside.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

// Processes as rows, operations as bars from call to return, the reasons of a cycle as arrows. The columns are the
// order of events; times are told, not drawn to scale.
std::string draw(std::string_view title, const std::vector<Operation>& operations, const Finding& finding);

}  // namespace meridian::check
