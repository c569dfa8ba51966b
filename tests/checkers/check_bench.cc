// check_bench: how long the judges take for large histories, and how much memory. Fails if a history that is right is
// found wrong.
#include <sys/resource.h>

#include <ctime>
#include <functional>

#include <fmt/format.h>

#include "tests/checkers/checkers.h"
#include "tests/checkers/model.h"

namespace {

using namespace meridian::check;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double peak_gib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1 << 20);
}

bool measure(const char* what, const History& history, const char* checker) {
  const double before = cpu_seconds();
  std::vector<Operation> operations;
  const auto error = pair_operations(history, &operations);
  if (error) {
    fmt::print("{}: {}\n", what, *error);
    return false;
  }
  const double paired = cpu_seconds();
  const Finding finding = find_checker(checker)->check(operations, kMaxSteps);
  std::size_t unknown = 0;
  for (const Operation& o : operations) unknown += o.unknown() ? 1 : 0;
  fmt::print("{}: {} operations, {:.1f} % unknown: {} in {:.2f} s (paired in {:.2f} s), peak {:.2f} GiB\n", what,
             operations.size(), 100.0 * static_cast<double>(unknown) / static_cast<double>(operations.size()),
             finding.ok() ? "holds" : finding.anomaly, cpu_seconds() - paired, paired - before, peak_gib());
  if (!finding.ok()) fmt::print("{}\n", finding.explanation);
  return finding.ok();
}

}  // namespace

int main() {
  bool good = true;
  for (const unsigned seed : {1u, 2u, 3u}) {
    Model model(seed);
    RegisterModel registers(model, 200);
    const History history = model.make(
        {.operations = 200'000, .clients = 50, .unknown = 0.05}, [&] { return registers.draw(); },
        [&](Event& e) { registers.apply(e); });
    good &= measure(fmt::format("registers, 200 keys, 50 clients, seed {}", seed).c_str(), history, "linearizability");
  }
  Model model(1);
  ListModel lists(model, 50, 4, 100);
  const History history = model.make(
      {.operations = 100'000, .clients = 50, .unknown = 0.05, .failed = 0.02}, [&] { return lists.draw(); },
      [&](Event& e) { lists.apply(e); });
  good &= measure("lists, 50 clients", history, "strict-serializability");
  return good ? 0 : 1;
}
