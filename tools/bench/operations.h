// What a load is made of: kinds of operations, and the share of each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace meridian::bench {

// kPut writes a key there is (YCSB: update), kInsert a new one; kRmw reads, then compares and sets; kBatch puts several
// keys there are, all or nothing.
enum class OpKind : std::uint8_t { kGet, kPut, kScan, kInsert, kRmw, kBatch };
inline constexpr std::size_t kOpKinds = 6;
inline constexpr std::array<OpKind, kOpKinds> kAllKinds = {OpKind::kGet,    OpKind::kPut, OpKind::kScan,
                                                           OpKind::kInsert, OpKind::kRmw, OpKind::kBatch};

// "get", "put", "scan", "insert", "rmw", "batch".
std::string_view name_of(OpKind kind);

// The weight of each kind; only their ratio counts. Invariant of a valid one: none negative, one positive.
struct Mix {
  std::array<double, kOpKinds> weights{};

  double weight(OpKind kind) const { return weights[static_cast<std::size_t>(kind)]; }
  double& weight(OpKind kind) { return weights[static_cast<std::size_t>(kind)]; }
  bool has(OpKind kind) const { return weight(kind) > 0; }
  // Kinds with a weight.
  std::size_t kinds() const;
  // uniform in [0, 1). Never a kind without a weight.
  OpKind choose(double uniform) const;
};

}  // namespace meridian::bench
