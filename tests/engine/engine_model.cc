#include "tests/engine/engine_model.h"

#include <algorithm>

namespace meridian {

namespace {

void clear(const KeyRange& range, Contents& contents) {
  std::erase_if(contents, [&](const auto& entry) { return contains(range, entry.first); });
}

}  // namespace

Contents restricted(const Contents& contents, const std::vector<KeyRange>& ranges) {
  Contents out;
  for (const auto& entry : contents) {
    if (std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) { return contains(range, entry.first); })) {
      out.insert(entry);
    }
  }
  return out;
}

void EngineModel::apply(const WriteBatch& batch, Contents& contents) {
  for (const auto& op : batch.ops()) {
    switch (op.kind) {
      case WriteBatch::Op::Kind::kPut: contents[op.key] = op.value; break;
      case WriteBatch::Op::Kind::kDelete: contents.erase(op.key); break;
      case WriteBatch::Op::Kind::kDeleteRange: clear({op.key, op.value}, contents); break;
    }
  }
}

void EngineModel::apply(const Ingest& ingest, Contents& contents) {
  for (const auto& range : ingest.ranges) clear(range, contents);
  for (const auto& [key, value] : ingest.contents) contents[key] = value;
}

void EngineModel::write(const WriteBatch& batch) {
  apply(batch, latest_);
  since_flush_.emplace_back(batch);
}

void EngineModel::ingest(const std::vector<KeyRange>& ranges, const Contents& contents) {
  since_flush_.emplace_back(Ingest{ranges, contents});
  apply(std::get<Ingest>(since_flush_.back()), latest_);
}

void EngineModel::flush() {
  flushed_ = latest_;
  since_flush_.clear();
}

std::vector<Contents> EngineModel::survivors() const {
  std::vector<Contents> out;
  Contents prefix = flushed_;
  for (std::size_t n = 0;; ++n) {
    Contents left = prefix;
    for (std::size_t later = n; later < since_flush_.size(); ++later) {
      if (const auto* ingest = std::get_if<Ingest>(&since_flush_[later])) apply(*ingest, left);
    }
    out.push_back(std::move(left));
    if (n == since_flush_.size()) return out;
    std::visit([&](const auto& event) { apply(event, prefix); }, since_flush_[n]);
  }
}

void EngineModel::become(const Contents& left) {
  latest_ = left;
  flush();
}

}  // namespace meridian
