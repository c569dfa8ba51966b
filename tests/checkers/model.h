// Makes histories of a database that does what it should: every operation takes effect at one random instant between
// its call and its answer; one whose outcome stays unknown, then, later or never; one that fails, not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/checkers/history.h"

namespace meridian::check {

struct ModelOptions {
  int operations = 100;
  int clients = 5;
  double unknown = 0.05, failed = 0;
};

class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool chance(double p) { return static_cast<double>(below(1'000'000)) < p * 1e6; }

  // draw() makes an invocation; apply() executes it and turns it into its answer.
  History make(const ModelOptions& options, const std::function<Event()>& draw,
               const std::function<void(Event&)>& apply) {
    struct Client {
      enum { kIdle, kCalled, kDone } phase = kIdle;
      Event event;
      EventType outcome = EventType::kOk;
      std::uint64_t process = 0;
    };
    std::vector<Client> clients(static_cast<std::size_t>(options.clients));
    std::uint64_t next_process = 0;
    for (Client& c : clients) c.process = next_process++;
    std::vector<Event> wandering;  // unknown, and without effect yet
    History history;
    const auto record = [&](Event event) {
      event.time_us = static_cast<std::int64_t>(history.events.size()) * 100;
      history.add(std::move(event));
    };
    for (int left = options.operations; left > 0;) {
      if (!wandering.empty() && below(30) == 0) {
        std::swap(wandering[below(wandering.size())], wandering.back());
        if (below(2) == 0) apply(wandering.back());
        wandering.pop_back();
      }
      Client& c = clients[below(clients.size())];
      if (c.phase == Client::kIdle) {
        --left;
        c.event = draw();
        c.event.process = c.process;
        c.event.type = EventType::kInvoke;
        record(c.event);
        c.outcome = chance(options.unknown)  ? EventType::kInfo
                    : chance(options.failed) ? EventType::kFail
                                             : EventType::kOk;
        c.phase = Client::kCalled;
      } else if (c.phase == Client::kCalled) {
        Event asked = c.event;
        if (c.outcome == EventType::kInfo && below(2) == 0) {
          wandering.push_back(std::move(asked));
        } else if (c.outcome != EventType::kFail) {
          asked.type = EventType::kOk;
          apply(asked);
          if (c.outcome == EventType::kOk) c.event = std::move(asked);
        }
        c.phase = Client::kDone;
      } else {
        // An answer may itself be a failure: that of a condition.
        if (c.outcome != EventType::kOk) c.event.type = c.outcome;
        record(c.event);
        if (c.outcome == EventType::kInfo) c.process = next_process++;
        c.phase = Client::kIdle;
      }
    }
    return history;
  }

 private:
  std::mt19937 random_;
};

// Registers under keys "0", "1", ...: reads, unique writes, compare-and-sets and removals.
class RegisterModel {
 public:
  RegisterModel(Model& model, int keys) : model_(model), keys_(keys) {}
  Event draw() {
    Event e{.key = std::to_string(model_.below(static_cast<std::uint64_t>(keys_)))};
    const auto kind = model_.below(20);
    if (kind < 10) return e;
    e.f = kind < 17 ? Function::kWrite : kind < 19 ? Function::kCas : Function::kRemove;
    if (e.f != Function::kRemove) e.value = "v" + std::to_string(next_++);
    if (e.f == Function::kCas) {
      e.expected = model_.below(4) == 0 ? Value("v" + std::to_string(model_.below(next_))) : state_[e.key];
    }
    return e;
  }
  void apply(Event& e) {
    Value& state = state_[e.key];
    if (e.f == Function::kRead) {
      e.value = state;
    } else if (e.f == Function::kCas && e.expected != state) {
      e.type = EventType::kFail;
      e.error = "condition";
    } else {
      state = e.value;
    }
  }

 private:
  Model& model_;
  int keys_;
  std::uint64_t next_ = 0;
  std::map<std::string, Value> state_;
};

// Lists: transactions of up to so many steps over a few keys at a time, each retired when its list is long.
class ListModel {
 public:
  ListModel(Model& model, int keys, int steps, std::uint64_t longest)
      : model_(model), steps_(steps), longest_(longest), appended_(static_cast<std::size_t>(keys)) {
    for (auto& [key, count] : appended_) key = std::to_string(next_key_++);
  }
  Event draw() {
    Event e{.f = Function::kTxn};
    const auto steps = 1 + model_.below(static_cast<std::uint64_t>(steps_));
    for (std::uint64_t i = 0; i < steps; ++i) {
      auto& [key, count] = appended_[model_.below(appended_.size())];
      if (model_.below(2) == 0) {
        e.ops.push_back({.key = key});
        continue;
      }
      e.ops.push_back({.append = true, .key = key, .element = std::to_string(++count)});
      if (count >= longest_) {
        key = std::to_string(next_key_++);
        count = 0;
      }
    }
    return e;
  }
  void apply(Event& e) {
    for (MicroOp& op : e.ops) {
      if (op.append) {
        state_[op.key].push_back(op.element);
      } else {
        op.list = state_[op.key];
      }
    }
  }
  const std::map<std::string, std::vector<std::string>>& state() const { return state_; }

 private:
  Model& model_;
  int steps_;
  std::uint64_t longest_, next_key_ = 0;
  std::vector<std::pair<std::string, std::uint64_t>> appended_;
  std::map<std::string, std::vector<std::string>> state_;
};

}  // namespace meridian::check
