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

StreamRegistry::Admission Service::accepted(const std::shared_ptr<ServerStream>& stream) {
  accept_next();
  live_.add();
  std::lock_guard lock(mutex_);
  const std::size_t most = dispatcher_->options.max_streams;
  const bool too_many = most != 0 && streams_.size() >= most;
  streams_.insert(stream);  // also one that only hears why it ends
  return aborted_ ? Admission::kEnding : too_many ? Admission::kTooMany : Admission::kYes;
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
