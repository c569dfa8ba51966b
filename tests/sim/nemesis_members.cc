// Changes of the members, as an operator makes them, and the repair of what lost its disk.
#include <algorithm>

#include <fmt/format.h>

#include "tests/sim/nemesis.h"

namespace meridian::sim {

namespace {
constexpr std::int64_t kTickUs = 500'000;
constexpr std::int64_t kAskUs = 5'000'000;
constexpr double kWipeChance = 0.3;  // of a removed one, at each tick
constexpr std::size_t kFewest = 3, kMost = 7;
}  // namespace

// One change at a time; the cluster itself refuses a second one.
bool Nemesis::busy_with_members() const { return asking_ || damaged_.has_value(); }

bool Nemesis::change_members(const std::string& kind) {
  if (busy_with_members()) return false;
  const std::vector<int> members = cluster_.members(), free = cluster_.free_nodes();
  if (kind == "add_node") {
    if (free.empty() || members.size() >= kMost) return false;
    add(free[rng_.below(free.size())]);
    return true;
  }
  const int leaving = members[rng_.below(members.size())];
  const std::uint64_t id = cluster_.member_id(leaving);
  if (id == 0) return false;
  if (kind == "replace_node") {
    if (free.empty()) return false;
    replace(leaving, id, free[rng_.below(free.size())]);
    return true;
  }
  if (members.size() <= kFewest) return false;
  remove(leaving, id);
  return true;
}

void Nemesis::remove(int leaving, std::uint64_t id) {
  world_.note(fmt::format("fault: node {} is to be removed", leaving));
  asking_ = true;
  v1::RemoveNodeRequest request;
  request.set_node_id(id);
  cluster_.admin().core->remove_node(std::move(request), admin_call(),
                                     [this](const Result<v1::NodeOperationResponse>& r) { asked("remove", r); });
}

void Nemesis::add(int spare) {
  world_.note(fmt::format("fault: node {} is to be added", spare));
  asking_ = true;
  v1::AddNodeRequest request;
  request.mutable_node()->set_address(cluster_.node_address(spare));
  request.mutable_node()->set_region(cluster_.node_region(spare));
  cluster_.admin().core->add_node(std::move(request), admin_call(),
                                  [this](const Result<v1::NodeOperationResponse>& r) { asked("add", r); });
}

void Nemesis::replace(int old, std::uint64_t id, int spare) {
  world_.note(fmt::format("fault: node {} is to be replaced by node {}", old, spare));
  asking_ = true;
  v1::ReplaceNodeRequest request;
  request.set_old_node_id(id);
  request.mutable_node()->set_address(cluster_.node_address(spare));
  request.mutable_node()->set_region(cluster_.node_region(spare));
  cluster_.admin().core->replace_node(std::move(request), admin_call(),
                                      [this](const Result<v1::NodeOperationResponse>& r) { asked("replace", r); });
}

client::Call Nemesis::admin_call() {
  client::Call call;
  call.deadline = cluster_.admin().runtime->now() + Duration(kAskUs);
  return call;
}

void Nemesis::asked(const char* what, const Result<v1::NodeOperationResponse>& answer) {
  asking_ = false;
  world_.note(fmt::format("asked to {} a node: {}", what,
                          answer ? fmt::format("operation {}", answer->operation_id()) : answer.error().to_string()));
}

// Also after everything was healed: what is broken is mended, what was removed may be used again.
void Nemesis::tend_members() {
  later(kTickUs, [this] {
    for (int i = 0; i < cluster_.nodes(); ++i) {
      if (!cluster_.removed(i)) continue;
      // A while as it is, restarted or not: it must stay out.
      if (!rng_.chance(kWipeChance)) {
        if (rng_.chance(0.5)) cluster_.crash_node(i, rng_.chance(0.5)), cluster_.start_node(i);
        continue;
      }
      world_.note(fmt::format("node {} was removed: its disk is wiped, and it starts empty", i));
      cluster_.crash_node(i, false);
      cluster_.wipe_node(i);
      cluster_.start_node(i);
    }
    if (damaged_ && cluster_.halted(*damaged_)) replace_damaged();
    tend_members();
  });
}

void Nemesis::replace_damaged() {
  const int i = *damaged_;
  const std::uint64_t id = cluster_.member_id(i);
  const auto members = cluster_.members();
  if (cluster_.leader() && std::ranges::find(members, i) == members.end()) {
    // Replaced. Its machine gets a new disk.
    damaged_.reset();
    cluster_.wipe_node(i);
    return cluster_.start_node(i);
  }
  const std::vector<int> free = cluster_.free_nodes();
  if (asking_ || id == 0) return;
  // It may be the one that is being added: its change ends only by being cancelled. Any other change is refused meanwhile.
  if (cluster_.changing_members()) return remove(i, id);
  if (free.empty() && members.size() > kFewest) return remove(i, id);
  if (free.empty()) return;
  replace(i, id, free[rng_.below(free.size())]);
}

}  // namespace meridian::sim
