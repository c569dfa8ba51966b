// The Link service of one transport, as a GrpcServer serves it: accepts streams and ends them at shutdown.
// Thread-safe. Outlives the transport as long as a server holds it; its streams are refused then.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <set>

#include "base/grpc/operation.h"
#include "base/grpc/server_stream.h"

namespace meridian::link {

class Service final : public StreamRegistry, public std::enable_shared_from_this<Service> {
 public:
  explicit Service(std::shared_ptr<Dispatcher> dispatcher) : dispatcher_(std::move(dispatcher)) {}

  grpc::Service* grpc_service() { return &service_; }
  std::size_t message_bytes() const { return dispatcher_->options.frame_bytes + dispatcher_->options.batch_bytes; }

  // Accepts streams from a server that has started.
  void serve(grpc::ServerCompletionQueue* queue);
  // Asks every stream to finish its answers and end; true if they all did in time.
  bool drain(Duration grace);
  // Ends every stream, and every new one at once.
  void abort();
  // Returns when no operation is outstanding; after the server's shutdown.
  void wait_for_end() { operations_.wait_for_none(); }

  Admission accepted(const std::shared_ptr<ServerStream>& stream) override;
  void refused() override { operations_.remove(); }
  void ended(ServerStream& stream) override;

 private:
  std::vector<std::shared_ptr<ServerStream>> streams();
  void accept_next();

  const std::shared_ptr<Dispatcher> dispatcher_;
  Link::AsyncService service_;
  grpc::ServerCompletionQueue* queue_ = nullptr;
  StreamCount live_;
  StreamCount operations_;  // live streams and the one that waits for a caller

  std::mutex mutex_;
  std::set<std::shared_ptr<ServerStream>> streams_;  // guarded by mutex_
  bool aborted_ = false;                             // guarded by mutex_
};

}  // namespace meridian::link
