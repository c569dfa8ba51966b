// A node or a proxy with all that is real around it: a thread with its event loop, sockets, disk, HTTP.
// Several may live in one process (`meridian local`). Used from the main thread; each part's own
// objects live on its loop.
//
//   start:     ports probed ─► loop ─► transport ─► engine, log ─► Node or Proxy ─► gRPC listens ─► HTTP
//   shut_down: not ready ─► leadership handed over, data flushed ─► calls in flight answered ─► loop ends
#pragma once

#include <memory>
#include <string>

#include "base/blocking_pool.h"
#include "base/local_transport.h"
#include "base/transport.h"
#include "server/config.h"

namespace meridian::server {

class Part {
 public:
  virtual ~Part() = default;
  // Where others reach it.
  virtual const Address& address() const = 0;
  // hand_over: leadership goes to another node first; pointless where all end together.
  // Blocks at most about as long as told; what is not flushed by then is replayed from the log at the next start.
  virtual Result<> shut_down(Duration bound, bool hand_over) = 0;
};

class ProxyPart : public Part {
 public:
  // A call of the public API (client/proto/methods.h) to this very proxy. Blocks.
  virtual Result<std::string> call(MethodId method, std::string request, Duration timeout) = 0;
};

// name: for logs and metrics ("n1"); empty where the process is nothing but this part.
// network: for parts of one process, which then speak without sockets; null: there are no others.
Result<std::unique_ptr<Part>> start_node(NodeConfig config, std::shared_ptr<BlockingPool> pool,
                                         const std::string& name = "", std::shared_ptr<LocalNetwork> network = nullptr);
Result<std::unique_ptr<ProxyPart>> start_proxy(ProxyConfig config, std::shared_ptr<BlockingPool> pool,
                                               const std::string& name = "",
                                               std::shared_ptr<LocalNetwork> network = nullptr);

}  // namespace meridian::server
