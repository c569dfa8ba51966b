#include "tests/sim/sim_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace meridian {

// Invariant: what the disk holds is data[0, clean) followed by durable_tail.
struct SimFileSystem::Inode {
  std::string data;  // what readers see
  std::uint64_t clean = 0;
  std::string durable_tail;  // only after a truncation that is not synced yet
  std::uint64_t reserved = 0;  // zeros up to here follow the data, for whoever opens the file after a restart
  // A sync of these ranges failed: the page cache calls them clean, the disk never gets them.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> lost;
};

class SimFileSystem::Handle final : public File {
 public:
  Handle(SimFileSystem& fs, InodePtr inode, std::string path)
      : fs_(fs), inode_(std::move(inode)), path_(std::move(path)), generation_(fs.generation_) {}

  Result<> append(std::string_view bytes) override {
    RETURN_IF_ERROR(check(Operation::kAppend));
    if (fs_.capacity_) {
      const std::uint64_t used = fs_.used_bytes();
      const std::uint64_t own = inode_->reserved - std::min<std::uint64_t>(inode_->reserved, inode_->data.size());
      const std::uint64_t room = (*fs_.capacity_ > used ? *fs_.capacity_ - used : 0) + own;
      if (bytes.size() > room) {
        inode_->data.append(bytes.substr(0, room));
        return fail(ErrorCode::kDiskFull, fmt::format("cannot write {}: no space left", path_));
      }
    }
    inode_->data.append(bytes);
    return {};
  }

  Result<std::string> read(std::uint64_t offset, std::size_t n) const override {
    RETURN_IF_ERROR(check(Operation::kRead));
    if (offset >= inode_->data.size()) return std::string();
    return inode_->data.substr(offset, n);
  }

  Result<> sync() override {
    auto checked = check(Operation::kSync);
    if (checked && fs_.failing_syncs_ > 0) {
      --fs_.failing_syncs_;
      checked = fail(ErrorCode::kIo, fmt::format("cannot sync {}: input/output error", path_));
    }
    if (!checked && generation_ == fs_.generation_ && inode_->clean < inode_->data.size()) {
      inode_->lost.emplace_back(inode_->clean, inode_->data.size());
    }
    if (!checked) return checked;
    ++fs_.syncs_;
    inode_->clean = inode_->data.size();
    inode_->durable_tail.clear();
    return {};
  }

  Result<> truncate(std::uint64_t size) override {
    RETURN_IF_ERROR(check(Operation::kTruncate));
    if (size < inode_->clean) {
      inode_->durable_tail.insert(0, inode_->data, size, inode_->clean - size);
      inode_->clean = size;
    }
    inode_->data.resize(size);
    inode_->reserved = 0;
    std::erase_if(inode_->lost, [&](const auto& range) { return range.first >= size; });
    return {};
  }

  void reserve(std::uint64_t bytes) override {
    if (generation_ != fs_.generation_ || bytes <= std::max<std::uint64_t>(inode_->data.size(), inode_->reserved)) return;
    if (fs_.capacity_ && fs_.used_bytes() + bytes > *fs_.capacity_) return;
    inode_->reserved = bytes;
  }

  Result<std::uint64_t> size() const override {
    RETURN_IF_ERROR(check(Operation::kRead));
    return inode_->data.size();
  }

 private:
  Result<> check(Operation operation) const {
    if (generation_ != fs_.generation_) return fail(ErrorCode::kIo, fmt::format("{}: opened before a crash", path_));
    if (auto error = fs_.injected(operation, path_)) return fail(*std::move(error));
    return {};
  }

  SimFileSystem& fs_;
  InodePtr inode_;
  std::string path_;
  std::uint64_t generation_;
};

class SimFileSystem::Lock final : public FileLock {
 public:
  Lock(SimFileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)), generation_(fs.generation_) {}
  ~Lock() override {
    if (generation_ == fs_.generation_) fs_.locks_.erase(path_);
  }

 private:
  SimFileSystem& fs_;
  std::string path_;
  std::uint64_t generation_;
};

SimFileSystem::SimFileSystem(std::function<std::uint64_t()> random) : random_(std::move(random)) {
  directories_.insert({".", "/"});
}
SimFileSystem::~SimFileSystem() = default;

std::optional<Error> SimFileSystem::injected(Operation operation, const std::string& path) const {
  return injector_ ? injector_(operation, path) : std::nullopt;
}

