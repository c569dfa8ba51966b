// One incoming stream, from its acceptance to its end. gRPC's side runs where the queue is served; the loop calls the
// handlers in the order of the frames, a slice of a batch at a time, and not while the peer leaves too many answers
// unread. Owns itself while an operation is outstanding, and is owned by the Responders it has handed out.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include "base/grpc/grpc_transport.h"
#include "base/grpc/intake.h"
#include "base/grpc/link.grpc.pb.h"
#include "base/grpc/loop_gate.h"
#include "base/grpc/outbox.h"
#include "base/grpc/operation.h"
#include "base/grpc/sender.h"

namespace meridian::link {

// What the incoming streams of a transport share. On the loop, but for the gate and what never changes.
struct Dispatcher {
  Runtime& runtime;
  const GrpcTransportOptions options;
  const std::shared_ptr<LoopGate> gate;
  const std::shared_ptr<AnswerBudget> answers;
  std::unordered_map<MethodId, CallHandler> handlers;  // node-based: a handler may add others while it runs
  bool closed = false;                                 // the transport is gone
};

class ServerStream;

// Who accepts streams and knows the live ones. Thread-safe.
class StreamRegistry {
 public:
  virtual ~StreamRegistry() = default;
  enum class Admission { kYes, kEnding, kTooMany };
  virtual Admission accepted(const std::shared_ptr<ServerStream>& stream) = 0;
  virtual void refused() = 0;  // no stream came: the server shuts down
  virtual void ended(ServerStream& stream) = 0;
};

class ServerStream : public std::enable_shared_from_this<ServerStream> {
 public:
  ServerStream(std::shared_ptr<Dispatcher> dispatcher, std::shared_ptr<StreamRegistry> registry);

  // Waits for a caller.
  void accept(Link::AsyncService& service, grpc::ServerCompletionQueue* queue);
  // Refuses new requests, writes the answers that are still to come, and ends. Any thread.
  void drain();
  // Ends now. Any thread.
  void abort();

 private:
  enum class Ending : int { kPeerClosed, kDraining, kMalformed, kTooMany };

  void on_accepted(bool ok);
  void on_metadata_sent(bool ok);
  void on_read(bool ok);
  void on_written(bool ok);
  void on_finished(bool ok);
  void read();
  void act(Outbox::Next next);
  void end_now(Ending why);

  // On the loop.
  void take(std::unique_ptr<InBatch> batch);
  void dispatch();
  void dispatch_later();
  bool dispatch_slice();
  void dispatch_frame(const InFrame& frame, MonoTime arrived);
  bool leaves_answers_unread() const;
  void resume_if_read();
  void answer(std::uint64_t id, Result<std::string> result);
  void drain_on_loop(Ending why);
  void end_if_drained();

  const std::shared_ptr<Dispatcher> dispatcher_;
  const std::shared_ptr<StreamRegistry> registry_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<Batch, Batch> stream_{&context_};
  std::string zone_;
  Outbox outbox_;
  Intake intake_;
  Batch incoming_;
  Batch outgoing_;
  std::atomic<Ending> ending_ = Ending::kPeerClosed;

  // Of whoever serves the queue.
  bool write_failed_ = false;
  bool reads_over_ = false;

  // The answers that the peer has not read are too many: whatever writes them has to wake the loop.
  std::atomic<bool> stalled_ = false;

  // The loop's.
  std::deque<std::unique_ptr<InBatch>> inbox_;
  bool dispatch_posted_ = false;
  std::shared_ptr<Sender> sender_;
  std::uint64_t unanswered_ = 0;
  bool draining_ = false;

  Operation<ServerStream> accept_op_{&ServerStream::on_accepted};
  Operation<ServerStream> metadata_op_{&ServerStream::on_metadata_sent};
  Operation<ServerStream> read_op_{&ServerStream::on_read};
  Operation<ServerStream> write_op_{&ServerStream::on_written};
  Operation<ServerStream> finish_op_{&ServerStream::on_finished};
};

}  // namespace meridian::link
