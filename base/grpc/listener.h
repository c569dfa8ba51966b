// The listening sockets of a gRPC server. gRPC's own listener (1.51) stops for ever when a connection finds no file
// descriptor left; and what connections take is missing to whoever opens tables and logs. So connections are accepted here,
// on a thread that is asleep while nobody connects: one that would leave the process too few descriptors is closed at
// once, and when others have gone the next one is taken.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/transport.h"

namespace meridian::link {

class Listener {
 public:
  // On the listener's thread; whoever takes the descriptor closes it.
  using Take = std::function<void(int listener, int connection)>;

  // All addresses of the host. kFailedPrecondition where none can be listened on.
  static Result<std::unique_ptr<Listener>> listen(const Address& address);
  ~Listener();

  std::uint16_t port() const { return port_; }
  // Connections wait in the kernel until then.
  void start(Take take);
  // No connection is taken any more when it returns. Idempotent.
  void stop();

  // Left to what is not a connection.
  static int reserved_descriptors();
  static std::uint64_t refused();  // of the process

 private:
  Listener() = default;
  void run();
  bool accept_all(int listener);

  std::vector<int> sockets_;
  std::uint16_t port_ = 0;
  int wake_ = -1;
  Take take_;
  std::thread thread_;
};

}  // namespace meridian::link
