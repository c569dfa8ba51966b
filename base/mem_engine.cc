#include "base/mem_engine.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/fault.h"
#include "base/mem_versions.h"

namespace meridian {

namespace {

// An exported file: magic, (key, value)*, the number of keys, xxh3 of all that.
constexpr std::string_view kMagic = "MEMX0001";
constexpr std::size_t kTrailerBytes = 16;
constexpr std::size_t kExportFileBytes = 1 << 20;

bool contains(const KeyRange& range, std::string_view key) {
  return key >= range.start && (range.end.empty() || key < range.end);
}

Result<> write_export(FileSystem& fs, const std::string& path, std::string contents, std::uint64_t keys) {
  put_big_endian(contents, keys);
  put_big_endian(contents, static_cast<std::uint64_t>(XXH3_64bits(contents.data(), contents.size())));
  ASSIGN_OR_RETURN(const auto file, fs.open(path, FileSystem::Open::kCreateNew));
  RETURN_IF_ERROR(file->append(contents));
  return file->sync();
}

Result<> read_export(FileSystem& fs, const std::string& path, std::map<std::string, std::string>& out) {
  const auto corrupt = [&](std::string_view what) {
    return fail(ErrorCode::kCorruption, fmt::format("{} is not an export: {}", path, what));
  };
  ASSIGN_OR_RETURN(const auto file, fs.open(path, FileSystem::Open::kExisting));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->size());
  ASSIGN_OR_RETURN(const std::string contents, file->read(0, size));
  if (contents.size() < kMagic.size() + kTrailerBytes || !contents.starts_with(kMagic)) return corrupt("too short");
  const std::string_view view = contents;
  ByteReader trailer(view.substr(view.size() - kTrailerBytes));
  const auto keys = trailer.big_endian<std::uint64_t>();
  const auto checksum = trailer.big_endian<std::uint64_t>();
  if (XXH3_64bits(view.data(), view.size() - 8) != checksum) return corrupt("wrong checksum");
  ByteReader body(view.substr(kMagic.size(), view.size() - kMagic.size() - kTrailerBytes));
  for (std::uint64_t i = 0; i < keys && body.ok(); ++i) {
    std::string key(body.string());
    out[std::move(key)] = std::string(body.string());
  }
  if (!body.ok() || !body.at_end()) return corrupt("wrong number of keys");
  return {};
}

}  // namespace

struct MemEngine::State {
  std::mutex mutex;
  VersionedMap map;
};

class MemEngine::Snapshot final : public EngineSnapshot {
 public:
  explicit Snapshot(std::shared_ptr<State> state) : state_(std::move(state)) {
    const std::lock_guard lock(state_->mutex);
    number_ = state_->map.last();
    state_->map.pin(number_);
  }
  ~Snapshot() override {
    const std::lock_guard lock(state_->mutex);
    state_->map.unpin(number_);
  }
  const std::shared_ptr<State>& state() const { return state_; }
  VersionedMap::Number number() const { return number_; }

 private:
  std::shared_ptr<State> state_;
  VersionedMap::Number number_;
};

// Finds its place by key at every step, since a flush may prune what it stood on.
class MemEngine::Iterator final : public EngineIterator {
 public:
  Iterator(std::shared_ptr<State> state, std::optional<VersionedMap::Number> as_of, KeyRange range, MayBlock may_block)
      : state_(std::move(state)), range_(std::move(range)), may_block_(may_block) {
    const std::lock_guard lock(state_->mutex);
    as_of_ = as_of.value_or(state_->map.last());
    state_->map.pin(as_of_);
  }
  ~Iterator() override {
    const std::lock_guard lock(state_->mutex);
    state_->map.unpin(as_of_);
  }

  bool valid() const override { return valid_; }
  void seek_to_first() override { forward(range_.start); }
  void seek_to_last() override { backward(range_.end); }
  void seek(std::string_view key) override { forward(std::max(key, std::string_view(range_.start))); }
  void seek_for_previous(std::string_view key) override {
    std::string bound(key);
    bound.push_back('\0');
    if (!range_.end.empty() && range_.end < bound) bound = range_.end;
    backward(bound);
  }
  void next() override {
    CHECK(valid_);
    key_.push_back('\0');
    forward(std::exchange(key_, {}));
  }
  void previous() override {
    CHECK(valid_);
    // The key before the empty key: backward("") would be the end of all keys.
    if (key_.empty())
      valid_ = false;
    else
      backward(std::exchange(key_, {}));
  }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }
  Result<> status() const override {
    if (blocked_) return fail(ErrorCode::kWouldBlock, "simulated: not in memory");
    return {};
  }

 private:
  void forward(std::string_view from) {
    const std::lock_guard lock(state_->mutex);
    stand_on(state_->map.first_from(from, as_of_));
  }
  void backward(std::string_view before) {
    const std::lock_guard lock(state_->mutex);
    stand_on(state_->map.last_before(before, as_of_));
  }
  void stand_on(const std::optional<VersionedMap::Entry>& entry) {
    blocked_ = may_block_ == MayBlock::kNo && BUGGIFY("engine.iterate_would_block");
    valid_ = !blocked_ && entry && contains(range_, *entry->key);
    if (!valid_) return;
    key_ = *entry->key;
    value_ = *entry->value;
  }

  std::shared_ptr<State> state_;
  KeyRange range_;
  MayBlock may_block_;
  VersionedMap::Number as_of_;
  bool valid_ = false;
  bool blocked_ = false;
  std::string key_;
  std::string value_;
};

