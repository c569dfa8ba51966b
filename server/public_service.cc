#include "server/public_service.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include "base/grpc/operation.h"
#include "client/proto/methods.h"
#include "meridian/v1/admin.grpc.pb.h"
#include "meridian/v1/kv.grpc.pb.h"

namespace meridian::server {

namespace {

grpc::StatusCode status_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::kFailedPrecondition: return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorCode::kNotFound: return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::kAlreadyExists: return grpc::StatusCode::ALREADY_EXISTS;
    case ErrorCode::kNotLeader:
    case ErrorCode::kUnavailable: return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::kBusy:
    case ErrorCode::kDiskFull: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorCode::kConflict: return grpc::StatusCode::ABORTED;
    case ErrorCode::kUnknownOutcome:
    case ErrorCode::kConnectionLost: return grpc::StatusCode::UNKNOWN;
    case ErrorCode::kDeadlineExceeded: return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::kCancelled: return grpc::StatusCode::CANCELLED;
    case ErrorCode::kCorruption: return grpc::StatusCode::DATA_LOSS;
    case ErrorCode::kOutOfRange: return grpc::StatusCode::OUT_OF_RANGE;
    case ErrorCode::kUnimplemented: return grpc::StatusCode::UNIMPLEMENTED;
    case ErrorCode::kWouldBlock:
    case ErrorCode::kIo:
    case ErrorCode::kInternal: return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::UNKNOWN;
}

// Protobuf strings and gRPC messages are text; a message may quote a key of any bytes.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out;
}

// Of all metadata together clients take 8 KiB, unless told otherwise; past that they see neither code nor detail. The
// trailer is sent in base64.
constexpr std::size_t kMaxMessage = 1'536, kMaxDetailMessage = 1'024, kMaxCauses = 1'536;

std::string cut(std::string text, std::size_t limit) {
  constexpr std::string_view kMore = "...";
  if (text.size() > limit) text.replace(limit - kMore.size(), std::string::npos, kMore);
  return text;
}

grpc::Status to_status(const Error& error, grpc::ServerContext& context) {
  v1::ErrorDetail detail;
  detail.set_code(static_cast<std::uint32_t>(error.code()));
  detail.set_message(cut(printable(error.message()), kMaxDetailMessage));
  std::size_t left = kMaxCauses;
  for (const Error* cause = error.cause(); cause != nullptr && left > 16; cause = cause->cause()) {
    detail.add_causes(cut(printable(cause->message()), left));
    left -= detail.causes(detail.causes_size() - 1).size();
  }
  detail.set_retry_after_ms(error.retry_after_ms());
  detail.set_definite(is_definite(error));
  context.AddTrailingMetadata("meridian-error-bin", detail.SerializeAsString());
  return grpc::Status(status_code(error.code()), cut(printable(error.to_string()), kMaxMessage));
}

std::string to_string(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string out;
  if (!buffer.Dump(&slices).ok()) return out;
  out.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return out;
}

// Accepts one call of one method; the tag comes back when there is one.
using Accept =
    std::function<void(grpc::ServerContext*, grpc::ByteBuffer*, grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>*,
                       grpc::ServerCompletionQueue*, void*)>;

class UnaryCall;

// What the methods of a service share: the calls that are under way. Thread-safe; accepts and ends where the
// server's queue is served, answers on the loop.
class Gateway {
 public:
  Gateway(Runtime& runtime, Dispatch dispatch, PublicServiceOptions options)
      : runtime_(runtime), dispatch_(std::move(dispatch)), options_(std::move(options)) {
    if (!options_.answers) options_.answers = std::make_shared<AnswerBudget>();
  }

  void serve(grpc::ServerCompletionQueue* queue, const std::vector<std::pair<MethodId, Accept>>& methods);
  void accept(MethodId method, const Accept& accept);
  // A caller came; the next one may.
  void accepted(const std::shared_ptr<UnaryCall>& call);
  void ended(const std::shared_ptr<UnaryCall>& call);
  void abort();
  void wait_for_end() { outstanding_.wait_for_none(); }