void SimFileSystem::drop_holders() {
  ++generation_;
  locks_.clear();
}

void SimFileSystem::kill() {
  drop_holders();
  for (const auto& [path, inode] : tree_) {
    const bool synced = inode->clean == inode->data.size();
    inode->data.resize(std::max<std::uint64_t>(inode->data.size(), inode->reserved));
    inode->reserved = 0;
    if (synced) inode->clean = inode->data.size();  // zeros do not turn into anything else
  }
}

void SimFileSystem::crash() {
  drop_holders();
  std::vector<std::string> being_removed;
  for (const Change& change : unsynced_) {
    const bool removal = change.names.size() == 1 && change.names.front().second == nullptr;
    if (below(2) == 0) {
      carry_out(durable_, change);
    } else if (removal) {
      being_removed.push_back(change.names.front().first);
    }
  }
  unsynced_.clear();
  tree_ = durable_;
  for (const auto& [path, inode] : tree_) lose(*inode);
  for (const std::string& path : being_removed) {
    if (const auto found = tree_.find(path); found != tree_.end()) shorten(*found->second);
  }
}

// Its removal had begun.
void SimFileSystem::shorten(Inode& inode) {
  if (inode.data.size() <= kFrontBytes) return;
  inode.data.resize(kFrontBytes + below(inode.data.size() - kFrontBytes + 1));
  inode.clean = inode.data.size();
}

// Decides what of a file's unsynced changes the disk got.
void SimFileSystem::lose(Inode& inode) {
  const std::uint64_t synced = inode.clean;
  const bool dirty = inode.data.size() != synced || !inode.durable_tail.empty();
  for (const auto& [from, to] : inode.lost) {
    const std::uint64_t end = std::min<std::uint64_t>(to, inode.data.size());
    if (from < end)
      std::fill(inode.data.begin() + static_cast<std::ptrdiff_t>(from),
                inode.data.begin() + static_cast<std::ptrdiff_t>(end), '\0');
  }
  if (dirty) {
    switch (below(4)) {
      case 0: inode.data = inode.data.substr(0, synced) + inode.durable_tail; break;
      case 1: break;
      case 2: inode.data.resize(synced + below(inode.data.size() - synced + 1)); break;
      default: inode.data.resize(synced + below(inode.data.size() - synced + 1)); garble(inode.data, synced);
    }
  }
  // What was reserved is on disk, too, or not.
  if (inode.reserved > inode.data.size() && below(2) == 0) inode.data.resize(inode.reserved);
  inode.reserved = 0;
  inode.clean = inode.data.size();
  inode.durable_tail.clear();
  inode.lost.clear();
}

// Pages reach a disk in any order: zeros or garbage somewhere, or zeros to the end where only the size got there.
void SimFileSystem::garble(std::string& data, std::uint64_t from) {
  if (data.size() <= from) return;
  const std::uint64_t start = from + below(data.size() - from);
  std::uint64_t end = std::min<std::uint64_t>(data.size(), start + 1 + below(4096));
  const std::uint64_t kind = below(3);
  if (kind == 0) end = data.size();
  for (std::uint64_t i = start; i < end; ++i) data[i] = kind == 2 ? static_cast<char>(below(256)) : '\0';
}

void SimFileSystem::flip_bit(const std::string& path, std::uint64_t offset, int bit) {
  const auto found = tree_.find(path);
  CHECK_F(found != tree_.end() && offset < found->second->data.size(), "no byte {} in {}", offset, path);
  found->second->data[offset] = static_cast<char>(found->second->data[offset] ^ (1 << bit));
}

std::uint64_t SimFileSystem::used_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, inode] : tree_) bytes += std::max<std::uint64_t>(inode->data.size(), inode->reserved);
  return bytes;
}

std::uint64_t SimFileSystem::file_size(const std::string& path) const {
  const auto found = tree_.find(path);
  return found == tree_.end() ? 0 : found->second->data.size();
}

void SimFileSystem::change(const std::string& directory, std::vector<std::pair<std::string, InodePtr>> names) {
  unsynced_.push_back({directory, std::move(names)});
  carry_out(tree_, unsynced_.back());
}

