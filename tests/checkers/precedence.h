// A graph of what must precede what, and cycles in it: each a proof that no order explains a history.
//
// Nodes are numbered by the caller. Edges are of kinds; a search may be told which of them to walk.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tests/checkers/history.h"

namespace meridian::check {

enum class EdgeKind : std::uint8_t {
  kWw,        // overwrote, or appended after
  kWr,        // read what the other wrote
  kRw,        // did not see what the other wrote
  kProcess,   // one after the other in a process or session
  kRealtime,  // one returned before the other was called
  kOther,
};

using EdgeKinds = unsigned;
constexpr EdgeKinds bit(EdgeKind kind) { return 1u << static_cast<unsigned>(kind); }

struct Edge {
  int from = 0, to = 0;
  EdgeKind kind = EdgeKind::kOther;
  std::int32_t detail = -1;  // the caller's
};

class PrecedenceGraph {
 public:
  explicit PrecedenceGraph(int nodes) : nodes_(nodes) {}

  void add(Edge edge) {
    if (edge.from != edge.to) edges_.push_back(edge);
  }
  // No edge may be added afterwards.
  void freeze();

  // A short cycle of one edge of the kind `pivot` and a path of edges of the kinds `rest`: the shortest, unless
  // looking for it costs more than a few times `budget` steps. *spent tells that it did; the cycle, if any, is one even
  // so.
  std::optional<std::vector<Edge>> find_cycle(EdgeKind pivot, EdgeKinds rest, std::uint64_t budget, bool* spent) const;

  std::size_t edges() const { return edges_.size(); }

 private:
  struct Search {
    const PrecedenceGraph& graph;
    const std::vector<int>& component;
    EdgeKinds rest;
    std::vector<int> reached;  // by node: from which edge it was, last
    std::vector<int> came_by, distance;
    std::optional<std::vector<Edge>> around(int edge, int longest, std::uint64_t* left);
  };

  // By node: its strongly connected component, or -1 if that is the node alone.
  std::vector<int> components(EdgeKinds kinds) const;

  int nodes_;
  std::vector<Edge> edges_;  // by from, once frozen
  std::vector<int> first_;   // by node: its first edge
};

// Adds an edge from each operation to those called after it had returned, except where others imply it: for each
// call, only the operations that had returned and that no other returned one follows. Their number is at most
// that of the operations times that of those that run at a time. nodes[i] < 0: the operation has no node.
// may_be_early[i]: it may say what was true before its call, so nothing must precede it.
void add_realtime(const std::vector<const Operation*>& operations, const std::vector<int>& nodes,
                  const std::vector<bool>& may_be_early, PrecedenceGraph* graph);

}  // namespace meridian::check
