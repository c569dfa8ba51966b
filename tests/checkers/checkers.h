// All judges by name, and what a history needs of them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

struct Checker {
  std::string_view name;
  std::string_view question;
  // Whether the history holds anything that this one judges, and nothing stronger does.
  bool (*applies)(const std::vector<Operation>& operations);
  // max_steps bounds a search; the verdict is then kTimeout, which is no pass.
  Finding (*check)(const std::vector<Operation>& operations, std::uint64_t max_steps);
  // Of a part of a history. What can only come from operations that were left out is no violation here.
  Finding (*check_part)(const std::vector<Operation>& operations, std::uint64_t max_steps);
};

constexpr std::uint64_t kMaxSteps = 20'000'000;

std::span<const Checker> checkers();
const Checker* find_checker(std::string_view name);  // null: there is none

struct Judgement {
  const Checker* checker;
  Finding finding;
};

// By every checker that applies.
std::vector<Judgement> judge(const std::vector<Operation>& operations, std::uint64_t max_steps = kMaxSteps);

// The first thing that is wrong; a malformed history is.
Finding check_all(const History& history, std::uint64_t max_steps = kMaxSteps);

}  // namespace meridian::check
