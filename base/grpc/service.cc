#include "base/grpc/service.h"

namespace meridian::link {

void Service::serve(grpc::ServerCompletionQueue* queue) {
  queue_ = queue;
  accept_next();
}

void Service::accept_next() {
  operations_.add();
  std::make_shared<ServerStream>(dispatcher_, shared_from_this())->accept(service_, queue_);
}

bool Service::accepted(const std::shared_ptr<ServerStream>& stream) {
  accept_next();
  live_.add();
  std::lock_guard lock(mutex_);
  streams_.insert(stream);
  return !aborted_;
}

void Service::ended(ServerStream& stream) {
  {
    std::lock_guard lock(mutex_);
    streams_.erase(stream.shared_from_this());
  }
  live_.remove();
  operations_.remove();
}

std::vector<std::shared_ptr<ServerStream>> Service::streams() {
  std::lock_guard lock(mutex_);
  return {streams_.begin(), streams_.end()};
}

bool Service::drain(Duration grace) {
  for (const auto& stream : streams()) stream->drain();
  return live_.wait_for_none(grace);
}

void Service::abort() {
  {
    std::lock_guard lock(mutex_);
    aborted_ = true;
  }
  for (const auto& stream : streams()) stream->abort();
}

}  // namespace meridian::link
