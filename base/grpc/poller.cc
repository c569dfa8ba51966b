#include "base/grpc/poller.h"

#include <pthread.h>

namespace meridian::link {

Poller::Poller(std::unique_ptr<grpc::CompletionQueue> queue) : queue_(std::move(queue)) {
  thread_ = std::thread([this] {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) static_cast<Tag*>(tag)->complete(ok);
  });
  pthread_setname_np(thread_.native_handle(), "grpc-poller");
}

Poller::~Poller() {
  queue_->Shutdown();
  thread_.join();
}

std::shared_ptr<Poller> Poller::shared() {
  static std::mutex mutex;
  static std::weak_ptr<Poller> current;
  std::lock_guard lock(mutex);
  std::shared_ptr<Poller> poller = current.lock();
  if (!poller) {
    poller = std::make_shared<Poller>(std::make_unique<grpc::CompletionQueue>());
    current = poller;
  }
  return poller;
}

}  // namespace meridian::link
