// What a history of transactions over lists says of itself: an append leaves its mark in every later state of the
// list, so a read tells the order of all appends before it (Kingsbury and Alvaro, "Elle", VLDB 2020).
//
// Requires that an element is appended to a key once. The longest list read of a key is taken as the order of its
// versions; every other read must be a beginning of it.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/checkers/finding.h"
#include "tests/checkers/precedence.h"

namespace meridian::check {

class ListHistory {
 public:
  // The operations must outlive this. Of a part of a history, elements that nobody appended are those of
  // transactions that were left out.
  explicit ListHistory(const std::vector<Operation>& operations, bool part = false);

  // What is wrong whatever the order of the transactions:
  //   duplicate-appends    an element is appended twice, so nothing can be inferred
  //   internal             a transaction's own steps contradict each other
  //   duplicate-elements   a list has an element twice
  //   phantom-element      an element that nobody appended was read
  //   G1a                  what an aborted transaction appended was read
  //   G1b                  a state between two appends of a transaction was read
  //   incompatible-order   two reads of a list are not one another's beginning
  Finding check_reads() const;
  //   lost-append          acknowledged, absent from a later read, and never seen by anyone
  Finding check_lost() const;

  // The transactions that have taken effect or may have: the nodes of the graph, in this order.
  const std::vector<const Operation*>& transactions() const { return transactions_; }
  // All nodes: besides, for each key, what stands between its last known state and the appends never seen.
  int nodes() const { return static_cast<int>(transactions_.size() + 2 * keys_.size()); }
  void add_dependencies(PrecedenceGraph* graph);
  // Why `from` precedes `to`: of an edge that add_dependencies added, or of two that meet at a node that is none of
  // the transactions.
  std::string why(const Edge& first, const Edge* second, const std::string& from, const std::string& to) const;

  // The state after which nothing is known, and the place of an element in it, counted from 1; 0: it has none.
  std::size_t known_length(const std::string& key) const;
  std::size_t position(const std::string& key, const std::string& element) const;

 private:
  struct Append {
    const Operation* source = nullptr;
    int node = -1;      // -1: it failed
    bool last = false;  // of its transaction to that key
    bool twice = false;
    std::size_t position = 0;
  };
  struct Key {
    int number = 0;
    std::unordered_map<std::string, Append> appends;
    std::vector<std::pair<int, const std::string*>> unseen;  // acknowledged: node and element
    const std::vector<std::string>* longest = nullptr;
    const Operation* reader = nullptr;  // who read that
  };
  struct Note {
    const std::string* key;
    const std::string* before;  // element; null: the empty list
    const std::string* after;   // element; null: any that was never seen
  };
  using List = std::vector<std::string>;

  template <class Each>
  void each_read(Each each) const;
  Finding check_read(const Operation& o, const MicroOp& op) const;
  Finding check_internal(const Operation& o) const;
  Finding check_order(const Operation& o, const MicroOp& op) const;
  // How many elements the read saw that its own transaction had not appended before it.
  std::size_t external_length(const Operation& o, std::size_t step) const;
  void add_version_order(const std::string& name, const Key& key, PrecedenceGraph* graph);
  void add_unseen(const std::string& name, const Key& key, Edge edge, const std::string* last, PrecedenceGraph* graph);
  void add_reads(int node, const Operation& o, PrecedenceGraph* graph);
  std::int32_t note(const std::string* key, const std::string* before, const std::string* after);
  int writer(const Key& key, const std::string& element) const;
  int unseen_after_read(const Key& key) const { return static_cast<int>(transactions_.size()) + 2 * key.number; }
  int unseen_after_write(const Key& key) const { return unseen_after_read(key) + 1; }

  const bool part_;
  std::vector<const Operation*> committed_;  // ok
  std::vector<const Operation*> transactions_;
  std::unordered_map<std::string, Key> keys_;
  std::vector<Note> notes_;
  Finding malformed_;
};

}  // namespace meridian::check
