// Lines to a file descriptor that is somebody else's to read, without ever waiting for them: a pipe that nobody reads, or
// a terminal that is stopped, costs lines and nothing else. Thread-safe.
//
// The descriptor may be shared with other processes, so its flags are not ours to change: a pipe or a terminal is opened a
// second time, not to block there. A file is written as it is: it has no reader to wait for.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace meridian {

class LineOutput {
 public:
  explicit LineOutput(int fd) : fd_(fd) {}
  ~LineOutput();
  LineOutput(const LineOutput&) = delete;
  LineOutput& operator=(const LineOutput&) = delete;

  // The process's standard error. Never destroyed.
  static LineOutput& standard_error();

  // One line, which ends with '\n'. False: nothing of it was written, nor will be. What does not fit at once leaves before
  // the next line.
  bool write(std::string_view line);

 private:
  enum class Kind { kUnknown, kFile, kSocket, kReopened, kPolled };

  void look_at_descriptor();
  std::size_t write_some(std::string_view bytes);

  const int fd_;
  std::mutex mutex_;
  // Guarded by mutex_, all of these.
  Kind kind_ = Kind::kUnknown;
  int reopened_ = -1;
  unsigned long device_ = 0, inode_ = 0;  // of what fd_ was when it was looked at
  std::string rest_;                      // of a line that was begun
};

}  // namespace meridian
