#include "base/grpc/health_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

namespace meridian::link {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

HealthCheckResponse response_of(bool serving) {
  HealthCheckResponse response;
  response.set_status(serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  return response;
}

}  // namespace

class HealthService::Check : public std::enable_shared_from_this<Check> {
 public:
  explicit Check(HealthService& owner) : owner_(owner) {}
  void accept() {
    owner_.service_.RequestCheck(&context_, &request_, &writer_, owner_.queue_, owner_.queue_,
                                 accept_op_.start(shared_from_this()));
  }

 private:
  void on_accepted(bool ok) {
    if (!ok) return owner_.outstanding_.remove();
    owner_.accept_check();
    void* const tag = finish_op_.start(shared_from_this());
    if (!request_.service().empty()) {
      return writer_.FinishWithError(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such service"), tag);
    }
    writer_.Finish(response_of(owner_.serving()), grpc::Status::OK, tag);
  }
  void on_finished(bool) { owner_.outstanding_.remove(); }

  HealthService& owner_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncResponseWriter<HealthCheckResponse> writer_{&context_};
  Operation<Check> accept_op_{&Check::on_accepted};
  Operation<Check> finish_op_{&Check::on_finished};
};

// Writes one status at a time, each other than the last; ends when the caller is gone or the server ends.
class HealthService::Watch : public std::enable_shared_from_this<Watch> {
 public:
  explicit Watch(HealthService& owner) : owner_(owner) {}
  void accept() {
    context_.AsyncNotifyWhenDone(gone_op_.start(shared_from_this()));
    owner_.service_.RequestWatch(&context_, &request_, &writer_, owner_.queue_, owner_.queue_,
                                 accept_op_.start(shared_from_this()));
  }
  // Requires: the owner's mutex.
  void update() {
    if (writing_ || finishing_) return;
    if (ending_) {
      finishing_ = true;
      return writer_.Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server ends"),
                            finish_op_.start(shared_from_this()));
    }
    const auto now =
        request_.service().empty() ? response_of(owner_.serving_).status() : HealthCheckResponse::SERVICE_UNKNOWN;
    if (now == told_) return;
    told_ = now;
    writing_ = true;
    HealthCheckResponse response;
    response.set_status(now);
    writer_.Write(response, write_op_.start(shared_from_this()));
  }
  void end() { ending_ = true, update(); }

 private:
  void on_accepted(bool ok) {
    // No caller came; then nobody is told that it is gone, and what was held for that goes.
    if (!ok) return gone_op_.forget(), owner_.outstanding_.remove();
    owner_.accept_watch();
    const std::lock_guard lock(owner_.mutex_);
    owner_.watches_.insert(shared_from_this());
    ending_ |= owner_.aborted_;
    update();
  }
  void on_written(bool ok) {
    const std::lock_guard lock(owner_.mutex_);
    writing_ = false;
    ending_ |= !ok;
    update();
  }
  void on_gone(bool) {
    {
      const std::lock_guard lock(owner_.mutex_);
      end();
    }
    left(shared_from_this());
  }
  void on_finished(bool) { left(shared_from_this()); }
  // Both must have happened.
  void left(const std::shared_ptr<Watch>& self) {
    {
      const std::lock_guard lock(owner_.mutex_);
      if (++left_ < 2) return;
      owner_.watches_.erase(self);
    }
    owner_.outstanding_.remove();
  }

  HealthService& owner_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_{&context_};
  // Guarded by the owner's mutex:
  HealthCheckResponse::ServingStatus told_ = HealthCheckResponse::UNKNOWN;
  bool writing_ = false, ending_ = false, finishing_ = false;
  int left_ = 0;
  Operation<Watch> accept_op_{&Watch::on_accepted};
  Operation<Watch> gone_op_{&Watch::on_gone};
  Operation<Watch> write_op_{&Watch::on_written};
  Operation<Watch> finish_op_{&Watch::on_finished};
};

HealthService::HealthService() = default;
HealthService::~HealthService() = default;

void HealthService::serve(grpc::ServerCompletionQueue* queue) {
  queue_ = queue;
  accept_check();
  accept_watch();
}

void HealthService::accept_check() {
  outstanding_.add();
  std::make_shared<Check>(*this)->accept();
}

void HealthService::accept_watch() {
  outstanding_.add();
  std::make_shared<Watch>(*this)->accept();
}

bool HealthService::serving() const {
  const std::lock_guard lock(mutex_);
  return serving_;
}

void HealthService::set_serving(bool serving) {
  const std::lock_guard lock(mutex_);
  serving_ = serving;
  for (const auto& watch : watches_) watch->update();
}

void HealthService::abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  for (const auto& watch : watches_) watch->end();
}

}  // namespace meridian::link
