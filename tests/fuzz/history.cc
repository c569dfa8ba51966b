// tests/checkers: a history read from a file. What is taken is written the same again.
#include "tests/checkers/history.h"

#include <sstream>

#include "tests/checkers/history_edn.h"
#include "tests/fuzz/fuzz.h"

FUZZ_TARGET(bytes) {
  using namespace meridian;
  std::istringstream in{std::string(bytes)};
  check::History history;
  if (check::read_history(in, &history)) return;
  std::ostringstream once, edn;
  check::write_history(history, once);
  check::write_edn(history, edn);
  check::History again;
  std::istringstream second(once.str());
  CHECK(!check::read_history(second, &again));
  std::ostringstream twice;
  check::write_history(again, twice);
  CHECK(once.str() == twice.str());
  std::vector<check::Operation> operations;
  if (!check::pair_operations(history, &operations)) {
    for (const check::Operation& operation : operations) (void)check::describe(operation);
  }
}
