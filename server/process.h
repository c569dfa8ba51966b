// What belongs to the operating system's process: signals, limits, ports, children. Main thread only.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace meridian::server {

// Exit codes of the daemon.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

// The monotonic clock, for the main thread, which has no Runtime.
MonoTime process_now();

enum class ProcessEvent { kTerminate, kHangUp, kChildEnded, kTimeout };

// Blocks SIGTERM, SIGINT, SIGHUP and SIGCHLD in this thread and all it will start, so that wait_for_event()
// alone receives them; ignores SIGPIPE. Before any other thread exists.
void take_over_signals();
// Sleeps until a signal comes (or the time has passed).
ProcessEvent wait_for_event(std::optional<Duration> timeout);

// As many open files as the system lets us have: RocksDB and sockets need them.
void raise_file_limit();

// Ends with the parent: SIGTERM when it dies (also by SIGKILL). Nothing if it is dead already.
void end_with_parent(pid_t parent);

// Is this address free to listen on? Answers the port (one that is free, for port 0).
// kFailedPrecondition otherwise, naming the address and the flag that changes it.
Result<std::uint16_t> probe_listen(const std::string& address, const std::string& flag);

// Starts this same program with other arguments; default signal handling, standard streams shared.
Result<pid_t> start_child(const std::vector<std::string>& arguments);
struct EndedChild {
  pid_t pid = 0;
  std::string how;  // "exit code 1", "signal 9 (Killed)"
};
// A child that has ended since; nullopt: none.
std::optional<EndedChild> reap_child();

}  // namespace meridian::server
