// The small HTTP side of a process: /metrics, /livez, /readyz. Two threads of its own, asleep while
// nobody asks; one request per connection, so that a silent peer cannot hold a thread for long.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace meridian::server {

class HttpServer {
 public:
  // All are called on the server's threads.
  struct Handlers {
    std::function<std::string()> metrics;
    // What keeps it from serving; empty: it is ready.
    std::function<std::string()> not_ready;
  };

  // kFailedPrecondition where the address cannot be listened on, naming it and the flag to change.
  static Result<std::unique_ptr<HttpServer>> start(const std::string& address, Handlers handlers);
  virtual ~HttpServer() = default;  // stops and joins
  virtual std::uint16_t port() const = 0;
};

}  // namespace meridian::server
