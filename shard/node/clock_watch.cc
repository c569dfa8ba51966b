#include "shard/node/clock_watch.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "shard/wire/codec.h"

namespace meridian {
namespace {

// A node that started with a clock that is off finds out before it can be elected; later a jump is seen by the
// monotonic clock at once, and what is left is drift. Who waits to be confirmed asks more often.
constexpr Duration kInterval{2'000'000};
constexpr Duration kIntervalWhileFaulty{100'000};
constexpr Duration kPatience{1'000'000};

double seconds(Duration d) { return static_cast<double>(d.count()) / 1e6; }

}  // namespace

ClockWatch::ClockWatch(Deps deps) : deps_(std::move(deps)) { look(); }

ClockWatch::~ClockWatch() { deps_.runtime.cancel(timer_); }

void ClockWatch::look() {
  std::vector<NodeId> others;
  for (const api::NodeDescriptor& node : deps_.placement.topology()->nodes()) {
    if (node.state() == api::REMOVED || node.id() == deps_.peers.self().node_id()) continue;
    others.emplace_back(node.id());
  }
  if (deps_.placement.topology()->cluster_id() != 0) deps_.clock.guard().follow(others);
  const bool faulty = deps_.clock.fault().has_value();
  say(faulty);
  for (const NodeId node : others) ask(node);
  timer_ = deps_.runtime.after(faulty ? kIntervalWhileFaulty : kInterval, lifetime_.guard([this] { look(); }));
}

void ClockWatch::ask(NodeId node) {
  const std::optional<Address> address = deps_.peers.address_of(node);
  if (!address) return;
  wire::ClockRequest request;
  *request.mutable_sender() = deps_.peers.self();
  request.set_to_node(node.value());
  const MonoTime sent = deps_.runtime.now();
  call(deps_.transport, *address, wire::kClock, request, {.deadline = sent + kPatience, .priority = Priority::kHigh},
       lifetime_.guard([this, node, sent](Result<wire::ClockResponse> answer) {
         if (!answer || NodeId(answer->node_id()) != node || answer->error_us() < 0) return;
         deps_.clock.guard().measured(
             node, {WallTime(answer->time_us()), Duration(answer->error_us()), WallTime(answer->wall_us())}, sent,
             deps_.runtime.now());
       }));
}

// Not of a node that has just started: it will know in a moment.
void ClockWatch::say(bool faulty) {
  const std::string fault = deps_.clock.wrong() ? deps_.clock.guard().describe() : std::string();
  if (fault.empty() != fault_.empty()) {
    if (!fault.empty()) LOG_WARNING("this node does not go by its clock", {{"why", fault}});
    if (fault.empty()) LOG_WARNING("this node goes by its clock again", {{"was", fault_}});
    fault_ = fault;
  }
  const std::string warned = faulty ? std::string() : warning();
  if (!warned.empty() && warned_.empty()) LOG_WARNING("clocks are far apart", {{"what", warned}});
  warned_ = warned;
}

std::string ClockWatch::warning() {
  const ClockGuard::Offset* worst = nullptr;
  Duration certain = deps_.max_offset / 2;
  const std::vector<ClockGuard::Offset> offsets = deps_.clock.guard().offsets(deps_.runtime.now());
  for (const ClockGuard::Offset& offset : offsets) {
    const Duration apart = Duration(std::abs(offset.ahead.count())) - offset.error;
    if (apart > certain) worst = &offset, certain = apart;
  }
  if (worst == nullptr) return {};
  return fmt::format("its wall clock is {:.3f} s {} that of node {}; the limit is {:.3f} s",
                     std::abs(seconds(worst->ahead)), worst->ahead.count() > 0 ? "ahead of" : "behind", worst->peer,
                     seconds(deps_.max_offset));
}

void ClockWatch::describe(api::NodeStatusResponse& status) {
  deps_.clock.wall();
  for (const ClockGuard::Offset& offset : deps_.clock.guard().offsets(deps_.runtime.now())) {
    auto* out = status.add_clock_offsets();
    out->set_node_id(offset.peer.value());
    out->set_ahead_us(offset.ahead.count());
    out->set_error_us(offset.error.count());
  }
  if (const std::string warned = warning(); !warned.empty()) status.add_warnings(warned);
}

}  // namespace meridian
