#include "tests/checkers/replicas.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

namespace meridian::check {

Finding check_replicas(const std::vector<Operation>& operations) {
  std::unordered_map<std::string, const Operation*> first;
  for (const Operation& o : operations) {
    if (o.invoke.f != Function::kVersions || !o.ok()) continue;
    const auto [it, inserted] = first.try_emplace(o.invoke.key, &o);
    if (inserted) continue;
    const auto &a = it->second->complete.stored, &b = o.complete.stored;
    const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (in_a == a.end() && in_b == b.end()) continue;
    const auto tell = [](auto at, const auto& list) {
      return at == list.end() ? std::string("nothing more")
                              : fmt::format("version {} ({})", at->first, describe(at->second));
    };
    return violation("replicas-differ",
                     fmt::format("of {} node {} holds {} where node {} holds {}:", o.invoke.key,
                                 it->second->complete.node, tell(in_a, a), o.complete.node, tell(in_b, b)),
                     {it->second, &o});
  }
  return {};
}

}  // namespace meridian::check
