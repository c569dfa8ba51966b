// grpc.health.v1.Health for the server as a whole. gRPC brings one of its own, but on its callback API, whose threads
// wake up twenty times a second in an idle process. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <set>

#include "base/grpc/extra_service.h"
#include "base/grpc/health.grpc.pb.h"
#include "base/grpc/operation.h"

namespace meridian::link {

class HealthService final : public ExtraService {
 public:
  HealthService();
  ~HealthService() override;

  // True from the start.
  void set_serving(bool serving);

  grpc::Service* grpc_service() override { return &service_; }
  void serve(grpc::ServerCompletionQueue* queue) override;
  void abort() override;
  void wait_for_end() override { outstanding_.wait_for_none(); }

 private:
  class Check;
  class Watch;
  bool serving() const;
  void accept_check();
  void accept_watch();

  grpc::health::v1::Health::AsyncService service_;
  grpc::ServerCompletionQueue* queue_ = nullptr;
  StreamCount outstanding_;  // calls, and the two that wait for a caller

  mutable std::mutex mutex_;
  bool serving_ = true;                       // guarded by mutex_
  bool aborted_ = false;                      // guarded by mutex_
  std::set<std::shared_ptr<Watch>> watches_;  // guarded by mutex_
};

}  // namespace meridian::link
