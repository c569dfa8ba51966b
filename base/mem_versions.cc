#include "base/mem_versions.h"

#include <algorithm>

#include "base/check.h"

namespace meridian {

namespace {

std::uint64_t size_of(const std::optional<std::string>& value) { return value ? value->size() : 0; }

}  // namespace

const std::string* VersionedMap::visible(const Chain& chain, Number as_of) {
  for (auto version = chain.rbegin(); version != chain.rend(); ++version) {
    if (version->number <= as_of) return version->value ? &*version->value : nullptr;
  }
  return nullptr;
}

const std::string* VersionedMap::surviving(const Chain& chain, Number survivor) {
  for (auto version = chain.rbegin(); version != chain.rend(); ++version) {
    if (version->number <= survivor || version->ingested) return version->value ? &*version->value : nullptr;
  }
  return nullptr;
}

std::pair<VersionedMap::Chains::iterator, VersionedMap::Chains::iterator> VersionedMap::bounds(const std::string& start,
                                                                                               const std::string& end) {
  if (!end.empty() && end <= start) return {chains_.end(), chains_.end()};
  return {chains_.lower_bound(start), end.empty() ? chains_.end() : chains_.lower_bound(end)};
}

void VersionedMap::add(Chains::iterator at, Version version) {
  Chain& chain = at->second;
  bytes_ += size_of(version.value);
  if (!chain.empty() && chain.back().number == version.number) {
    bytes_ -= size_of(chain.back().value);
    chain.back() = std::move(version);
  } else {
    chain.push_back(std::move(version));
  }
  // One of several versions has been noted already, and stays so until a flush leaves one.
  if (chain.size() == 2 || !chain.back().value) dirty_.insert(at->first);
}

void VersionedMap::add(std::string_view key, std::optional<std::string> value) {
  auto at = chains_.lower_bound(key);
  if (at == chains_.end() || at->first != key) {
    if (!value) return;
    at = chains_.emplace_hint(at, std::string(key), Chain());
    bytes_ += key.size();
  }
  add(at, {last_, false, std::move(value)});
}

void VersionedMap::remove_range(const std::string& start, const std::string& end) {
  auto [at, stop] = bounds(start, end);
  for (; at != stop; ++at) {
    if (at->second.back().value) add(at, {last_, false, std::nullopt});
  }
}

void VersionedMap::apply(const WriteBatch& batch) {
  ++last_;
  for (const auto& op : batch.ops()) {
    switch (op.kind) {
      case WriteBatch::Op::Kind::kPut: add(op.key, op.value); break;
      case WriteBatch::Op::Kind::kDelete: add(op.key, std::nullopt); break;
      case WriteBatch::Op::Kind::kDeleteRange: remove_range(op.key, op.value); break;
    }
  }
}

void VersionedMap::ingest(const std::vector<KeyRange>& ranges, const std::map<std::string, std::string>& contents) {
  ++last_;
  for (const auto& range : ranges) {
    // A key that is deleted already is deleted once more: its deletion may not survive a crash, ours will.
    auto [at, stop] = bounds(range.start, range.end);
    for (; at != stop; ++at) add(at, {last_, true, std::nullopt});
  }
  for (const auto& [key, value] : contents) {
    const auto [at, inserted] = chains_.try_emplace(key);
    if (inserted) bytes_ += key.size();
    add(at, {last_, true, value});
  }
}

// True if nothing is left of the chain. A deletion at the front says no more than its absence.
bool VersionedMap::prune(Chain& chain) {
  const Number floor = pins_.empty() ? flushed_ : std::min(flushed_, *pins_.begin());
  std::size_t kept = 0;  // the newest version that is not newer than the floor
  for (std::size_t i = 0; i < chain.size() && chain[i].number <= floor; ++i) kept = i;
  while (kept < chain.size() && !chain[kept].value) ++kept;
  for (std::size_t i = 0; i < kept; ++i) bytes_ -= size_of(chain[i].value);
  chain.erase(chain.begin(), chain.begin() + static_cast<std::ptrdiff_t>(kept));
  return chain.empty();
}

void VersionedMap::flush() {
  flushed_ = last_;
  for (auto key = dirty_.begin(); key != dirty_.end();) {
    const auto at = chains_.find(*key);
    CHECK(at != chains_.end());
    const bool gone = prune(at->second);
    const bool clean = gone || at->second.size() == 1;
    if (gone) {
      bytes_ -= at->first.size();
      chains_.erase(at);
    }
    key = clean ? dirty_.erase(key) : std::next(key);
  }
}

const std::string* VersionedMap::find(std::string_view key, Number as_of) const {
  const auto at = chains_.find(key);
  return at == chains_.end() ? nullptr : visible(at->second, as_of);
}

const std::string* VersionedMap::find_persisted(std::string_view key) const {
  const auto at = chains_.find(key);
  return at == chains_.end() ? nullptr : surviving(at->second, flushed_);
}

std::optional<VersionedMap::Entry> VersionedMap::first_from(std::string_view key, Number as_of) const {
  for (auto at = chains_.lower_bound(key); at != chains_.end(); ++at) {
    if (const std::string* value = visible(at->second, as_of)) return Entry{&at->first, value};
  }
  return std::nullopt;
}

std::optional<VersionedMap::Entry> VersionedMap::last_before(std::string_view key, Number as_of) const {
  for (auto at = key.empty() ? chains_.end() : chains_.lower_bound(key); at != chains_.begin();) {
    --at;
    if (const std::string* value = visible(at->second, as_of)) return Entry{&at->first, value};
  }
  return std::nullopt;
}

void VersionedMap::pin(Number number) {
  CHECK(number == last_ || pins_.contains(number));
  pins_.insert(number);
}

void VersionedMap::unpin(Number number) {
  const auto pin = pins_.find(number);
  CHECK(pin != pins_.end());
  pins_.erase(pin);
}

VersionedMap VersionedMap::after_crash(Number survivor) const {
  CHECK(flushed_ <= survivor && survivor <= last_);
  VersionedMap left;
  left.last_ = left.flushed_ = last_;
  for (const auto& [key, chain] : chains_) {
    const std::string* value = surviving(chain, survivor);
    if (value == nullptr) continue;
    left.chains_.emplace_hint(left.chains_.end(), key, Chain{{last_, false, *value}});
    left.bytes_ += key.size() + value->size();
  }
  return left;
}

}  // namespace meridian
