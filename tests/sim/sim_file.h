// A file system in memory with the crash semantics of a real one, one per simulated node, living on across
// the node's incarnations. Single-threaded; every choice comes from the random function handed in.
//
// What a power loss leaves: of each file what was synced, and of the rest nothing, all, or a torn part in
// which some bytes may be zeros or garbage; an unsynced truncation happened or not. Creations, removals and
// renames whose directory was not synced each happened or not, in any combination, also for files that
// were synced themselves. Files that were open, and locks, are gone for their holders. A file that was reserved may
// end in zeros.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"

namespace meridian {

class SimFileSystem final : public FileSystem {
 public:
  enum class Operation { kOpen, kAppend, kRead, kSync, kTruncate, kRemove, kRename, kSyncDirectory };
  // Called before each operation; an error that it returns is the operation's, which has no effect then,
  // except that after a failed sync what was not durable never becomes so, as on Linux.
  using Injector = std::function<std::optional<Error>(Operation, const std::string& path)>;

  explicit SimFileSystem(std::function<std::uint64_t()> random);
  ~SimFileSystem() override;

  void crash();  // power loss
  void kill();   // the process alone: everything written stays, holders are gone
  // Of all files together; an append over it writes what fits and fails with kDiskFull.
  void set_capacity(std::optional<std::uint64_t> bytes) { capacity_ = bytes; }
  void set_injector(Injector injector) { injector_ = std::move(injector); }
  void fail_next_syncs(int count) { failing_syncs_ = count; }
  // As a disk does it: durable at once, noticed by nobody. Requires: offset is inside the file.
  void flip_bit(const std::string& path, std::uint64_t offset, int bit);

  std::uint64_t used_bytes() const;
  std::uint64_t file_size(const std::string& path) const;  // 0: no such file
  std::uint64_t syncs() const { return syncs_; }

  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Result<bool> exists(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& directory) const override;
  Result<> create_directories(const std::string& directory) override;
  Result<> remove(const std::string& path) override;
  Result<> remove_all(const std::string& directory) override;
  Result<> rename(const std::string& from, const std::string& to) override;
  Result<> sync_directory(const std::string& directory) override;
  Result<std::uint64_t> free_bytes(const std::string& directory) const override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

 private:
  struct Inode;
  class Handle;
  class Lock;
  using InodePtr = std::shared_ptr<Inode>;
  using Tree = std::map<std::string, InodePtr>;
  // One atomic change of one directory: each name gets the inode, or is removed where it is null.
  struct Change {
    std::string directory;
    std::vector<std::pair<std::string, InodePtr>> names;
  };

  void drop_holders();
  std::optional<Error> injected(Operation operation, const std::string& path) const;
  void change(const std::string& directory, std::vector<std::pair<std::string, InodePtr>> names);
  static void carry_out(Tree& tree, const Change& change);
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  void lose(Inode& inode);
  void shorten(Inode& inode);
  void garble(std::string& data, std::uint64_t from);

  std::function<std::uint64_t()> random_;
  Injector injector_;
  std::optional<std::uint64_t> capacity_;
  int failing_syncs_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t generation_ = 1;  // of the holders of files and locks; raised by crash and kill
  Tree tree_;
  Tree durable_;                  // what the directories say on disk
  std::vector<Change> unsynced_;  // durable_ with all of these is tree_
  std::set<std::string> directories_;
  std::set<std::string> locks_;
};

}  // namespace meridian
