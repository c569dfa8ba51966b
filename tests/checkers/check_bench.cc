// check_bench: how long the judges take for large histories, right and spoilt, and how much memory. Fails if a judge is
// wrong.
#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "tests/checkers/checkers.h"
#include "tests/checkers/model.h"
#include "tests/checkers/shrink.h"

namespace {

using namespace meridian::check;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double peak_gib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1 << 20);
}

// A late read sees what was there at first.
void spoil(std::vector<Operation>& operations) {
  std::map<std::string, Value> first;
  for (const Operation& o : operations) {
    if (o.ok() && o.invoke.f == Function::kWrite) first.try_emplace(o.invoke.key, o.invoke.value);
  }
  for (auto o = operations.rbegin(); o != operations.rend(); ++o) {
    if (!o->ok() || o->returned > operations.back().called * 3 / 4) continue;
    if (o->invoke.f == Function::kRead && o->complete.value) {
      o->complete.value = first[o->invoke.key];
      return;
    }
    for (MicroOp& op : o->complete.ops) {
      if (op.append || !op.list || op.list->size() < 50) continue;
      op.list->resize(1);
      return;
    }
  }
}

bool measure(const std::string& what, const History& history, const char* checker_name) {
  const Checker& checker = *find_checker(checker_name);
  double last = cpu_seconds();
  const auto lap = [&] {
    const double now = cpu_seconds();
    return now - std::exchange(last, now);
  };
  std::vector<Operation> operations;
  if (const auto error = pair_operations(history, &operations)) {
    fmt::print("{}: {}\n", what, *error);
    return false;
  }
  fmt::print("{}: {} operations, {:.1f} % unknown, paired in {:.2f} s;", what, operations.size(),
             100.0 *
                 static_cast<double>(std::count_if(operations.begin(), operations.end(),
                                                   [](const Operation& o) { return o.unknown(); })) /
                 static_cast<double>(operations.size()),
             lap());
  const Finding finding = checker.check(operations, kMaxSteps);
  fmt::print(" {} in {:.2f} s;", finding.ok() ? "holds" : finding.anomaly, lap());
  spoil(operations);
  const Finding spoilt = checker.check(operations, kMaxSteps);
  fmt::print(" spoilt, {} in {:.2f} s,", spoilt.ok() ? "holds" : spoilt.anomaly, lap());
  const std::size_t left = spoilt.ok() ? operations.size() : shrink(checker, operations, spoilt).operations.size();
  fmt::print(" shrunk to {} operations in {:.2f} s; peak {:.2f} GiB\n", left, lap(), peak_gib());
  return finding.ok() && !spoilt.ok();
}

}  // namespace

int main() {
  bool good = true;
  for (const int keys : {200, 20}) {
    Model model(1);
    RegisterModel registers(model, keys);
    const History history = model.make(
        {.operations = 200'000, .clients = 50, .unknown = 0.05}, [&] { return registers.draw(); },
        [&](Event& e) { registers.apply(e); });
    good &= measure(fmt::format("registers, {} keys, 50 clients", keys), history, "linearizability");
  }
  Model model(1);
  ListModel lists(model, 50, 4, 100);
  const History history = model.make(
      {.operations = 100'000, .clients = 50, .unknown = 0.05, .failed = 0.02}, [&] { return lists.draw(); },
      [&](Event& e) { lists.apply(e); });
  good &= measure("lists, 50 clients", history, "strict-serializability");
  return good ? 0 : 1;
}
