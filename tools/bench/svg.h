// A picture of a run: throughput above, latency below, over the seconds. Pure; needs nothing but a browser to be seen.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/series.h"

namespace meridian::bench {

std::string render_svg(const std::string& title, const std::vector<Second>& series);

}  // namespace meridian::bench
