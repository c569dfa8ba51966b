#include "server/public_service.h"

#include <atomic>
#include <chrono>

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

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

grpc::Status to_status(const Error& error, grpc::CallbackServerContext& context) {
  v1::ErrorDetail detail;
  detail.set_code(static_cast<std::uint32_t>(error.code()));
  detail.set_message(printable(error.message()));
  for (const Error* cause = error.cause(); cause != nullptr; cause = cause->cause()) {
    detail.add_causes(printable(cause->message()));
  }
  detail.set_retry_after_ms(error.retry_after_ms());
  detail.set_definite(is_definite(error));
  context.AddTrailingMetadata("meridian-error-bin", detail.SerializeAsString());
  return grpc::Status(status_code(error.code()), printable(error.to_string()));
}

std::string to_string(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string out;
  if (!buffer.Dump(&slices).ok()) return out;
  out.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return out;
}

// What all methods share. Called on gRPC's threads; answers on the loop's.
class Gateway {
 public:
  Gateway(Runtime& runtime, Dispatch dispatch, PublicServiceOptions options)
      : runtime_(runtime), dispatch_(std::move(dispatch)), options_(options) {}

  grpc::ServerUnaryReactor* serve(MethodId method, grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (in_flight_.fetch_add(1, std::memory_order_relaxed) >= options_.max_in_flight) {
      in_flight_.fetch_sub(1, std::memory_order_relaxed);
      reactor->Finish(to_status(Error(ErrorCode::kBusy, fmt::format("{} unary calls are under way; the limit is {}",
                                                                    options_.max_in_flight, options_.max_in_flight))
                                    .with_retry_after(20),
                                *context));
      return reactor;
    }
    IncomingCall call;
    call.payload = to_string(*request);
    call.deadline = deadline_of(*context);
    if (const auto it = context->client_metadata().find("traceparent"); it != context->client_metadata().end()) {
      call.trace.assign(it->second.data(), it->second.size());
    }
    call.respond = Responder([this, context, response, reactor](Result<std::string> answer) {
      in_flight_.fetch_sub(1, std::memory_order_relaxed);
      if (!answer) return reactor->Finish(to_status(answer.error(), *context));
      const grpc::Slice slice(*answer);
      *response = grpc::ByteBuffer(&slice, 1);
      reactor->Finish(grpc::Status::OK);
    });
    runtime_.post([this, method, call = std::move(call)]() mutable { dispatch_(method, std::move(call)); });
    return reactor;
  }

 private:
  MonoTime deadline_of(const grpc::CallbackServerContext& context) {
    const auto deadline = context.deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) return MonoTime::max();
    const auto left = std::chrono::duration_cast<Duration>(deadline - std::chrono::system_clock::now());
    return left > std::chrono::hours(24 * 365) ? MonoTime::max() : runtime_.now() + left;
  }

  Runtime& runtime_;
  const Dispatch dispatch_;
  const PublicServiceOptions options_;
  std::atomic<std::size_t> in_flight_{0};
};

// The generated "raw" variants hand over bytes, which the proxy's handlers decode anyway.
#define MERIDIAN_UNARY(Name)                                                                            \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request, \
                                 grpc::ByteBuffer* response) override {                                 \
    return gateway_.serve(v1::k##Name.id, context, request, response);                                  \
  }

using RawKeyValue = v1::KeyValue::WithRawCallbackMethod_Get<
    v1::KeyValue::WithRawCallbackMethod_MultiGet<v1::KeyValue::WithRawCallbackMethod_Put<
        v1::KeyValue::WithRawCallbackMethod_Remove<v1::KeyValue::WithRawCallbackMethod_CompareAndSet<
            v1::KeyValue::WithRawCallbackMethod_Scan<v1::KeyValue::WithRawCallbackMethod_WriteBatch<
                v1::KeyValue::WithRawCallbackMethod_Hello<v1::KeyValue::Service>>>>>>>>;

class KeyValueService final : public RawKeyValue {
 public:
  KeyValueService(Runtime& runtime, Dispatch dispatch, PublicServiceOptions options)
      : gateway_(runtime, std::move(dispatch), options) {}
  MERIDIAN_UNARY(Get)
  MERIDIAN_UNARY(MultiGet)
  MERIDIAN_UNARY(Put)
  MERIDIAN_UNARY(Remove)
  MERIDIAN_UNARY(CompareAndSet)
  MERIDIAN_UNARY(Scan)
  MERIDIAN_UNARY(WriteBatch)
  MERIDIAN_UNARY(Hello)

 private:
  Gateway gateway_;
};

using RawAdmin = v1::Admin::WithRawCallbackMethod_InitCluster<
    v1::Admin::WithRawCallbackMethod_GetStatus<v1::Admin::WithRawCallbackMethod_AddNode<
        v1::Admin::WithRawCallbackMethod_RemoveNode<v1::Admin::WithRawCallbackMethod_ReplaceNode<
            v1::Admin::WithRawCallbackMethod_TransferLeader<v1::Admin::Service>>>>>>;

class AdminService final : public RawAdmin {
 public:
  AdminService(Runtime& runtime, Dispatch dispatch, PublicServiceOptions options)
      : gateway_(runtime, std::move(dispatch), options) {}
  MERIDIAN_UNARY(InitCluster)
  MERIDIAN_UNARY(GetStatus)
  MERIDIAN_UNARY(AddNode)
  MERIDIAN_UNARY(RemoveNode)
  MERIDIAN_UNARY(ReplaceNode)
  MERIDIAN_UNARY(TransferLeader)

 private:
  Gateway gateway_;
};

#undef MERIDIAN_UNARY

}  // namespace

std::vector<std::shared_ptr<grpc::Service>> make_public_services(Runtime& runtime, Dispatch dispatch,
                                                                 PublicServiceOptions options) {
  return {std::make_shared<KeyValueService>(runtime, dispatch, options),
          std::make_shared<AdminService>(runtime, dispatch, options)};
}

}  // namespace meridian::server
