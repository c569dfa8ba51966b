// One outgoing stream, from its connection to its end. A new attempt is a new stream with a channel of its own, so
// that gRPC's back-off never delays ours. Owns itself while an operation is outstanding; reports to a listener on the
// loop.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_stream.h>

#include "base/grpc/intake.h"
#include "base/grpc/link.grpc.pb.h"
#include "base/grpc/loop_gate.h"
#include "base/grpc/outbox.h"
#include "base/grpc/operation.h"

namespace meridian::link {

class ClientStream : public std::enable_shared_from_this<ClientStream> {
 public:
  // Called on the loop.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_open(ClientStream& stream) = 0;
    virtual void on_batch(ClientStream& stream, InBatch& batch) = 0;
    // Last. What outbox().last_taken() has not reached was never sent.
    virtual void on_closed(ClientStream& stream, const std::string& why) = 0;
  };

  struct Deps {
    Runtime& runtime;
    std::shared_ptr<LoopGate> gate;
    std::shared_ptr<StreamCount> count;
    grpc::CompletionQueue* queue;
    std::shared_ptr<grpc::Channel> channel;
    std::shared_ptr<Listener> listener;
    std::string zone;
    std::size_t batch_bytes;
    std::size_t intake_bytes;
  };

  explicit ClientStream(Deps deps);
  void start();
  // From the loop.
  void push(std::vector<OutFrame>& frames);
  void abort();

  Outbox& outbox() { return outbox_; }

 private:
  void on_started(bool ok);
  void on_metadata(bool ok);
  void on_read(bool ok);
  void on_written(bool ok);
  void on_finished(bool ok);
  void read();
  void act(Outbox::Next next);
  void reads_over();

  Deps deps_;
  std::unique_ptr<Link::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<Batch, Batch>> stream_;
  Outbox outbox_;
  Intake intake_;
  Batch incoming_;
  Batch outgoing_;
  grpc::Status status_;
  std::string complaint_;  // of ours, about the peer
  // Of whoever serves the queue.
  bool write_failed_ = false;  // and the outbox not told yet
  bool reads_over_ = false;

  Operation<ClientStream> start_op_{&ClientStream::on_started};
  Operation<ClientStream> metadata_op_{&ClientStream::on_metadata};
  Operation<ClientStream> read_op_{&ClientStream::on_read};
  Operation<ClientStream> write_op_{&ClientStream::on_written};
  Operation<ClientStream> finish_op_{&ClientStream::on_finished};
};

}  // namespace meridian::link
