// The small HTTP side of a process: /metrics, /livez, /readyz. One request per connection. Two threads of its own, asleep
// while nobody asks: one for all sockets, which never waits and answers /livez by itself, and one for the handlers.
//
// Whatever others do, /livez is answered: a connection has kRequestTime for all of its request, however it trickles in,
// and where more than kMaxConnections are open the oldest is closed for the newest.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace meridian::server {

class HttpServer {
 public:
  // All are called on the handlers' thread, one at a time.
  struct Handlers {
    std::function<std::string()> metrics;
    // What keeps it from serving; empty: it is ready.
    std::function<std::string()> not_ready;
  };
  static constexpr std::chrono::seconds kRequestTime{2};
  static constexpr std::chrono::seconds kAnswerTime{10};
  static constexpr std::size_t kMaxConnections = 128;

  // kFailedPrecondition where the address cannot be listened on, naming it and the flag to change.
  static Result<std::unique_ptr<HttpServer>> start(const std::string& address, Handlers handlers);
  // Stops and joins; waits for a handler that is running, and for no peer.
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
};

}  // namespace meridian::server
