#include "base/grpc/server_stream.h"

#include <utility>

#include <fmt/format.h>

#include "base/grpc/metadata.h"

namespace meridian::link {

namespace {

bool only_calls(const InBatch& batch) {
  for (const InFrame& frame : batch.frames) {
    if (frame.kind != FrameKind::kRequest && frame.kind != FrameKind::kOneWay) return false;
  }
  return true;
}

}  // namespace

ServerStream::ServerStream(std::shared_ptr<Dispatcher> dispatcher, std::shared_ptr<StreamRegistry> registry)
    : dispatcher_(std::move(dispatcher)),
      registry_(std::move(registry)),
      // The initial metadata counts as a write: another thread's abort() must not finish the stream before it.
      outbox_(dispatcher_->runtime, dispatcher_->options.batch_bytes, /*writing=*/true),
      intake_(dispatcher_->options.intake_bytes) {}

void ServerStream::accept(Link::AsyncService& service, grpc::ServerCompletionQueue* queue) {
  service.RequestOpen(&context_, &stream_, queue, queue, accept_op_.start(shared_from_this()));
}

void ServerStream::on_accepted(bool ok) {
  if (!ok) return registry_->refused();
  const auto& metadata = context_.client_metadata();
  if (const auto zone = metadata.find(kZoneKey); zone != metadata.end()) {
    zone_.assign(zone->second.data(), zone->second.size());
  }
  if (!registry_->accepted(shared_from_this())) {
    ending_ = Ending::kDraining;
    outbox_.end_now();
    return act(outbox_.written(outgoing_.mutable_frames()));
  }
  context_.AddInitialMetadata(kVersionKey, kVersion);
  stream_.SendInitialMetadata(metadata_op_.start(shared_from_this()));
}

void ServerStream::on_metadata_sent(bool ok) {
  if (ok) {
    outbox_.open();
    read();
  } else {
    reads_over_ = true;
    outbox_.end_now();
  }
  act(outbox_.written(outgoing_.mutable_frames()));
}

void ServerStream::read() { stream_.Read(&incoming_, read_op_.start(shared_from_this())); }

void ServerStream::on_read(bool ok) {
  if (!ok) {
    reads_over_ = true;
    if (write_failed_) {
      outbox_.end_now();
      return act(outbox_.written(outgoing_.mutable_frames()));
    }
    // The peer may have closed its side only: it still gets its answers. If it is gone, writing them will fail.
    if (!dispatcher_->gate->post([self = shared_from_this()] { self->drain_on_loop(Ending::kPeerClosed); })) {
      end_now(Ending::kPeerClosed);
    }
    return;
  }
  std::unique_ptr<InBatch> batch = InBatch::parse(std::move(*incoming_.mutable_frames()));
  if (!batch || !only_calls(*batch)) {
    reads_over_ = true;
    return end_now(Ending::kMalformed);
  }
  const std::size_t bytes = batch->bytes.size();
  const bool posted = dispatcher_->gate->post([self = shared_from_this(), bytes, batch = std::move(batch)] {
    self->dispatch(*batch);
    after_this_pass(self->dispatcher_->runtime, [self, bytes] {
      self->intake_.resume(bytes, self->outbox_.waiting_bytes(), [&] { self->read(); });
    });
  });
  if (!posted) return end_now(Ending::kDraining);
  if (intake_.read_on(bytes, outbox_.waiting_bytes())) read();
}

void ServerStream::on_written(bool ok) {
  if (ok || reads_over_) {
    if (!ok) outbox_.end_now();
    act(outbox_.written(outgoing_.mutable_frames()));
    if (!reads_over_) intake_.resume(0, outbox_.waiting_bytes(), [this] { read(); });
    return;
  }
  write_failed_ = true;
  context_.TryCancel();
  if (intake_.close()) read();
}

void ServerStream::end_now(Ending why) {
  ending_ = why;
  outbox_.end_now();
  act(outbox_.next(outgoing_.mutable_frames()));
}

void ServerStream::abort() {
  context_.TryCancel();
  if (intake_.close()) read();  // which fails, and lets a write that fails, too, end the stream
  end_now(Ending::kDraining);
}

void ServerStream::act(Outbox::Next next) {
  switch (next) {
    case Outbox::Next::kNothing: return;
    case Outbox::Next::kWrite: return stream_.Write(outgoing_, write_op_.start(shared_from_this()));
    case Outbox::Next::kEnd: break;
  }
  grpc::Status status;
  switch (ending_.load()) {
    case Ending::kPeerClosed: break;
    case Ending::kDraining: status = grpc::Status(grpc::UNAVAILABLE, "the peer is shutting down"); break;
    case Ending::kMalformed: status = grpc::Status(grpc::INVALID_ARGUMENT, "malformed frame"); break;
  }
  stream_.Finish(status, finish_op_.start(shared_from_this()));
}

void ServerStream::on_finished(bool) {
  dispatcher_->gate->post([self = shared_from_this()] {
    if (self->sender_) self->sender_->close();
  });
  registry_->ended(*this);
}

void ServerStream::dispatch(const InBatch& batch) {
  const MonoTime now = dispatcher_->runtime.now();
  for (const InFrame& frame : batch.frames) {
    if (dispatcher_->closed) return;
    dispatch_frame(frame, now);
  }
  // Answers given at once need not wait for the end of the loop's pass.
  if (sender_) sender_->flush();
}

void ServerStream::dispatch_frame(const InFrame& frame, MonoTime now) {
  IncomingCall call{.payload = std::string(frame.payload), .trace = std::string(frame.trace)};
  if (frame.remaining_us != 0) {
    call.deadline = now + Duration(std::min<std::uint64_t>(frame.remaining_us, std::uint64_t{1} << 52));
  }
  if (frame.kind == FrameKind::kRequest) {
    ++unanswered_;
    call.respond = Responder([self = shared_from_this(), id = frame.id](Result<std::string> result) {
      self->answer(id, std::move(result));
    });
    if (draining_) return call.respond(fail(ErrorCode::kUnavailable, "the peer is shutting down"));
  }
  const auto handler = dispatcher_->handlers.find(frame.method);
  if (handler == dispatcher_->handlers.end()) {
    return call.respond(fail(ErrorCode::kUnimplemented, fmt::format("unknown method {}", frame.method)));
  }
  handler->second(std::move(call));
}

void ServerStream::answer(std::uint64_t id, Result<std::string> result) {
  if (dispatcher_->closed) return;
  --unanswered_;
  if (result && result->size() > dispatcher_->options.frame_bytes) {
    result = fail(ErrorCode::kInternal, fmt::format("an answer of {} bytes; the limit is {}", result->size(),
                                                    dispatcher_->options.frame_bytes));
  }
  OutFrame frame{.id = id, .kind = result ? FrameKind::kAnswer : FrameKind::kError};
  frame.payload = result ? std::move(*result) : encode_error(result.error());
  if (!sender_) {
    sender_ = std::make_shared<Sender>(dispatcher_->runtime, [weak = weak_from_this()](std::vector<OutFrame>& frames) {
      const std::shared_ptr<ServerStream> self = weak.lock();
      if (!self) return;
      if (self->outbox_.push(frames)) self->act(self->outbox_.next(self->outgoing_.mutable_frames()));
      self->end_if_drained();
    });
  }
  const auto& delay = dispatcher_->options.answer_delay;
  sender_->send(std::move(frame), delay ? delay(zone_) : Duration::zero());
}

void ServerStream::drain() {
  if (!dispatcher_->gate->post([self = shared_from_this()] { self->drain_on_loop(Ending::kDraining); })) abort();
}

void ServerStream::drain_on_loop(Ending why) {
  if (!std::exchange(draining_, true)) ending_ = why;
  end_if_drained();
}

void ServerStream::end_if_drained() {
  if (!draining_ || unanswered_ > 0 || (sender_ && !sender_->empty())) return;
  outbox_.end_when_empty();
  act(outbox_.next(outgoing_.mutable_frames()));
}

}  // namespace meridian::link
