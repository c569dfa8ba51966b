// A hash map without iteration. Cores use it so that no decision can depend on the order of a hash
// table, which differs between runs; what must be walked is kept in an ordered container.
#pragma once

#include <cstddef>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

namespace meridian {

template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<>>
class LookupMap {
 public:
  template <class K>
  Value* find(const K& key) {
    auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  template <class K>
  const Value* find(const K& key) const {
    auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  template <class K>
  bool contains(const K& key) const {
    return map_.find(key) != map_.end();
  }
  // The value at key, inserted from args if there was none; true if it was inserted.
  template <class... Args>
  std::pair<Value*, bool> try_emplace(const Key& key, Args&&... args) {
    auto [it, inserted] = map_.try_emplace(key, std::forward<Args>(args)...);
    return {&it->second, inserted};
  }
  Value& operator[](const Key& key) { return map_[key]; }
  bool erase(const Key& key) { return map_.erase(key) > 0; }
  void clear() { map_.clear(); }
  std::size_t size() const { return map_.size(); }
  bool empty() const { return map_.empty(); }

 private:
  boost::unordered_flat_map<Key, Value, Hash, Equal> map_;
};

}  // namespace meridian
