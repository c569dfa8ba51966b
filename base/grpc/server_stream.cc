#include "base/grpc/server_stream.h"

#include <utility>

#include <fmt/format.h>

#include "base/grpc/metadata.h"

namespace meridian::link {

namespace {

// Handled before others have their turn on the loop: of one batch, millions may come.
constexpr int kSliceFrames = 1'024;
// An answer of this size leaves at once, and is counted.
constexpr std::size_t kLargeAnswer = 64u << 10;

}  // namespace

ServerStream::ServerStream(std::shared_ptr<Dispatcher> dispatcher, std::shared_ptr<StreamRegistry> registry)
    : dispatcher_(std::move(dispatcher)),
      registry_(std::move(registry)),
      // The initial metadata counts as a write: another thread's abort() must not finish the stream before it.
      outbox_(dispatcher_->runtime, dispatcher_->options.batch_bytes, /*writing=*/true, dispatcher_->answers),
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
  const StreamRegistry::Admission admission = registry_->accepted(shared_from_this());
  if (admission != StreamRegistry::Admission::kYes) {
    ending_ = admission == StreamRegistry::Admission::kTooMany ? Ending::kTooMany : Ending::kDraining;
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
  std::unique_ptr<InBatch> batch = InBatch::parse(std::move(*incoming_.mutable_frames()), /*calls_only=*/true);
  if (!batch) {
    reads_over_ = true;
    return end_now(Ending::kMalformed);
  }
  const std::size_t bytes = batch->bytes();
  const bool posted = dispatcher_->gate->post(
      [self = shared_from_this(), batch = std::move(batch)]() mutable { self->take(std::move(batch)); });
  if (!posted) return end_now(Ending::kDraining);
  if (intake_.read_on(bytes, outbox_.waiting_bytes())) read();
}

void ServerStream::on_written(bool ok) {
  if (ok || reads_over_) {
    if (!ok) outbox_.end_now();
    act(outbox_.written(outgoing_.mutable_frames()));
    if (stalled_) dispatcher_->gate->post([self = shared_from_this()] { self->resume_if_read(); });
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
    case Ending::kTooMany:
      status = grpc::Status(grpc::RESOURCE_EXHAUSTED,
                            fmt::format("{} streams are open; more are refused", dispatcher_->options.max_streams));
      break;
  }
  stream_.Finish(status, finish_op_.start(shared_from_this()));
}

void ServerStream::on_finished(bool) {
  dispatcher_->gate->post([self = shared_from_this()] {
    if (self->sender_) self->sender_->close();
    self->inbox_.clear();
  });
  registry_->ended(*this);
}

void ServerStream::take(std::unique_ptr<InBatch> batch) {
  batch->arrived = dispatcher_->runtime.now();
  inbox_.push_back(std::move(batch));
  if (!dispatch_posted_ && !stalled_) dispatch();
}

void ServerStream::dispatch() {
  while (dispatch_slice()) {
    if (dispatcher_->closed) return;
    if (!leaves_answers_unread()) return dispatch_later();
    stalled_ = true;
    // Written meanwhile, by a thread that had not seen that: nobody else will say so.
    if (leaves_answers_unread()) return;
    stalled_ = false;
  }
  end_if_drained();
}

void ServerStream::dispatch_later() {
  dispatch_posted_ = true;
  dispatcher_->runtime.post([self = shared_from_this()] {
    self->dispatch_posted_ = false;
    self->dispatch();
  });
}

// False: nothing is left.
bool ServerStream::dispatch_slice() {
  for (int i = 0; i < kSliceFrames && !inbox_.empty() && !dispatcher_->closed && !leaves_answers_unread(); ++i) {
    if (const std::optional<InFrame> frame = inbox_.front()->next()) {
      dispatch_frame(*frame, inbox_.front()->arrived);
      continue;
    }
    after_this_pass(dispatcher_->runtime, [self = shared_from_this(), bytes = inbox_.front()->bytes()] {
      self->intake_.resume(bytes, self->outbox_.waiting_bytes(), [&] { self->read(); });
    });
    inbox_.pop_front();
  }
  // Answers given at once need not wait for the end of the loop's pass.
  if (sender_ && !dispatcher_->closed) sender_->flush();
  return !inbox_.empty();
}

bool ServerStream::leaves_answers_unread() const {
  return outbox_.held_bytes() + (sender_ ? sender_->waiting_bytes() : 0) > dispatcher_->options.intake_bytes;
}

void ServerStream::resume_if_read() {
  if (!leaves_answers_unread() && stalled_.exchange(false)) dispatch();
}

void ServerStream::dispatch_frame(const InFrame& frame, MonoTime arrived) {
  IncomingCall call{.payload = std::string(frame.payload), .trace = std::string(frame.trace)};
  if (frame.remaining_us != 0) {
    call.deadline = arrived + Duration(std::min<std::uint64_t>(frame.remaining_us, std::uint64_t{1} << 52));
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
  const std::size_t gathered = sender_ ? sender_->waiting_bytes() : 0;
  const AnswerBudget& answers = *dispatcher_->answers;
  if (result && !(answers.admits(result->size(), gathered) &&
                  answers.admits_of_one(result->size(), outbox_.held_bytes() + gathered))) {
    result = fail(answers.refusal(result->size()));
  }
  OutFrame frame{.id = id, .kind = result ? FrameKind::kAnswer : FrameKind::kError};
  frame.payload = result ? std::move(*result) : encode_error(result.error());
  if (!sender_) {
    sender_ = std::make_shared<Sender>(dispatcher_->runtime, [weak = weak_from_this()](std::vector<OutFrame>& frames) {
      const std::shared_ptr<ServerStream> self = weak.lock();
      if (!self) return;
      if (self->outbox_.push(frames)) self->act(self->outbox_.next(self->outgoing_.mutable_frames()));
      if (self->stalled_) self->dispatcher_->runtime.post([self] { self->resume_if_read(); });
      self->end_if_drained();
    });
  }
  const auto& delay = dispatcher_->options.answer_delay;
  const bool large = frame.payload.size() >= kLargeAnswer;
  sender_->send(std::move(frame), delay ? delay(zone_) : Duration::zero());
  if (large) sender_->flush();
}

void ServerStream::drain() {
  if (!dispatcher_->gate->post([self = shared_from_this()] { self->drain_on_loop(Ending::kDraining); })) abort();
}

void ServerStream::drain_on_loop(Ending why) {
  if (!std::exchange(draining_, true)) ending_ = why;
  end_if_drained();
}

void ServerStream::end_if_drained() {
  if (!draining_ || unanswered_ > 0 || !inbox_.empty() || (sender_ && !sender_->empty())) return;
  outbox_.end_when_empty();
  act(outbox_.next(outgoing_.mutable_frames()));
}

}  // namespace meridian::link
