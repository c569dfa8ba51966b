#include "tests/checkers/precedence.h"

#include <algorithm>
#include <deque>
#include <tuple>

namespace meridian::check {

void PrecedenceGraph::freeze() {
  std::sort(edges_.begin(), edges_.end(), [](const Edge& a, const Edge& b) {
    return std::tie(a.from, a.kind, a.to, a.detail) < std::tie(b.from, b.kind, b.to, b.detail);
  });
  first_.assign(static_cast<std::size_t>(nodes_) + 1, static_cast<int>(edges_.size()));
  for (int i = static_cast<int>(edges_.size()) - 1; i >= 0; --i) first_[edges_[i].from] = i;
  for (int node = nodes_ - 1; node >= 0; --node) first_[node] = std::min(first_[node], first_[node + 1]);
}

// Tarjan's algorithm with its own stack.
std::vector<int> PrecedenceGraph::components(EdgeKinds kinds) const {
  constexpr int kNew = -1;
  std::vector<int> number(nodes_, kNew), low(nodes_, 0), component(nodes_, -1), next(first_.begin(), first_.end() - 1);
  std::vector<bool> open(nodes_, false);
  std::vector<int> path, stack;
  int count = 0, found = 0;
  for (int root = 0; root < nodes_; ++root) {
    if (number[root] != kNew) continue;
    path.push_back(root);
    while (!path.empty()) {
      const int node = path.back();
      if (number[node] == kNew) {
        number[node] = low[node] = count++;
        open[node] = true;
        stack.push_back(node);
      }
      bool descended = false;
      for (int& e = next[node]; e < first_[node + 1]; ++e) {
        if ((bit(edges_[e].kind) & kinds) == 0) continue;
        const int to = edges_[e].to;
        if (number[to] == kNew) {
          path.push_back(to);
          descended = true;
          break;
        }
        if (open[to]) low[node] = std::min(low[node], low[to]);
      }
      if (descended) continue;
      path.pop_back();
      if (low[node] != number[node]) continue;
      const bool alone = stack.back() == node;
      for (int member = -1; member != node;) {
        member = stack.back();
        stack.pop_back();
        open[member] = false;
        component[member] = alone ? -1 : found;
      }
      if (!alone) ++found;
    }
  }
  return component;
}

// Looks for what is short first: that is cheap, for it stays near its start.
std::optional<std::vector<Edge>> PrecedenceGraph::find_cycle(EdgeKind pivot, EdgeKinds rest, std::uint64_t budget,
                                                             bool* spent) const {
  const std::vector<int> component = components(rest | bit(pivot));
  if (std::all_of(component.begin(), component.end(), [](int c) { return c < 0; })) return std::nullopt;
  for (const int longest : {2, 3, 4, 6, 10, nodes_ + 1}) {
    std::uint64_t left = budget;
    Search search{*this,
                  component,
                  rest,
                  std::vector<int>(nodes_, -1),
                  std::vector<int>(nodes_, -1),
                  std::vector<int>(nodes_, 0)};
    std::optional<std::vector<Edge>> best;
    for (int p = 0; p < static_cast<int>(edges_.size()) && left > 0; ++p) {
      const Edge& start = edges_[p];
      if (start.kind != pivot || component[start.from] < 0 || component[start.from] != component[start.to]) continue;
      auto cycle = search.around(p, best ? static_cast<int>(best->size()) - 1 : longest, &left);
      if (cycle) best = std::move(cycle);
      if (best && best->size() <= 2) return best;
    }
    *spent |= left == 0;
    if (best) return best;
  }
  return std::nullopt;
}

// A shortest path from the end of edge p back to its start, p first; with p at most so many edges.
std::optional<std::vector<Edge>> PrecedenceGraph::Search::around(int p, int longest, std::uint64_t* left) {
  const Edge& start = graph.edges_[p];
  std::deque<int> queue = {start.to};
  reached[start.to] = p;
  distance[start.to] = 1;
  while (!queue.empty()) {
    const int node = queue.front();
    queue.pop_front();
    if (distance[node] >= longest) return std::nullopt;
    for (int e = graph.first_[node]; e < graph.first_[node + 1]; ++e) {
      if (*left > 0) --*left;
      const Edge& edge = graph.edges_[e];
      if ((bit(edge.kind) & rest) == 0 || reached[edge.to] == p || component[edge.to] != component[node]) continue;
      reached[edge.to] = p;
      came_by[edge.to] = e;
      distance[edge.to] = distance[node] + 1;
      queue.push_back(edge.to);
      if (edge.to != start.from) continue;
      std::vector<Edge> cycle;
      for (int at = start.from; at != start.to; at = graph.edges_[came_by[at]].from) {
        cycle.push_back(graph.edges_[came_by[at]]);
      }
      cycle.push_back(start);
      std::reverse(cycle.begin(), cycle.end());
      return cycle;
    }
  }
  return std::nullopt;
}

void add_realtime(const std::vector<const Operation*>& operations, const std::vector<int>& nodes,
                  const std::vector<bool>& may_be_early, PrecedenceGraph* graph) {
  struct Point {
    std::uint64_t position;
    std::size_t operation;
    bool call;
  };
  std::vector<Point> points;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (nodes[i] < 0) continue;
    points.push_back({operations[i]->called, i, true});
    if (operations[i]->returned != Operation::kNever) points.push_back({operations[i]->returned, i, false});
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.position < b.position; });
  std::vector<std::size_t> frontier;  // returned, and followed by none that has returned
  for (const Point& point : points) {
    const std::size_t i = point.operation;
    if (point.call) {
      if (may_be_early[i]) continue;
      for (const std::size_t before : frontier) graph->add({nodes[before], nodes[i], EdgeKind::kRealtime});
    } else {
      if (!may_be_early[i]) {
        std::erase_if(frontier, [&](std::size_t b) { return operations[b]->returned < operations[i]->called; });
      }
      frontier.push_back(i);
    }
  }
}

}  // namespace meridian::check
