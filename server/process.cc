#include "server/process.h"

#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>

#include "base/log.h"

namespace meridian::server {

namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

struct Socket {
  explicit Socket(int fd) : fd(fd) {}
  ~Socket() {
    if (fd >= 0) close(fd);
  }
  Socket(const Socket&) = delete;
  int fd;
};

std::uint16_t port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
}

}  // namespace

MonoTime process_now() {
  return MonoTime(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

void take_over_signals() {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

ProcessEvent wait_for_event(std::optional<Duration> timeout) {
  const sigset_t set = handled_signals();
  for (;;) {
    int signal = 0;
    if (timeout) {
      timespec time{.tv_sec = timeout->count() / 1'000'000, .tv_nsec = timeout->count() % 1'000'000 * 1000};
      signal = sigtimedwait(&set, nullptr, &time);
    } else {
      signal = sigwaitinfo(&set, nullptr);
    }
    if (signal == SIGCHLD) return ProcessEvent::kChildEnded;
    if (signal == SIGHUP) return ProcessEvent::kHangUp;
    if (signal > 0) return ProcessEvent::kTerminate;
    if (errno == EAGAIN) return ProcessEvent::kTimeout;
  }
}

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096) {
    LOG_WARNING("few open files are allowed; raise ulimit -n", {{"limit", limit.rlim_cur}});
  }
}

void end_with_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) kill(getpid(), SIGTERM);  // it died before
}

Result<std::uint16_t> probe_listen(const std::string& address, const std::string& flag) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const std::string port = address.substr(colon + 1);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return fail(ErrorCode::kFailedPrecondition, fmt::format("cannot listen on {} ({}): {}; choose another with {}",
                                                            address, host, gai_strerror(error), flag));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  const Socket socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(socket.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  // Only listen() tells: with SO_REUSEADDR two may bind.
  if (bind(socket.fd, found->ai_addr, found->ai_addrlen) != 0 || listen(socket.fd, 1) != 0) {
    const std::string why = errno == EADDRINUSE ? "port " + port + " is in use by another process" : strerror(errno);
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("cannot listen on {}: {}; choose another with {}", address, why, flag));
  }
  return port_of(socket.fd);
}

Result<pid_t> start_child(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  std::string program = "meridian";
  argv.push_back(program.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  const sigset_t handled = handled_signals();
  posix_spawnattr_setsigdefault(&attributes, &handled);
  // A group of its own: Ctrl-C in the terminal reaches the parent only, which ends its children in order.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", nullptr, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(ErrorCode::kInternal, fmt::format("cannot start a process: {}", strerror(error)));
  return pid;
}

std::optional<EndedChild> reap_child() {
  int status = 0;
  const pid_t pid = waitpid(-1, &status, WNOHANG);
  if (pid <= 0) return std::nullopt;
  if (WIFSIGNALED(status)) {
    return EndedChild{pid, fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))};
  }
  return EndedChild{pid, fmt::format("exit code {}", WEXITSTATUS(status))};
}

}  // namespace meridian::server
