// Another gRPC service beside the streams, served from the server's one completion queue: no thread and no
// queue of its own, which in an idle process would only wake up to find nothing.
#pragma once

namespace grpc {
class Service;
class ServerCompletionQueue;
}  // namespace grpc

namespace meridian {

class ExtraService {
 public:
  virtual ~ExtraService() = default;

  virtual grpc::Service* grpc_service() = 0;
  // Accepts calls; the server has started. Tags on the queue are link::Tag.
  virtual void serve(grpc::ServerCompletionQueue* queue) = 0;
  // Ends every call and every new one; the server has shut down, and its grace is over. Idempotent.
  virtual void abort() = 0;
  // Returns when nothing is outstanding on the queue; after abort().
  virtual void wait_for_end() = 0;
};

}  // namespace meridian