 private:
  friend class UnaryCall;
  Runtime& runtime_;
  const Dispatch dispatch_;
  PublicServiceOptions options_;
  grpc::ServerCompletionQueue* queue_ = nullptr;
  link::StreamCount outstanding_;  // calls, and of each method the one that waits for a caller

  std::mutex mutex_;
  std::set<std::shared_ptr<UnaryCall>> under_way_;  // guarded by mutex_
  bool aborted_ = false;                            // guarded by mutex_
};

// From the wait for a caller to the end of the answer. Owns itself while an operation is outstanding.
class UnaryCall : public std::enable_shared_from_this<UnaryCall> {
 public:
  UnaryCall(Gateway& gateway, MethodId method, Accept accept)
      : gateway_(gateway), method_(method), accept_(std::move(accept)) {}

  void wait_for_caller() {
    accept_(&context_, &request_, &writer_, gateway_.queue_, accept_op_.start(shared_from_this()));
  }
  // The first answer counts. Any thread.
  void answer(Result<std::string> answer) {
    if (answered_.exchange(true)) return;
    AnswerBudget& answers = *gateway_.options_.answers;
    if (answer && !answers.admits(answer->size())) answer = fail(answers.refusal(answer->size()));
    if (answer) answers.take(held_ = answer->size());
    void* const tag = finish_op_.start(shared_from_this());
    if (!answer) return writer_.FinishWithError(to_status(answer.error(), context_), tag);
    const grpc::Slice slice(*answer);
    writer_.Finish(grpc::ByteBuffer(&slice, 1), grpc::Status::OK, tag);
  }

 private:
  friend class Gateway;
  void on_caller(bool ok) {
    if (!ok) return gateway_.outstanding_.remove();  // the server shuts down
    gateway_.accept(method_, accept_);
    gateway_.accepted(shared_from_this());
  }
  void on_finished(bool) {
    gateway_.options_.answers->give_back(held_);
    gateway_.ended(shared_from_this());
  }

  void dispatch() {
    IncomingCall call;
    call.payload = to_string(request_);
    request_.Clear();
    call.deadline = deadline();
    if (const auto it = context_.client_metadata().find("traceparent"); it != context_.client_metadata().end()) {
      call.trace.assign(it->second.data(), it->second.size());
    }
    call.respond =
        Responder([self = shared_from_this()](Result<std::string> result) { self->answer(std::move(result)); });
    gateway_.runtime_.post([&gateway = gateway_, method = method_, call = std::move(call)]() mutable {
      gateway.dispatch_(method, std::move(call));
    });
  }
  MonoTime deadline() const {
    const auto deadline = context_.deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) return MonoTime::max();
    const auto left = std::chrono::duration_cast<Duration>(deadline - std::chrono::system_clock::now());
    return left > std::chrono::hours(24 * 365) ? MonoTime::max() : gateway_.runtime_.now() + left;
  }

  Gateway& gateway_;
  const MethodId method_;
  const Accept accept_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context_};
  std::atomic<bool> answered_ = false;
  std::size_t held_ = 0;  // of the answer's bytes, until the caller has taken them
  link::Operation<UnaryCall> accept_op_{&UnaryCall::on_caller};
  link::Operation<UnaryCall> finish_op_{&UnaryCall::on_finished};
};

void Gateway::serve(grpc::ServerCompletionQueue* queue, const std::vector<std::pair<MethodId, Accept>>& methods) {
  queue_ = queue;
  for (const auto& [method, accepts] : methods) accept(method, accepts);
}

void Gateway::accept(MethodId method, const Accept& accept) {
  outstanding_.add();
  std::make_shared<UnaryCall>(*this, method, accept)->wait_for_caller();
}

void Gateway::accepted(const std::shared_ptr<UnaryCall>& call) {
  std::size_t under_way = 0;
  bool aborted = false;
  {
    const std::lock_guard lock(mutex_);
    under_way = under_way_.size();
    aborted = aborted_;
    under_way_.insert(call);
  }
  if (aborted) return call->answer(fail(ErrorCode::kUnavailable, "the server shuts down"));
  // Hello is how a client finds out that somebody is there, and is answered at once.
  if (under_way < options_.max_in_flight || call->method_ == v1::kHello.id) return call->dispatch();
  call->answer(fail(Error(ErrorCode::kBusy, fmt::format("{} unary calls are under way; the limit is {}", under_way,
                                                        options_.max_in_flight))
                        .with_retry_after(20)));
}

