#include "tools/bench/operations.h"

#include <algorithm>

namespace meridian::bench {

std::string_view name_of(OpKind kind) {
  switch (kind) {
    case OpKind::kGet: return "get";
    case OpKind::kPut: return "put";
    case OpKind::kScan: return "scan";
    case OpKind::kInsert: return "insert";
    case OpKind::kRmw: return "rmw";
    case OpKind::kBatch: return "batch";
  }
  return "";
}

std::size_t Mix::kinds() const {
  return static_cast<std::size_t>(std::ranges::count_if(weights, [](double w) { return w > 0; }));
}

OpKind Mix::choose(double uniform) const {
  double sum = 0;
  for (const double w : weights) sum += w;
  double left = uniform * sum;
  OpKind last = OpKind::kGet;
  for (const OpKind kind : kAllKinds) {
    if (!has(kind)) continue;
    last = kind;
    if (left < weight(kind)) return kind;
    left -= weight(kind);
  }
  return last;  // rounding
}

}  // namespace meridian::bench
