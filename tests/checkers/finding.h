// What a judge says of a history.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/checkers/history.h"

namespace meridian::check {

enum class Verdict { kOk, kViolation, kTimeout };

// Why one operation must precede another; both by the index of their invocation.
struct Reason {
  std::uint64_t from = 0, to = 0;
  std::string kind;  // ww, wr, rw, process, realtime
  std::string why;
};

struct Finding {
  Verdict verdict = Verdict::kOk;
  // A name that stays: "not-linearizable", "G1c", "lost-element". Each judge's header lists its own.
  std::string anomaly;
  std::string explanation;
  std::vector<std::uint64_t> operations;  // that show it, by the index of their invocation
  std::vector<Reason> cycle;              // of a cycle of dependencies

  bool ok() const { return verdict == Verdict::kOk; }
};

// The operations are listed below the explanation.
inline Finding violation(std::string anomaly, std::string what, const std::vector<const Operation*>& operations) {
  Finding finding{Verdict::kViolation, std::move(anomaly), std::move(what)};
  for (const Operation* operation : operations) {
    finding.explanation += "\n  " + describe(*operation);
    finding.operations.push_back(operation->invoke.index);
  }
  finding.explanation += '\n';
  return finding;
}

inline Finding no_verdict(std::string what) { return {Verdict::kTimeout, "no-verdict", std::move(what)}; }

}  // namespace meridian::check
