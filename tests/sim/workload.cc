#include "tests/sim/workload.h"

#include <utility>

#include "tests/checkers/checkers.h"
#include "tests/sim/workloads.h"

namespace meridian::sim {

namespace {
using Make = std::unique_ptr<Workload> (*)(const WorkloadDeps&);
constexpr std::pair<std::string_view, Make> kWorkloads[] = {
    {"register", make_register_workload},
    {"set", make_set_workload},
    {"counter", make_counter_workload},
    {"append", make_append_workload},
    {"conditional", make_conditional_workload},
    {"session", make_session_workload},
    {"scan", make_scan_workload},
    {"import", make_import_workload},
};
}  // namespace

const std::vector<std::string>& workload_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto& [name, make] : kWorkloads) names.emplace_back(name);
    return names;
  }();
  return kNames;
}

std::unique_ptr<Workload> make_workload(std::string_view name, const WorkloadDeps& deps) {
  for (const auto& [known, make] : kWorkloads) {
    if (known == name) return make(deps);
  }
  return nullptr;
}

std::string judge(const check::History& history) {
  if (check::Finding finding = check::check_all(history); !finding.ok()) return std::move(finding.explanation);
  for (const auto judge_one : {judge_conditional, judge_scan, judge_import}) {
    if (std::string wrong = judge_one(history); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace meridian::sim