void Gateway::ended(const std::shared_ptr<UnaryCall>& call) {
  {
    const std::lock_guard lock(mutex_);
    under_way_.erase(call);
  }
  outstanding_.remove();
}

void Gateway::abort() {
  std::set<std::shared_ptr<UnaryCall>> calls;
  {
    const std::lock_guard lock(mutex_);
    aborted_ = true;
    calls = under_way_;
  }
  for (const auto& call : calls)
    call->answer(fail(ErrorCode::kUnknownOutcome, "the server ended before it had answered"));
}

// The generated "raw" variants hand over bytes, which the proxy's handlers decode anyway.
#define MERIDIAN_UNARY(Name)                                                                               \
  std::pair<MethodId, Accept>(v1::k##Name.id,                                                              \
                              [this](auto* context, auto* request, auto* writer, auto* queue, void* tag) { \
                                service_.Request##Name(context, request, writer, queue, queue, tag);       \
                              })

using RawKeyValue =
    v1::KeyValue::WithRawMethod_Get<v1::KeyValue::WithRawMethod_MultiGet<v1::KeyValue::WithRawMethod_Put<
        v1::KeyValue::WithRawMethod_Remove<v1::KeyValue::WithRawMethod_CompareAndSet<v1::KeyValue::WithRawMethod_Scan<
            v1::KeyValue::WithRawMethod_WriteBatch<v1::KeyValue::WithRawMethod_Hello<v1::KeyValue::Service>>>>>>>>;

class KeyValueService final : public ExtraService {
 public:
  KeyValueService(Runtime& runtime, Dispatch dispatch, PublicServiceOptions options)
      : gateway_(runtime, std::move(dispatch), options) {}
  grpc::Service* grpc_service() override { return &service_; }
  void serve(grpc::ServerCompletionQueue* queue) override {
    gateway_.serve(queue, {MERIDIAN_UNARY(Get), MERIDIAN_UNARY(MultiGet), MERIDIAN_UNARY(Put), MERIDIAN_UNARY(Remove),
                           MERIDIAN_UNARY(CompareAndSet), MERIDIAN_UNARY(Scan), MERIDIAN_UNARY(WriteBatch),
                           MERIDIAN_UNARY(Hello)});
  }
  void abort() override { gateway_.abort(); }
  void wait_for_end() override { gateway_.wait_for_end(); }

 private:
  RawKeyValue service_;
  Gateway gateway_;
};

using RawAdmin = v1::Admin::WithRawMethod_InitCluster<
    v1::Admin::WithRawMethod_GetStatus<v1::Admin::WithRawMethod_AddNode<v1::Admin::WithRawMethod_RemoveNode<
        v1::Admin::WithRawMethod_ReplaceNode<v1::Admin::WithRawMethod_TransferLeader<v1::Admin::Service>>>>>>;

class AdminService final : public ExtraService {
 public:
  AdminService(Runtime& runtime, Dispatch dispatch, PublicServiceOptions options)
      : gateway_(runtime, std::move(dispatch), options) {}
  grpc::Service* grpc_service() override { return &service_; }
  void serve(grpc::ServerCompletionQueue* queue) override {
    gateway_.serve(queue, {MERIDIAN_UNARY(InitCluster), MERIDIAN_UNARY(GetStatus), MERIDIAN_UNARY(AddNode),
                           MERIDIAN_UNARY(RemoveNode), MERIDIAN_UNARY(ReplaceNode), MERIDIAN_UNARY(TransferLeader)});
  }
  void abort() override { gateway_.abort(); }
  void wait_for_end() override { gateway_.wait_for_end(); }

 private:
  RawAdmin service_;
  Gateway gateway_;
};

#undef MERIDIAN_UNARY

}  // namespace

std::vector<std::shared_ptr<ExtraService>> make_public_services(Runtime& runtime, Dispatch dispatch,
                                                                PublicServiceOptions options) {
  return {std::make_shared<KeyValueService>(runtime, dispatch, options),
          std::make_shared<AdminService>(runtime, dispatch, options)};
}

}  // namespace meridian::server
