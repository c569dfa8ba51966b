// The workloads there are, each in a file of its own; see workload.cc for their names.
#pragma once

#include "tests/sim/workload_base.h"

namespace meridian::sim {

std::unique_ptr<Workload> make_register_workload(const WorkloadDeps& deps);
std::unique_ptr<Workload> make_set_workload(const WorkloadDeps& deps);
std::unique_ptr<Workload> make_counter_workload(const WorkloadDeps& deps);
std::unique_ptr<Workload> make_append_workload(const WorkloadDeps& deps);
std::unique_ptr<Workload> make_conditional_workload(const WorkloadDeps& deps);
std::unique_ptr<Workload> make_session_workload(const WorkloadDeps& deps);
std::unique_ptr<Workload> make_scan_workload(const WorkloadDeps& deps);
std::unique_ptr<Workload> make_import_workload(const WorkloadDeps& deps);

// What a history must not show and no checker knows of. Empty: nothing is wrong.
std::string judge_conditional(const check::History& history);
std::string judge_scan(const check::History& history);
std::string judge_import(const check::History& history);

}  // namespace meridian::sim
