// How far an import or export has come, in a small JSON file, so that it can go on after an error. The
// file is replaced as a whole (write, fsync, rename): after a crash it holds one state or the one before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace meridian::ctl {

struct Checkpoint {
  std::string work;             // what would have to be the same to go on: command, file, format, columns, ...
  std::uint64_t offset = 0;     // bytes of the file: everything before is acknowledged (import) or written (export)
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

// A new one where there is no file; or what is wrong: unreadable, or of other work.
std::variant<Checkpoint, std::string> load_checkpoint(const std::string& path, const std::string& work);
// What went wrong.
std::optional<std::string> save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

}  // namespace meridian::ctl
