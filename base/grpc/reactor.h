// gRPC's completion queue as what an EventLoop sleeps in: its thread polls the sockets, handles what has arrived and
// runs the loop, so a message costs one wake-up. Everything gRPC does for one loop, streams out and the server, goes
// through this one queue.
//
// While no loop is attached (it has not begun, it has ended, there is none), a thread of this object's own serves the
// queue, so that streams come to their ends at any time. Completions are therefore never concurrent. (Not gRPC's
// callback API: its two threads sleep for up to 100 ms after an idle second.)
#pragma once

#include <functional>
#include <memory>

#include "base/reactor.h"

namespace grpc {
class CompletionQueue;
class ServerBuilder;
class ServerCompletionQueue;
}  // namespace grpc

namespace meridian {

class GrpcReactor final : public Reactor {
 public:
  // kServesToo: a server is to share the queue.
  enum class Use { kCalls, kServesToo };
  explicit GrpcReactor(Use use = Use::kCalls);
  // Waits for what is outstanding on the queue. Nothing may be started on it any more, and no loop be attached.
  ~GrpcReactor() override;

  void attach() override;
  void detach() override;
  void wait(Duration at_most) override;
  void wake() override;

  grpc::CompletionQueue* queue() { return queue_.get(); }
  // What a server is built with that is to be served by this queue. Null without kServesToo, and from the second time on.
  std::unique_ptr<grpc::ServerBuilder> take_server_builder();
  // The same queue, for that server.
  grpc::ServerCompletionQueue* server_queue() { return server_queue_; }
  // Calls `blocking`, which waits for completions, and has them served meanwhile, whatever thread this is.
  void serve_during(const std::function<void()>& blocking);

 private:
  class Impl;
  std::unique_ptr<grpc::ServerBuilder> builder_;
  grpc::ServerCompletionQueue* server_queue_ = nullptr;
  std::unique_ptr<grpc::CompletionQueue> queue_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
