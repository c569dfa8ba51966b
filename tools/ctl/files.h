// Files as commands meet them: read whole, or known again by a digest of their beginning. What goes wrong is a text
// that names the file; nothing here throws. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace meridian::ctl {

struct FileProblem {
  std::string message;  // "x cannot be read: Is a directory"
  bool missing = false;
};

// Its content. Files beyond max_bytes are refused: what no limit of the cluster can take is not read into memory.
std::variant<std::string, FileProblem> read_file(const std::string& path, std::size_t max_bytes);

// As above, of an open descriptor; name is for messages.
std::variant<std::string, FileProblem> read_descriptor(int file, const std::string& name, std::size_t max_bytes);

// Absolute, without "." and "..".
std::string whole_path(const std::string& path);

// Tells whether a file begins as it did, without keeping what it held (XXH3 of 128 bits: against accidents, not
// against forgers). Grows with the file's part that matters; it never goes back.
class PrefixDigest {
 public:
  PrefixDigest();
  ~PrefixDigest();
  PrefixDigest(const PrefixDigest&) = delete;
  PrefixDigest& operator=(const PrefixDigest&) = delete;

  // What is wrong: it cannot be opened, or is no regular file, which could not be read again.
  std::optional<std::string> open(const std::string& path);
  // Reads on to offset. What is wrong: it cannot be read, or ends before. Requires: open(), and offset >= at().
  std::optional<std::string> extend(std::uint64_t offset);
  std::uint64_t at() const { return at_; }
  // 32 hexadecimal digits, of the bytes before at().
  std::string hex() const;
  // Of the whole file, as it is now.
  std::optional<std::uint64_t> file_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::string path_;
  int file_ = -1;
  std::uint64_t at_ = 0;
};

}  // namespace meridian::ctl