void SimFileSystem::carry_out(Tree& tree, const Change& change) {
  for (const auto& [path, inode] : change.names) {
    if (inode) {
      tree[path] = inode;
    } else {
      tree.erase(path);
    }
  }
}

Result<std::unique_ptr<File>> SimFileSystem::open(const std::string& path, Open how) {
  if (auto error = injected(Operation::kOpen, path)) return fail(*std::move(error));
  auto found = tree_.find(path);
  if (found != tree_.end() && how == Open::kCreateNew) {
    return fail(ErrorCode::kAlreadyExists, fmt::format("cannot open {}: file exists", path));
  }
  if (found == tree_.end()) {
    const std::string parent = parent_directory(path);
    if (how == Open::kExisting || !directories_.contains(parent)) {
      return fail(ErrorCode::kNotFound, fmt::format("cannot open {}: no such file or directory", path));
    }
    if (capacity_ && used_bytes() >= *capacity_) {
      return fail(ErrorCode::kDiskFull, fmt::format("cannot open {}: no space left", path));
    }
    change(parent, {{path, std::make_shared<Inode>()}});
    found = tree_.find(path);
  }
  return std::make_unique<Handle>(*this, found->second, path);
}

Result<bool> SimFileSystem::exists(const std::string& path) const {
  return tree_.contains(path) || directories_.contains(path);
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& directory) const {
  if (!directories_.contains(directory)) {
    return fail(ErrorCode::kNotFound, fmt::format("cannot list {}: no such directory", directory));
  }
  std::vector<std::string> names;
  const auto add = [&](const std::string& path) {
    if (path != directory && path != "." && parent_directory(path) == directory) {
      names.push_back(path.substr(path.find_last_of('/') + 1));
    }
  };
  for (const auto& [path, inode] : tree_) add(path);
  for (const std::string& path : directories_) add(path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<> SimFileSystem::create_directories(const std::string& directory) {
  if (tree_.contains(directory)) {
    return fail(ErrorCode::kAlreadyExists, fmt::format("cannot create {}: file exists", directory));
  }
  if (!directories_.insert(directory).second) return {};
  return create_directories(parent_directory(directory));
}

Result<> SimFileSystem::remove(const std::string& path) {
  if (auto error = injected(Operation::kRemove, path)) return fail(*std::move(error));
  if (!tree_.contains(path)) return fail(ErrorCode::kNotFound, fmt::format("cannot remove {}: no such file", path));
  change(parent_directory(path), {{path, nullptr}});
  return {};
}

Result<> SimFileSystem::remove_all(const std::string& directory) {
  const std::string prefix = directory + "/";
  std::vector<std::string> paths;
  for (const auto& [path, inode] : tree_) {
    if (path == directory || path.starts_with(prefix)) paths.push_back(path);
  }
  for (const std::string& path : paths) RETURN_IF_ERROR(remove(path));
  std::erase_if(directories_, [&](const std::string& path) { return path == directory || path.starts_with(prefix); });
  return {};
}

Result<> SimFileSystem::rename(const std::string& from, const std::string& to) {
  if (auto error = injected(Operation::kRename, from)) return fail(*std::move(error));
  const auto found = tree_.find(from);
  if (found == tree_.end()) return fail(ErrorCode::kNotFound, fmt::format("cannot rename {}: no such file", from));
  CHECK_F(parent_directory(from) == parent_directory(to), "a rename from {} to another directory, {}", from, to);
  if (from != to) change(parent_directory(to), {{to, found->second}, {from, nullptr}});
  return {};
}

Result<std::uint64_t> SimFileSystem::free_bytes(const std::string&) const {
  return capacity_ ? *capacity_ - std::min(*capacity_, used_bytes()) : std::uint64_t{1} << 40;
}

Result<> SimFileSystem::sync_directory(const std::string& directory) {
  if (auto error = injected(Operation::kSyncDirectory, directory)) return fail(*std::move(error));
  ++syncs_;
  std::erase_if(unsynced_, [&](const Change& change) {
    if (change.directory != directory) return false;
    carry_out(durable_, change);
    return true;
  });
  return {};
}

Result<std::unique_ptr<FileLock>> SimFileSystem::lock(const std::string& path) {
  if (!locks_.insert(path).second) {
    return fail(ErrorCode::kFailedPrecondition, fmt::format("{} is held by this process", path));
  }
  return std::make_unique<Lock>(*this, path);
}

}  // namespace meridian
