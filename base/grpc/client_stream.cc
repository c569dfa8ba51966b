#include "base/grpc/client_stream.h"

#include <utility>

#include <fmt/format.h>

#include "base/grpc/metadata.h"

namespace meridian::link {

ClientStream::ClientStream(Deps deps)
    : deps_(std::move(deps)),
      stub_(Link::NewStub(deps_.channel)),
      outbox_(deps_.runtime, deps_.batch_bytes, /*writing=*/false),
      intake_(deps_.intake_bytes) {}

void ClientStream::start() {
  deps_.count->add();
  if (!deps_.zone.empty()) context_.AddMetadata(kZoneKey, deps_.zone);
  stream_ = stub_->PrepareAsyncOpen(&context_, deps_.queue);
  stream_->StartCall(start_op_.start(shared_from_this()));
}

void ClientStream::push(std::vector<OutFrame>& frames) {
  if (outbox_.push(frames)) act(outbox_.next(outgoing_.mutable_frames()));
}

void ClientStream::abort() {
  context_.TryCancel();
  if (intake_.close()) read();  // which fails, and that is how the end is noticed
}

void ClientStream::on_started(bool ok) {
  if (!ok) return reads_over();
  stream_->ReadInitialMetadata(metadata_op_.start(shared_from_this()));
}

void ClientStream::on_metadata(bool ok) {
  if (ok) {
    const auto& metadata = context_.GetServerInitialMetadata();
    const auto version = metadata.find(kVersionKey);
    // gRPC's own refusals (no such service, ...) arrive as empty metadata.
    ok = version != metadata.end() && version->second == kVersion;
    if (!ok && version != metadata.end()) {
      complaint_ = fmt::format("the peer speaks link version {}, not {}",
                               std::string_view(version->second.data(), version->second.size()), kVersion);
      context_.TryCancel();
    }
  }
  if (!ok) return reads_over();
  outbox_.open();
  deps_.gate->post([self = shared_from_this()] { self->deps_.listener->on_open(*self); });
  read();
  act(outbox_.next(outgoing_.mutable_frames()));
}

void ClientStream::read() { stream_->Read(&incoming_, read_op_.start(shared_from_this())); }

void ClientStream::on_read(bool ok) {
  if (!ok) return reads_over();
  std::unique_ptr<InBatch> batch = InBatch::parse(std::move(*incoming_.mutable_frames()), /*calls_only=*/false);
  if (!batch) {
    complaint_ = "the peer sent a malformed frame";
    context_.TryCancel();
    return reads_over();
  }
  const std::size_t bytes = batch->bytes();
  deps_.gate->post([self = shared_from_this(), bytes, batch = std::move(batch)] {
    self->deps_.listener->on_batch(*self, *batch);
    after_this_pass(self->deps_.runtime, [self, bytes] { self->intake_.resume(bytes, 0, [&] { self->read(); }); });
  });
  if (intake_.read_on(bytes, 0)) read();
}

void ClientStream::on_written(bool ok) {
  if (ok || reads_over_) return act(outbox_.written(outgoing_.mutable_frames()));
  // Ends with the read, which a broken stream ends soon: Finish() comes after it.
  write_failed_ = true;
  context_.TryCancel();
  if (intake_.close()) read();
}

void ClientStream::reads_over() {
  reads_over_ = true;
  outbox_.end_now();
  std::string* batch = outgoing_.mutable_frames();
  if (write_failed_) return act(outbox_.written(batch));
  act(outbox_.next(batch));
}

void ClientStream::act(Outbox::Next next) {
  switch (next) {
    case Outbox::Next::kNothing: return;
    case Outbox::Next::kWrite: return stream_->Write(outgoing_, write_op_.start(shared_from_this()));
    case Outbox::Next::kEnd: return stream_->Finish(&status_, finish_op_.start(shared_from_this()));
  }
}

void ClientStream::on_finished(bool) {
  std::string why = complaint_;
  if (why.empty()) why = status_.error_message();
  if (why.empty()) why = "the peer ended the stream";
  deps_.gate->post([self = shared_from_this(), why = std::move(why)] { self->deps_.listener->on_closed(*self, why); });
  deps_.count->remove();
}

}  // namespace meridian::link
