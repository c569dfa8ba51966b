#include "tests/sim/shrink.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace meridian::sim {

void Narrowing::apply(RunOptions* options) const {
  std::erase_if(options->kinds,
                [&](const std::string& kind) { return std::ranges::find(without, kind) != without.end(); });
  if (!workloads.empty()) {
    std::erase_if(options->workloads,
                  [&](const auto& w) { return std::ranges::find(workloads, w.first) == workloads.end(); });
  }
  options->max_faults = max_faults;
  options->buggify = !no_buggify;
  if (quiet_network) options->network.loss = options->network.duplicate = options->network.reorder = 0;
  if (!store.empty()) options->use_store(store == "rocks" ? StoreKind::kRocks : StoreKind::kMem);
}

std::string Narrowing::flags() const {
  std::string out;
  if (!without.empty()) out += fmt::format(" --without {}", fmt::join(without, ","));
  if (!workloads.empty()) out += fmt::format(" --workloads {}", fmt::join(workloads, ","));
  if (max_faults != UINT64_MAX) out += fmt::format(" --max-faults {}", max_faults);
  if (no_buggify) out += " --no-buggify";
  if (quiet_network) out += " --quiet-network";
  if (!store.empty()) out += " --store " + store;
  return out;
}

Narrowing shrink(const RunOptions& options, Narrowing best, const std::function<bool(const Narrowing&)>& fails,
                 const std::function<void(const std::string&)>& tell) {
  const auto attempt = [&](Narrowing next, const std::string& what) {
    const bool still = fails(next);
    tell(fmt::format("{}: {}", what, still ? "still fails" : "needed"));
    if (still) best = std::move(next);
    return still;
  };
  // Whole classes first; the order of the rest is that of the draw.
  Narrowing next = best;
  next.quiet_network = true;
  if (!best.quiet_network) attempt(next, "without loss, doubles and reordering");
  next = best;
  next.no_buggify = true;
  if (!best.no_buggify) attempt(next, "without buggify points");
  next = best;
  next.store = "mem";
  if (options.store == StoreKind::kRocks && best.store != "mem") attempt(next, "on MemEngine");
  std::vector<std::string> kinds = options.kinds;
  std::ranges::sort(kinds);
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  for (const std::string& kind : kinds) {
    next = best;
    next.without.push_back(kind);
    if (next.without.size() < kinds.size()) attempt(next, "without " + kind);
  }
  for (std::size_t i = 0; options.workloads.size() > 1 && i < options.workloads.size(); ++i) {
    next = best;
    next.workloads = {options.workloads[i].first};
    if (attempt(next, "only the workload " + options.workloads[i].first)) break;
  }
  // The fewest first faults with which it fails; that need not be monotone, so each step is tried for itself.
  std::uint64_t low = 0, high = std::min<std::uint64_t>(best.max_faults, 1024);
  while (low < high) {
    next = best;
    next.max_faults = (low + high) / 2;
    if (attempt(next, fmt::format("only the first {} faults", next.max_faults))) {
      high = next.max_faults;
    } else {
      low = next.max_faults + 1;
    }
  }
  return best;
}

}  // namespace meridian::sim
