#include "tests/checkers/history.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace meridian::check {

namespace {

bool same_steps(const std::vector<MicroOp>& a, const std::vector<MicroOp>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const MicroOp& x, const MicroOp& y) {
    return x.append == y.append && x.key == y.key && x.element == y.element;
  });
}

}  // namespace

void History::add(Event event) {
  event.index = events.size();
  events.push_back(std::move(event));
}

std::optional<std::string> pair_operations(const History& history, std::vector<Operation>* operations) {
  std::unordered_map<std::uint64_t, std::size_t> open;  // by process
  operations->reserve(operations->size() + history.events.size() / 2 + 1);
  for (std::size_t position = 0; position < history.events.size(); ++position) {
    const Event& event = history.events[position];
    const auto it = open.find(event.process);
    if (event.type == EventType::kInvoke) {
      if (it != open.end()) return fmt::format("event {}: process {} is still busy", event.index, event.process);
      open[event.process] = operations->size();
      Operation operation{.invoke = event, .complete = event, .called = position};
      operation.complete.type = EventType::kInfo;
      operations->push_back(std::move(operation));
      continue;
    }
    if (it == open.end()) return fmt::format("event {}: process {} has invoked nothing", event.index, event.process);
    Operation& operation = (*operations)[it->second];
    if (operation.invoke.f != event.f) {
      return fmt::format("event {}: answers another function than event {} asked", event.index, operation.invoke.index);
    }
    if (event.f == Function::kTxn && !same_steps(event.ops, operation.invoke.ops)) {
      return fmt::format("event {}: answers another transaction than event {} asked", event.index,
                         operation.invoke.index);
    }
    operation.complete = event;
    if (event.type != EventType::kInfo) operation.returned = position;
    open.erase(it);
  }
  return std::nullopt;
}

std::string describe(const Value& value) { return value ? *value : "absent"; }

std::string describe(const MicroOp& op) {
  if (op.append) return fmt::format("append {} to {}", op.element, op.key);
  if (!op.list) return fmt::format("read {}", op.key);
  return fmt::format("read {} -> [{}]", op.key, fmt::join(*op.list, " "));
}

std::string describe_call(const Operation& operation) {
  const Event& in = operation.invoke;
  const Event& out = operation.complete;
  const bool ok = operation.ok();
  std::string what;
  switch (in.f) {
    case Function::kRead: return "read " + in.key + (ok ? " -> " + describe(out.value) : "");
    case Function::kWrite: return "write " + in.key + " = " + describe(in.value);
    case Function::kCas: return fmt::format("cas {} from {} to {}", in.key, describe(in.expected), describe(in.value));
    case Function::kRemove: return "remove " + in.key;
    case Function::kBatch:
      what = "batch";
      for (const auto& [key, value] : in.values) what += fmt::format(" {} = {}", key, describe(value));
      return what;
    case Function::kScan:
      what = fmt::format("scan [{}, {})", in.key, in.end);
      for (const auto& [key, value] : out.values) what += fmt::format(" {} = {}", key, describe(value));
      return what;
    case Function::kVersions: return "versions of " + in.key;
    case Function::kAdd: return fmt::format("add {} to {}", describe(in.value), in.key);
    case Function::kReadSet:
      return "read set " + in.key + (ok ? fmt::format(" -> {{{}}}", fmt::join(out.elements, " ")) : "");
    case Function::kIncrement: return fmt::format("increment {} by {}", in.key, in.number);
    case Function::kReadCounter: return "read counter " + in.key + (ok ? fmt::format(" -> {}", out.number) : "");
    case Function::kTxn:
      for (const MicroOp& op : ok ? out.ops : in.ops) what += (what.empty() ? "" : ", ") + describe(op);
      return "txn (" + what + ")";
  }
  return what;
}

std::string describe(const Operation& operation) {
  const Event& in = operation.invoke;
  const Event& out = operation.complete;
  std::string line =
      fmt::format("#{} process {} {} [{:.3f} ms .. ", in.index, in.process, describe_call(operation), in.time_us / 1e3);
  line += operation.returned == Operation::kNever ? "?]" : fmt::format("{:.3f} ms]", out.time_us / 1e3);
  line += ' ' + std::string(to_string(out.type));
  if (out.version != 0) line += fmt::format(" version {}", out.version);
  if (out.timestamp != 0) line += fmt::format(" as of {}", out.timestamp);
  if (in.session != 0) line += fmt::format(" session {}", in.session);
  if (out.node != 0) line += fmt::format(" by node {} {}", out.node, out.role);
  if (!out.error.empty()) line += ": " + out.error;
  return line;
}

}  // namespace meridian::check
