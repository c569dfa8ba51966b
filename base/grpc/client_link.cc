#include "base/grpc/client_link.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

namespace meridian::link {

namespace {

// Deadlines that lie this close together share a sweep over the calls in flight.
constexpr Duration kDeadlineGrain = std::chrono::milliseconds(1);
constexpr std::uint32_t kBusyRetryMs = 10;
constexpr char kExpiredUnsent[] = "the deadline passed before it was sent";

int milliseconds(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

std::shared_ptr<grpc::Channel> make_channel(const Address& to, const GrpcTransportOptions& options) {
  grpc::ChannelArguments args;
  // A connection per stream: a snapshot must not stand in the way of a heartbeat.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, milliseconds(options.connect_timeout));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(options.keepalive));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(options.keepalive_timeout));
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  const int message_bytes = static_cast<int>(options.frame_bytes + options.batch_bytes);
  args.SetMaxReceiveMessageSize(message_bytes);
  args.SetMaxSendMessageSize(message_bytes);
  auto credentials = options.credentials ? options.credentials : grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel(to, credentials, args);
}

}  // namespace

ClientLink::ClientLink(const LinkDeps& deps, Address to, Priority priority)
    : deps_(deps), to_(std::move(to)), priority_(priority) {
  sender_ = std::make_shared<Sender>(deps_.runtime, [this](std::vector<OutFrame>& frames) {
    if (stream_) stream_->push(frames);
  });
}

void ClientLink::call(MethodId method, std::string request, CallOptions options, ResponseCallback done) {
  OutFrame frame{
      .deadline = options.deadline, .method = method, .trace = std::move(options.trace), .payload = std::move(request)};
  if (Result<> admitted = admit(frame); !admitted) return finish_later(std::move(done), std::move(admitted).error());
  frame.id = ++last_id_;
  pending_.emplace(frame.id, Pending{std::move(done), frame.deadline, std::move(options.late), options.late_until});
  watch_deadline(frame.deadline);
  enqueue(std::move(frame));
}

void ClientLink::send(MethodId method, std::string message, CallOptions options) {
  OutFrame frame{.deadline = options.deadline,
                 .method = method,
                 .kind = FrameKind::kOneWay,
                 .trace = std::move(options.trace),
                 .payload = std::move(message)};
  if (!admit(frame)) return;
  frame.id = ++last_id_;
  enqueue(std::move(frame));
}

Result<> ClientLink::admit(const OutFrame& frame) {
  const std::size_t size = frame.payload.size() + frame.trace.size();
  if (size > deps_.options.frame_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("message of {} bytes; the limit is {}", size, deps_.options.frame_bytes));
  }
  const MonoTime now = deps_.runtime.now();
  if (frame.deadline <= now) return fail(ErrorCode::kDeadlineExceeded, kExpiredUnsent);
  if (stream_) {
    const std::size_t waiting = sender_->waiting_bytes() + stream_->outbox().waiting_bytes();
    if (waiting + frame.size() > deps_.options.queue_bytes) {
      return fail(Error(ErrorCode::kBusy, fmt::format("{} bytes wait to be sent to {}; the limit is {}", waiting, to_,
                                                      deps_.options.queue_bytes))
                      .with_retry_after(kBusyRetryMs));
    }
    return {};
  }
  if (now < retry_at_) {
    return fail(ErrorCode::kUnavailable, fmt::format("no connection to {}: {}", to_, last_failure_));
  }
  open_stream();
  return {};
}

void ClientLink::enqueue(OutFrame frame) {
  const Duration delay = deps_.options.request_delay ? deps_.options.request_delay(to_) : Duration::zero();
  sender_->send(std::move(frame), delay);
}

void ClientLink::open_stream() {
  stream_open_ = false;
  stream_ = std::make_shared<ClientStream>(ClientStream::Deps{
      .runtime = deps_.runtime,
      .gate = deps_.gate,
      .count = deps_.count,
      .queue = deps_.queue,
      .channel = make_channel(to_, deps_.options),
      .listener = shared_from_this(),
      .zone = deps_.options.zone,
      .batch_bytes = deps_.options.batch_bytes,
      .intake_bytes = deps_.options.intake_bytes,
  });
  stream_->start();
  // Also for a peer that accepts connections and then says nothing.
  connect_timer_ = deps_.runtime.after(deps_.options.connect_timeout, [self = shared_from_this()] {
    self->connect_timer_ = 0;
    if (self->stream_ && !self->stream_open_) self->stream_->abort();
  });
}

void ClientLink::on_open(ClientStream& stream) {
  if (stream_.get() != &stream) return;
  stream_open_ = true;
  backoff_ = Duration::zero();
  deps_.runtime.cancel(std::exchange(connect_timer_, 0));
}

void ClientLink::on_batch(ClientStream&, InBatch& batch) {
  while (const std::optional<InFrame> frame = batch.next()) {
    if (closed_) return;
    switch (frame->kind) {
      case FrameKind::kAnswer: finish(frame->id, std::string(frame->payload)); break;
      case FrameKind::kError: finish(frame->id, fail(decode_error(frame->payload))); break;
      case FrameKind::kRequest:
      case FrameKind::kOneWay: break;  // a later version's acceptor may call back; this one does not listen
    }
  }
}

void ClientLink::finish(std::uint64_t id, Result<std::string> result) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;  // too late: its caller has been told
  Pending call = std::move(found->second);
  pending_.erase(found);
  if (call.done) return call.done(std::move(result));
  if (result) call.late(std::move(*result));
}

