#include "base/grpc/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace meridian::link {

namespace {

std::atomic<std::uint64_t> connections_refused{0};

constexpr int kBacklog = 4'096;
// After an error of accept(): what it lacks may be there again.
constexpr int kPauseMs = 100;
constexpr std::chrono::seconds kBetweenWarnings{10};

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

// A socket that listens there, or -1 with errno.
int listen_on(const addrinfo& where, std::uint16_t port) {
  sockaddr_storage address{};
  memcpy(&address, where.ai_addr, where.ai_addrlen);
  auto& in4 = reinterpret_cast<sockaddr_in&>(address);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
  (where.ai_family == AF_INET6 ? in6.sin6_port : in4.sin_port) = htons(port);
  const int fd = socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // connections inherit it
  if (where.ai_family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), where.ai_addrlen) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
}

}  // namespace

std::uint64_t Listener::refused() { return connections_refused; }

int Listener::reserved_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 64;
  return static_cast<int>(std::clamp<rlim_t>(limit.rlim_cur / 4, 32, 1'024));
}

Result<std::unique_ptr<Listener>> Listener::listen(const Address& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return fail(ErrorCode::kFailedPrecondition, fmt::format("cannot listen on {}: {}", address, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  std::unique_ptr<Listener> listener(new Listener());
  listener->port_ = static_cast<std::uint16_t>(std::stoi(port));
  int error = 0;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    const int fd = listen_on(*a, listener->port_);
    if (fd < 0) {
      error = errno;
      if (error == EADDRINUSE) break;  // on one of its addresses somebody else would be reached
      continue;
    }
    listener->sockets_.push_back(fd);
    if (listener->port_ == 0) listener->port_ = port_of(fd);
  }
  if (listener->sockets_.empty() || error == EADDRINUSE) {
    return fail(ErrorCode::kFailedPrecondition, fmt::format("cannot listen on {}: {}", address, strerror(error)));
  }
  return listener;
}

Listener::~Listener() {
  stop();
  for (const int fd : sockets_) close(fd);
}

void Listener::start(Take take) {
  take_ = std::move(take);
  wake_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "listener");
}

void Listener::stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  thread_.join();
  close(std::exchange(wake_, -1));
}

void Listener::run() {
  std::vector<pollfd> polled{{wake_, POLLIN, 0}};
  for (const int fd : sockets_) polled.push_back({fd, POLLIN, 0});
  for (;;) {
    poll(polled.data(), polled.size(), -1);
    if (polled[0].revents != 0) return;
    bool all_well = true;
    for (std::size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents != 0) all_well = accept_all(polled[i].fd) && all_well;
    }
    if (!all_well && poll(polled.data(), 1, kPauseMs) > 0) return;
  }
}

// False: it cannot accept now.
bool Listener::accept_all(int listener) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t most = limit.rlim_cur - static_cast<rlim_t>(reserved_descriptors());
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0) return errno == EAGAIN;
    // The lowest that is free: so many are in use.
    if (static_cast<rlim_t>(fd) < most) {
      take_(listener, fd);
      continue;
    }
    close(fd);
    ++connections_refused;
    static std::atomic<std::chrono::steady_clock::time_point> last_warning{};
    const auto now = std::chrono::steady_clock::now();
    if (now - last_warning.load() < kBetweenWarnings && last_warning.load() != decltype(now){}) continue;
    last_warning = now;
    LOG_WARNING("connections are refused: too few open files are allowed; raise ulimit -n",
                {{"limit", std::uint64_t{limit.rlim_cur}}, {"kept_for_others", reserved_descriptors()}});
  }
}

}  // namespace meridian::link
