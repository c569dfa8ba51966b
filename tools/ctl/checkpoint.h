// How far an import or export has come, in a small JSON file, so that it can go on after an error. It says what it
// is the state of: the arguments, the cluster, and the bytes of the file that it calls done. Where one of them is
// another, going on would leave out what was never written, and is refused. The file is replaced as a whole (write,
// fsync, rename): after a crash it holds one state or the one before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "tools/ctl/files.h"

namespace meridian::ctl {

struct Checkpoint {
  std::string work;             // what would have to be the same to go on: command, file, format, columns, ...
  std::string cluster;          // its id, 16 hexadecimal digits
  std::uint64_t offset = 0;     // bytes of the file: everything before is acknowledged (import) or written (export)
  std::string digest;           // of these bytes; done: of the whole file
  std::uint64_t line = 1;       // import: the line at offset
  std::uint64_t records = 0;    // before offset
  std::uint64_t skipped = 0;    // bad ones, before offset
  std::uint64_t timestamp = 0;  // export: the snapshot
  std::string last_key;         // export: the last key written
  bool done = false;

  std::string to_json() const;
  // nullopt: not a checkpoint.
  static std::optional<Checkpoint> from_json(const std::string& text);
};

// A new one where there is no file; or what is wrong: unreadable, of other work, or a place where none can be kept
// later. That is tried, for found out at the end it would be too late.
std::variant<Checkpoint, std::string> load_checkpoint(const std::string& path, const std::string& work);
// What went wrong.
std::optional<std::string> save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

// Is the file still the one whose first bytes are done? Reads them; digest, opened on it, stands behind them
// afterwards.
std::optional<std::string> check_file(const Checkpoint& checkpoint, PrefixDigest& digest, const std::string& path,
                                      const std::string& file);
// cluster: the id of the one that answers, at proxies.
std::optional<std::string> check_cluster(const Checkpoint& checkpoint, const std::string& path,
                                         const std::string& cluster, const std::string& proxies);

}  // namespace meridian::ctl
