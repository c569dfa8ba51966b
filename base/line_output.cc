#include "base/line_output.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace meridian {

LineOutput::~LineOutput() {
  if (reopened_ >= 0) close(reopened_);
}

LineOutput& LineOutput::standard_error() {
  static LineOutput* const instance = new LineOutput(STDERR_FILENO);  // other statics may still write
  return *instance;
}

bool LineOutput::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  look_at_descriptor();
  rest_.erase(0, write_some(rest_));
  if (!rest_.empty()) return false;
  const std::size_t written = write_some(line);
  if (written == 0 && !line.empty()) return false;
  rest_.assign(line.substr(written));
  return true;
}

// Each time: somebody may have put another file in its place.
void LineOutput::look_at_descriptor() {
  struct stat now {};
  if (fstat(fd_, &now) != 0) return;
  if (kind_ != Kind::kUnknown && now.st_dev == device_ && now.st_ino == inode_) return;
  device_ = now.st_dev;
  inode_ = now.st_ino;
  rest_.clear();
  if (reopened_ >= 0) close(std::exchange(reopened_, -1));
  kind_ = S_ISSOCK(now.st_mode) ? Kind::kSocket : Kind::kFile;
  if (!S_ISFIFO(now.st_mode) && !S_ISCHR(now.st_mode)) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd_);
  reopened_ = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY | O_CLOEXEC);
  kind_ = reopened_ >= 0 ? Kind::kReopened : Kind::kPolled;
}

std::size_t LineOutput::write_some(std::string_view bytes) {
  if (bytes.empty()) return 0;
  ssize_t written = -1;
  switch (kind_) {
    case Kind::kUnknown: return 0;
    case Kind::kFile: written = ::write(fd_, bytes.data(), bytes.size()); break;
    case Kind::kSocket: written = send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); break;
    case Kind::kReopened: written = ::write(reopened_, bytes.data(), bytes.size()); break;
    case Kind::kPolled: {
      // Another process's terminal, say. So much fits where poll() says that anything does.
      pollfd ready{fd_, POLLOUT, 0};
      if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return 0;
      written = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
      break;
    }
  }
  return written < 0 ? 0 : static_cast<std::size_t>(written);
}

}  // namespace meridian