MemEngine::MemEngine(FileSystem& fs) : fs_(fs), state_(std::make_shared<State>()) {}
MemEngine::~MemEngine() = default;

Result<std::optional<std::string>> MemEngine::get(std::string_view key, const EngineReadOptions& options) {
  if (options.may_block == MayBlock::kNo && BUGGIFY("engine.get_would_block")) {
    return fail(ErrorCode::kWouldBlock, "simulated: not in memory");
  }
  const auto* snapshot = static_cast<const Snapshot*>(options.snapshot);
  State& state = snapshot != nullptr ? *snapshot->state() : *state_;
  const std::lock_guard lock(state.mutex);
  const std::string* value = state.map.find(key, snapshot != nullptr ? snapshot->number() : state.map.last());
  if (value == nullptr) return std::nullopt;
  return *value;
}

Result<std::optional<std::string>> MemEngine::get_persisted(std::string_view key) {
  const std::lock_guard lock(state_->mutex);
  const std::string* value = state_->map.find_persisted(key);
  if (value == nullptr) return std::nullopt;
  return *value;
}

std::unique_ptr<EngineIterator> MemEngine::iterate(KeyRange range, const EngineReadOptions& options) {
  const auto* snapshot = static_cast<const Snapshot*>(options.snapshot);
  if (snapshot == nullptr) {
    return std::make_unique<Iterator>(state_, std::nullopt, std::move(range), options.may_block);
  }
  return std::make_unique<Iterator>(snapshot->state(), snapshot->number(), std::move(range), options.may_block);
}

std::unique_ptr<EngineSnapshot> MemEngine::snapshot() { return std::make_unique<Snapshot>(state_); }

Result<> MemEngine::write(const WriteBatch& batch, MayBlock may_block) {
  if (disk_full_) return fail(ErrorCode::kDiskFull, "simulated: the disk is full");
  if (may_block == MayBlock::kNo && BUGGIFY("engine.write_would_block")) {
    return fail(ErrorCode::kWouldBlock, "simulated: writes are stalled");
  }
  const std::lock_guard lock(state_->mutex);
  state_->map.apply(batch);
  if (BUGGIFY("engine.flush_by_itself")) state_->map.flush();
  return {};
}

Result<> MemEngine::flush() {
  if (disk_full_) return fail(ErrorCode::kDiskFull, "simulated: the disk is full");
  const std::lock_guard lock(state_->mutex);
  state_->map.flush();
  return {};
}

Result<ExportedFiles> MemEngine::export_ranges(const std::vector<KeyRange>& ranges, const EngineSnapshot& snapshot,
                                               const std::string& directory) {
  if (disk_full_) return fail(ErrorCode::kDiskFull, "simulated: the disk is full");
  const std::size_t file_bytes = BUGGIFY("engine.small_export_files") ? 256 : kExportFileBytes;
  ExportedFiles out;
  std::string contents(kMagic);
  std::uint64_t keys = 0;
  const auto finish_file = [&]() -> Result<> {
    std::string path = fmt::format("{}/{:06}.mem", directory, out.paths.size());
    out.bytes += contents.size() + kTrailerBytes;
    out.keys += keys;
    RETURN_IF_ERROR(write_export(fs_, path, std::exchange(contents, std::string(kMagic)), std::exchange(keys, 0)));
    out.paths.push_back(std::move(path));
    return {};
  };
  for (const auto& range : ranges) {
    const auto it = iterate(range, {.may_block = MayBlock::kYes, .snapshot = &snapshot});
    for (it->seek_to_first(); it->valid(); it->next()) {
      put_string(contents, it->key());
      put_string(contents, it->value());
      ++keys;
      if (contents.size() >= file_bytes) RETURN_IF_ERROR(finish_file());
    }
  }
  if (keys > 0) RETURN_IF_ERROR(finish_file());
  return out;
}

Result<> MemEngine::ingest(const std::vector<KeyRange>& ranges, const std::vector<std::string>& paths,
                           const std::vector<std::pair<std::string, std::string>>& overrides, const std::string&) {
  if (disk_full_) return fail(ErrorCode::kDiskFull, "simulated: the disk is full");
  std::map<std::string, std::string> contents;
  for (const auto& path : paths) RETURN_IF_ERROR(read_export(fs_, path, contents));
  for (const auto& [key, value] : contents) {
    if (std::none_of(ranges.begin(), ranges.end(), [&](const KeyRange& range) { return contains(range, key); })) {
      return fail(ErrorCode::kCorruption, "an ingested file holds a key outside of the ranges");
    }
  }
  for (const auto& [key, value] : overrides) contents[key] = value;
  {
    const std::lock_guard lock(state_->mutex);
    state_->map.ingest(ranges, contents);
  }
  for (const auto& path : paths) RETURN_IF_ERROR(fs_.remove(path));
  return {};
}

EngineStats MemEngine::stats() const {
  const std::lock_guard lock(state_->mutex);
  return {.disk_bytes = state_->map.bytes(), .memory_bytes = state_->map.bytes()};
}

void MemEngine::crash(const std::function<std::uint64_t()>& random) {
  auto left = std::make_shared<State>();
  {
    const std::lock_guard lock(state_->mutex);
    const VersionedMap& map = state_->map;
    VersionedMap::Number survivor = map.flushed();
    if (random() % 4 == 0) survivor += random() % (map.last() - map.flushed() + 1);
    left->map = map.after_crash(survivor);
  }
  state_ = std::move(left);
}

}  // namespace meridian
