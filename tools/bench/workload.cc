#include "tools/bench/workload.h"

namespace meridian::bench {

std::string_view name_of(Distribution distribution) {
  switch (distribution) {
    case Distribution::kUniform: return "uniform";
    case Distribution::kZipf: return "zipf";
    case Distribution::kLatest: return "latest";
  }
  return "";
}

std::optional<Distribution> distribution_of(std::string_view name) {
  for (const auto each : {Distribution::kUniform, Distribution::kZipf, Distribution::kLatest}) {
    if (name == name_of(each)) return each;
  }
  return std::nullopt;
}

std::optional<Workload> simple_workload(std::string_view op, double read_ratio) {
  Workload workload;
  workload.name = op;
  workload.mix = Mix();
  if (op == "put") {
    workload.mix.weight(OpKind::kPut) = 1;
  } else if (op == "get") {
    workload.mix.weight(OpKind::kGet) = 1;
  } else if (op == "scan") {
    workload.mix.weight(OpKind::kScan) = 1;
  } else if (op == "batch") {
    workload.mix.weight(OpKind::kBatch) = 1;
  } else if (op == "mixed") {
    workload.mix.weight(OpKind::kGet) = read_ratio;
    workload.mix.weight(OpKind::kPut) = 1 - read_ratio;
  } else {
    return std::nullopt;
  }
  return workload;
}

std::optional<Workload> ycsb_workload(std::string_view letter) {
  if (letter.size() != 1) return std::nullopt;
  Workload workload;
  workload.name = "ycsb-" + std::string(letter);
  workload.mix = Mix();
  workload.distribution = Distribution::kZipf;
  Mix& mix = workload.mix;
  switch (letter[0]) {
    case 'a':
      mix.weight(OpKind::kGet) = 0.5;
      mix.weight(OpKind::kPut) = 0.5;
      return workload;
    case 'b':
      mix.weight(OpKind::kGet) = 0.95;
      mix.weight(OpKind::kPut) = 0.05;
      return workload;
    case 'c': mix.weight(OpKind::kGet) = 1; return workload;
    case 'd':
      mix.weight(OpKind::kGet) = 0.95;
      mix.weight(OpKind::kInsert) = 0.05;
      workload.distribution = Distribution::kLatest;
      return workload;
    case 'e':
      mix.weight(OpKind::kScan) = 0.95;
      mix.weight(OpKind::kInsert) = 0.05;
      return workload;
    case 'f':
      mix.weight(OpKind::kGet) = 0.5;
      mix.weight(OpKind::kRmw) = 0.5;
      return workload;
    default: return std::nullopt;
  }
}

}  // namespace meridian::bench
