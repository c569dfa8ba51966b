#include "tools/bench/axis.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace meridian::bench {

double Axis::position(double value) const {
  if (logarithmic) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

Axis linear_axis(double greatest, int marks) {
  if (!(greatest > 0)) greatest = 1;
  const double rough = greatest / marks;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5, 2, 1}) {
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  }
  Axis axis;
  const auto steps = static_cast<int>(std::ceil(greatest / step - 1e-9));
  axis.high = step * steps;
  for (int i = 0; i <= steps; ++i) axis.marks.push_back(step * i);
  return axis;
}

Axis log_axis(double least, double greatest) {
  const auto first = static_cast<int>(std::floor(std::log10(least) + 1e-9));
  const auto last = std::max(first + 1, static_cast<int>(std::ceil(std::log10(greatest) - 1e-9)));
  Axis axis;
  axis.logarithmic = true;
  axis.low = std::pow(10, first);
  axis.high = std::pow(10, last);
  for (int decade = first; decade <= last; ++decade) {
    for (const double factor : {1, 2, 5}) {
      // Over many decades, or at the end, the powers of ten alone.
      if (factor > 1 && (last - first > 3 || decade == last)) continue;
      axis.marks.push_back(factor * std::pow(10, decade));
    }
  }
  return axis;
}

std::string format_mark(double value) {
  if (value >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  if (value >= 1e3) return fmt::format("{},{:03}", static_cast<int>(value) / 1000, static_cast<int>(value) % 1000);
  return fmt::format("{:.4g}", value);
}

}  // namespace meridian::bench