// It may have been received: its caller is told so, and hears of a late answer if that is wanted.
void ClientLink::give_up_waiting(std::uint64_t id, MonoTime now) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  Error error(ErrorCode::kUnknownOutcome, fmt::format("no answer from {} by the deadline", to_));
  Pending& call = found->second;
  if (!call.done || !call.late || call.late_until <= now) return finish(id, fail(std::move(error)));
  call.deadline = call.late_until;
  watch_deadline(call.deadline);
  std::exchange(call.done, nullptr)(fail(std::move(error)));
}

void ClientLink::finish_later(ResponseCallback done, Error error) {
  deps_.runtime.post([self = shared_from_this(), done = std::move(done), error = std::move(error)]() mutable {
    if (!self->closed_) done(fail(std::move(error)));
  });
}

void ClientLink::on_closed(ClientStream& stream, const std::string& why) {
  if (stream_.get() != &stream) return;
  const std::shared_ptr<ClientStream> ended = std::move(stream_);
  stream_ = nullptr;
  deps_.runtime.cancel(std::exchange(connect_timer_, 0));
  sender_->clear();
  // A peer that was there is tried again soon: it may just have been restarted.
  backoff_ = std::clamp(stream_open_ ? Duration::zero() : 2 * backoff_, deps_.options.backoff_min, backoff_max());
  retry_at_ = deps_.runtime.now() + backoff_ / 2 +
              Duration(deps_.runtime.random_below(static_cast<std::uint64_t>(backoff_.count() / 2 + 1)));
  last_failure_ = why;

  auto calls = std::exchange(pending_, {});
  const std::vector<std::uint64_t> expired = ended->outbox().take_expired();
  const std::uint64_t last_taken = ended->outbox().last_taken();
  std::vector<std::uint64_t> ids;
  for (const auto& [id, call] : calls) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const std::uint64_t id : ids) {
    if (closed_) return;
    Error error(ErrorCode::kUnavailable, fmt::format("no connection to {}: {}", to_, why));
    if (std::binary_search(expired.begin(), expired.end(), id)) {
      error = Error(ErrorCode::kDeadlineExceeded, kExpiredUnsent);
    } else if (id <= last_taken) {
      error = Error(ErrorCode::kConnectionLost, fmt::format("the connection to {} broke: {}", to_, why));
    }
    if (ResponseCallback& done = calls.find(id)->second.done) done(fail(std::move(error)));
  }
}

void ClientLink::watch_deadline(MonoTime deadline) {
  if (deadline >= deadline_timer_at_) return;
  if (deadline_timer_ != 0) deps_.runtime.cancel(deadline_timer_);
  deadline_timer_at_ = deadline;
  deadline_timer_ = deps_.runtime.at(deadline, [self = shared_from_this()] { self->expire(); });
}

void ClientLink::expire() {
  deadline_timer_ = 0;
  deadline_timer_at_ = MonoTime::max();
  const MonoTime now = deps_.runtime.now();
  std::vector<std::uint64_t> due;
  MonoTime next = MonoTime::max();
  for (const auto& [id, call] : pending_) {
    if (call.deadline <= now) {
      due.push_back(id);
    } else {
      next = std::min(next, call.deadline);
    }
  }
  if (next != MonoTime::max()) watch_deadline(std::max(next, now + kDeadlineGrain));
  std::sort(due.begin(), due.end());
  // In this order: what is taken in between was waiting after its deadline, so it will not be sent.
  const std::uint64_t last_taken = stream_ ? stream_->outbox().last_taken() : 0;
  const std::vector<std::uint64_t> unsent = stream_ ? stream_->outbox().take_expired() : std::vector<std::uint64_t>();
  for (const std::uint64_t id : unsent) {
    if (closed_) return;
    finish(id, fail(ErrorCode::kDeadlineExceeded, kExpiredUnsent));
  }
  for (const std::uint64_t id : due) {
    if (closed_) return;
    if (id <= last_taken) {
      give_up_waiting(id, now);
    } else {
      finish(id, fail(ErrorCode::kDeadlineExceeded, kExpiredUnsent));
    }
  }
}

Duration ClientLink::backoff_max() const {
  return priority_ == Priority::kHigh ? deps_.options.backoff_max_high : deps_.options.backoff_max;
}

void ClientLink::close() {
  closed_ = true;
  sender_->close();
  if (connect_timer_ != 0) deps_.runtime.cancel(connect_timer_);
  if (deadline_timer_ != 0) deps_.runtime.cancel(deadline_timer_);
  if (auto stream = std::exchange(stream_, nullptr)) stream->abort();
  auto dropped = std::exchange(pending_, {});
}

}  // namespace meridian::link
