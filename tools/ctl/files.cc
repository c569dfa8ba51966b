#include "tools/ctl/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <xxhash.h>

namespace meridian::ctl {

namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;

FileProblem unreadable(const std::string& name) {
  return {fmt::format("{} cannot be read: {}", name, std::strerror(errno)), errno == ENOENT};
}

}  // namespace

std::variant<std::string, FileProblem> read_descriptor(int file, const std::string& name, std::size_t max_bytes) {
  std::string bytes;
  for (;;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kChunk);
    const ssize_t n = ::read(file, bytes.data() + before, kChunk);
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(name);
    if (n == 0) return bytes;
    if (bytes.size() > max_bytes)
      return FileProblem{fmt::format("{} has more than {} bytes, which is the limit", name, max_bytes)};
  }
}

std::variant<std::string, FileProblem> read_file(const std::string& path, std::size_t max_bytes) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unreadable(path);
  auto bytes = read_descriptor(file, path, max_bytes);
  ::close(file);
  return bytes;
}

std::string whole_path(const std::string& path) {
  std::error_code unknown;
  const auto absolute = std::filesystem::absolute(path, unknown);
  return unknown ? path : absolute.lexically_normal().string();
}

struct PrefixDigest::State {
  State() { XXH3_128bits_reset(xxh); }
  ~State() { XXH3_freeState(xxh); }
  XXH3_state_t* const xxh = XXH3_createState();
};

PrefixDigest::PrefixDigest() : state_(std::make_unique<State>()) {}

PrefixDigest::~PrefixDigest() {
  if (file_ >= 0) ::close(file_);
}

std::optional<std::string> PrefixDigest::open(const std::string& path) {
  path_ = path;
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // or the other end of a pipe is waited for
  if (file_ < 0) return unreadable(path).message;
  struct stat what{};
  if (::fstat(file_, &what) != 0) return unreadable(path).message;
  if (!S_ISREG(what.st_mode)) return fmt::format("{} is no regular file", path);
  return std::nullopt;
}

std::optional<std::string> PrefixDigest::extend(std::uint64_t offset) {
  std::string chunk(kChunk, '\0');
  while (at_ < offset) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, offset - at_));
    const ssize_t n = ::pread(file_, chunk.data(), wanted, static_cast<off_t>(at_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(path_).message;
    if (n == 0) return fmt::format("{} ends after {} bytes, before byte {}", path_, at_, offset);
    XXH3_128bits_update(state_->xxh, chunk.data(), static_cast<std::size_t>(n));
    at_ += static_cast<std::uint64_t>(n);
  }
  return std::nullopt;
}

std::string PrefixDigest::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::optional<std::uint64_t> PrefixDigest::file_size() const {
  struct stat what{};
  if (file_ < 0 || ::fstat(file_, &what) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(what.st_size);
}

}  // namespace meridian::ctl
