// Where a picture's axes have their marks. Pure.
#pragma once

#include <string>
#include <vector>

namespace meridian::bench {

struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<double> marks;  // ascending, from low to high

  // 0 at low, 1 at high; outside of them where the value is.
  double position(double value) const;
};

// From 0 to at least `greatest`, with about `marks` marks at 1, 2 or 5 times a power of ten.
Axis linear_axis(double greatest, int marks);
// Over whole decades around both. Requires: 0 < least <= greatest.
Axis log_axis(double least, double greatest);

// "0", "0.05", "2,500", "20k", "1.5M": as short as a mark should be.
std::string format_mark(double value);

}  // namespace meridian::bench
