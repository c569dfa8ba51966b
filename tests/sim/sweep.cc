#include "tests/sim/sweep.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"

namespace meridian::sim {

namespace {

struct Child {
  std::uint64_t seed;
  pid_t pid;
  int output;  // its standard output and error
  std::string text;
};

Child start(std::uint64_t seed, unsigned timeout_s, const std::function<bool(std::uint64_t)>& job) {
  int fds[2];
  CHECK(pipe(fds) == 0);
  std::fflush(stdout);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    dup2(fds[1], STDOUT_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[0]);
    close(fds[1]);
    alarm(timeout_s);  // SIGALRM ends a seed that hangs
    const bool ok = job(seed);
    std::fflush(stdout);
    std::exit(ok ? 0 : 1);
  }
  close(fds[1]);
  return {seed, pid, fds[0], {}};
}

// True: the child is still there.
bool read_some(Child& child) {
  char buffer[65536];
  const ssize_t n = read(child.output, buffer, sizeof buffer);
  if (n > 0) child.text.append(buffer, static_cast<std::size_t>(n));
  return n > 0;
}

SeedReport conclude(Child& child) {
  close(child.output);
  int status = 0;
  waitpid(child.pid, &status, 0);
  SeedReport report{child.seed, WIFEXITED(status) && WEXITSTATUS(status) == 0, std::move(child.text)};
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    report.text += signal == SIGALRM ? "it took too long\n" : fmt::format("ended by signal {}\n", signal);
  }
  return report;
}

}  // namespace

void sweep(std::uint64_t first, std::uint64_t last, int jobs, unsigned seed_timeout_s,
           const std::function<bool(std::uint64_t)>& job, const std::function<bool(const SeedReport&)>& report) {
  std::vector<Child> running;
  std::uint64_t next = first;
  while (next <= last || !running.empty()) {
    while (next <= last && running.size() < static_cast<std::size_t>(jobs)) {
      running.push_back(start(next++, seed_timeout_s, job));
    }
    std::vector<pollfd> waiting;
    for (const Child& child : running) waiting.push_back({child.output, POLLIN, 0});
    poll(waiting.data(), waiting.size(), -1);
    for (std::size_t i = waiting.size(); i-- > 0;) {
      if (waiting[i].revents == 0 || read_some(running[i])) continue;
      if (!report(conclude(running[i]))) next = last + 1;
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace meridian::sim
