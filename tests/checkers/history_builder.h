// Builds histories by hand for tests: calls and answers in the order in which they are written.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/checkers/history.h"

namespace meridian::check {

inline MicroOp append(std::string key, std::string element) {
  return {.append = true, .key = std::move(key), .element = std::move(element)};
}
inline MicroOp read(std::string key) { return {.key = std::move(key)}; }

class HistoryBuilder {
 public:
  HistoryBuilder& call(std::uint64_t process, Event event) {
    event.type = EventType::kInvoke;
    return add(process, std::move(event));
  }
  HistoryBuilder& read(std::uint64_t process, bool linearizable = true, std::string key = "k") {
    return call(process, {.f = Function::kRead, .key = std::move(key), .linearizable = linearizable});
  }
  HistoryBuilder& write(std::uint64_t process, Value value, std::string key = "k") {
    const Function f = value ? Function::kWrite : Function::kRemove;
    return call(process, {.f = f, .key = std::move(key), .value = std::move(value)});
  }
  HistoryBuilder& cas(std::uint64_t process, Value expected, Value value, std::string key = "k") {
    return call(
        process,
        {.f = Function::kCas, .key = std::move(key), .value = std::move(value), .expected = std::move(expected)});
  }
  HistoryBuilder& txn(std::uint64_t process, std::vector<MicroOp> ops) {
    return call(process, {.f = Function::kTxn, .ops = std::move(ops)});
  }
  // The answer to a txn: what its reads saw, in their order.
  HistoryBuilder& lists(std::uint64_t process, std::vector<std::vector<std::string>> seen) {
    Event event = last(process);
    event.type = EventType::kOk;
    auto next = seen.begin();
    for (MicroOp& op : event.ops) {
      if (!op.append) op.list = std::move(*next++);
    }
    return add(process, std::move(event));
  }
  // The answer to the process's last call; a read's value is given.
  HistoryBuilder& ok(std::uint64_t process, std::uint64_t version = 0) {
    Event event = last(process);
    event.type = EventType::kOk;
    event.version = version;
    return add(process, std::move(event));
  }
  HistoryBuilder& saw(std::uint64_t process, Value value, std::uint64_t version = 0, std::uint64_t timestamp = 0) {
    Event event = last(process);
    event.type = EventType::kOk;
    event.value = std::move(value);
    event.version = version;
    event.timestamp = timestamp;
    return add(process, std::move(event));
  }
  HistoryBuilder& ends(std::uint64_t process, EventType type, std::string error = {}) {
    Event event = last(process);
    event.type = type;
    event.error = std::move(error);
    return add(process, std::move(event));
  }
  HistoryBuilder& answer(std::uint64_t process, Event event) { return add(process, std::move(event)); }

  const History& history() const { return history_; }
  std::vector<Operation> operations() const {
    std::vector<Operation> operations;
    const auto error = pair_operations(history_, &operations);
    if (error) std::abort();
    return operations;
  }

 private:
  Event last(std::uint64_t process) const {
    for (auto it = history_.events.rbegin(); it != history_.events.rend(); ++it) {
      if (it->process == process) return *it;
    }
    std::abort();
  }
  HistoryBuilder& add(std::uint64_t process, Event event) {
    event.process = process;
    event.time_us = static_cast<std::int64_t>(history_.events.size()) * 1000;
    history_.add(std::move(event));
    return *this;
  }
  History history_;
};

}  // namespace meridian::check
