#include "tests/checkers/counters.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace meridian::check {

namespace {

// Sums of what happened up to a position of the history.
class Sums {
 public:
  void add(std::uint64_t position, std::int64_t number) { points_.emplace_back(position, number); }
  void finish() {
    std::sort(points_.begin(), points_.end());
    for (std::size_t i = 1; i < points_.size(); ++i) points_[i].second += points_[i - 1].second;
  }
  std::int64_t before(std::uint64_t position) const {
    const auto it =
        std::partition_point(points_.begin(), points_.end(), [&](const auto& point) { return point.first < position; });
    return it == points_.begin() ? 0 : std::prev(it)->second;
  }

 private:
  std::vector<std::pair<std::uint64_t, std::int64_t>> points_;
};

struct Counter {
  Sums certain_up, certain_down;    // acknowledged, by return
  Sums possible_up, possible_down;  // that did not fail, by call
  bool grows = true;
  std::vector<const Operation*> reads;
};

Finding check_counter(const std::string& name, Counter& counter) {
  for (Sums* sums : {&counter.certain_up, &counter.certain_down, &counter.possible_up, &counter.possible_down}) {
    sums->finish();
  }
  for (const Operation* read : counter.reads) {
    const std::int64_t number = read->complete.number;
    const bool fresh = read->invoke.linearizable;  // else it may have missed whatever happened
    const std::int64_t most =
        counter.possible_up.before(read->returned) + (fresh ? counter.certain_down.before(read->called) : 0);
    if (number > most) {
      return violation("repeated-increment",
                       fmt::format("{} was read, but all increments of {} that may have happened make {} at most:",
                                   number, name, most),
                       {read});
    }
    const std::int64_t least =
        counter.possible_down.before(read->returned) + (fresh ? counter.certain_up.before(read->called) : 0);
    if (number < least) {
      return violation(
          "lost-increment",
          fmt::format("{} was read, but the acknowledged increments of {} make {} at least:", number, name, least),
          {read});
    }
  }
  if (!counter.grows) return {};
  std::erase_if(counter.reads, [](const Operation* read) { return !read->invoke.linearizable; });
  std::vector<const Operation*> by_return = counter.reads;
  std::sort(by_return.begin(), by_return.end(), [](auto* a, auto* b) { return a->returned < b->returned; });
  std::sort(counter.reads.begin(), counter.reads.end(), [](auto* a, auto* b) { return a->called < b->called; });
  const Operation* highest = nullptr;
  auto next = by_return.begin();
  for (const Operation* read : counter.reads) {
    for (; next != by_return.end() && (*next)->returned < read->called; ++next) {
      if (highest == nullptr || (*next)->complete.number > highest->complete.number) highest = *next;
    }
    if (highest == nullptr || read->complete.number >= highest->complete.number) continue;
    return violation("counter-went-back", fmt::format("{} went back:", name), {highest, read});
  }
  return {};
}

}  // namespace

Finding check_counters(const std::vector<Operation>& operations) {
  std::map<std::string, Counter> counters;
  for (const Operation& o : operations) {
    if (o.invoke.f == Function::kReadCounter && o.ok()) counters[o.invoke.key].reads.push_back(&o);
    if (o.invoke.f != Function::kIncrement || o.complete.type == EventType::kFail) continue;
    Counter& counter = counters[o.invoke.key];
    const bool up = o.invoke.number >= 0;
    counter.grows &= up;
    (up ? counter.possible_up : counter.possible_down).add(o.called, o.invoke.number);
    if (o.ok()) (up ? counter.certain_up : counter.certain_down).add(o.returned, o.invoke.number);
  }
  for (auto& [name, counter] : counters) {
    if (Finding f = check_counter(name, counter); !f.ok()) return f;
  }
  return {};
}

}  // namespace meridian::check
