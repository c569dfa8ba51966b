// The public unary gRPC services, meridian.v1.KeyValue and meridian.v1.Admin, for languages without an
// SDK. They hold no logic: bytes go to the proxy's own request path, on its
// loop, and an Error becomes a status with an ErrorDetail in the trailer "meridian-error-bin".
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/grpc/answer_budget.h"
#include "base/grpc/extra_service.h"
#include "base/transport.h"

namespace meridian::server {

// Answers a call as if it had come over the streams. On the loop.
using Dispatch = std::function<void(MethodId, IncomingCall)>;

struct PublicServiceOptions {
  // More at the same time are refused as busy.
  std::size_t max_in_flight = 16'384;
  // Shared with whatever else answers in this process; null: one of its own.
  std::shared_ptr<AnswerBudget> answers;
};

// The runtime must outlive the services' server, and what dispatch uses the loop. Where the loop has stopped, and at the
// server's shutdown, calls are answered kUnknownOutcome.
std::vector<std::shared_ptr<ExtraService>> make_public_services(Runtime& runtime, Dispatch dispatch,
                                                                 PublicServiceOptions options = {});

}  // namespace meridian::server
