// A proxy of a "cluster" that is one map in memory, over real sockets: what the SDK's own tests need of a server, and
// no more.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/grpc/grpc_server.h"
#include "base/grpc/grpc_transport.h"
#include "client/proto/methods.h"

namespace meridian::client {

class MapProxy {
 public:
  MapProxy() {
    transport_.emplace(runtime_);
    serve();
    server_ = std::move(*GrpcServer::start(
        {.listen = "127.0.0.1:0", .link = transport_->service(), .services = {}, .credentials = nullptr}));
    runtime_.start_thread();
  }
  ~MapProxy() {
    server_->shutdown(Duration(0));
    runtime_.stop();
    runtime_.join();
  }
  const Address& address() const { return server_->address(); }

  // From now on requests are received and never answered.
  void fall_silent() {
    runtime_.post([this] { silent_ = true; });
  }

 private:
  struct Version {
    std::string value;
    std::uint64_t version;
  };

  template <class Request, class Response, class F>
  void on(const Method<Request, Response>& method, F f) {
    handle(
        *transport_, method,
        [this, f](Request request, MonoTime, std::move_only_function<void(Result<Response>)> respond) {
          if (silent_) {
            kept_.push_back([respond = std::move(respond)]() mutable { respond(fail(ErrorCode::kInternal, "late")); });
            return;
          }
          respond(f(request));
        });
  }
  std::uint64_t write(const std::string& key, const std::optional<std::string>& value) {
    ++clock_;
    if (value) {
      map_[key] = {*value, clock_};
    } else {
      map_.erase(key);
    }
    return clock_;
  }
  v1::WriteResponse written(std::uint64_t version) {
    v1::WriteResponse response;
    response.set_version(version);
    response.set_cluster_time_us(static_cast<std::uint64_t>(runtime_.wall_now().us()));
    return response;
  }
  void fill(v1::ReadInfo& info) {
    info.set_timestamp(clock_);
    info.set_node_id(1);
    info.set_region("here");
    info.set_role(v1::REPLICA_ROLE_LEADER);
    info.set_cluster_time_us(static_cast<std::uint64_t>(runtime_.wall_now().us()));
  }
  v1::ScanResponse scan(const v1::ScanRequest& request) {
    v1::ScanResponse response;
    fill(*response.mutable_info());
    std::vector<std::pair<std::string, Version>> found(map_.begin(), map_.end());
    std::erase_if(found, [&](const auto& e) {
      return !e.first.starts_with(request.prefix()) || e.first < request.start() ||
             (!request.end().empty() && e.first >= request.end());
    });
    if (request.reverse()) std::ranges::reverse(found);
    const std::size_t from = request.page_token().empty() ? 0 : std::stoul(request.page_token());
    const std::size_t to = std::min(found.size(), from + request.limit());
    for (std::size_t i = from; i < to; ++i) {
      v1::ScanResponse::Entry& entry = *response.add_entries();
      entry.set_key(found[i].first);
      if (!request.keys_only()) entry.set_value(found[i].second.value);
      entry.set_version(found[i].second.version);
    }
    if (to < found.size()) response.set_next_page_token(std::to_string(to));
    return response;
  }
  void serve() {
    on(v1::kHello, [this](const v1::HelloRequest&) {
      v1::HelloResponse response;
      response.set_cluster_time_us(static_cast<std::uint64_t>(runtime_.wall_now().us()));
      response.set_cluster_id(77);
      return response;
    });
    on(v1::kGet, [this](const v1::GetRequest& request) -> Result<v1::GetResponse> {
      if (request.key().empty()) return fail(ErrorCode::kInvalidArgument, "key of 0 bytes");
      v1::GetResponse response;
      fill(*response.mutable_info());
      if (const auto it = map_.find(request.key()); it != map_.end()) {
        response.set_found(true);
        response.set_value(it->second.value);
        response.set_version(it->second.version);
      }
      return response;
    });
    on(v1::kMultiGet, [this](const v1::MultiGetRequest& request) {
      v1::MultiGetResponse response;
      fill(*response.mutable_info());
      for (const std::string& key : request.keys()) {
        auto& item = *response.add_items();
        if (const auto it = map_.find(key); it != map_.end()) {
          item.set_found(true);
          item.set_value(it->second.value);
        }
      }
      return response;
    });
    on(v1::kPut, [this](const v1::PutRequest& request) { return written(write(request.key(), request.value())); });
    on(v1::kRemove, [this](const v1::RemoveRequest& request) { return written(write(request.key(), std::nullopt)); });
    on(v1::kWriteBatch, [this](const v1::WriteBatchRequest& request) {
      for (const v1::Mutation& m : request.mutations()) {
        write(m.key(), m.remove() ? std::nullopt : std::optional(m.value()));
      }
      return written(clock_);
    });
    on(v1::kCompareAndSet, [this](const v1::CompareAndSetRequest& request) {
      const auto it = map_.find(request.key());
      const std::uint64_t found = it == map_.end() ? 0 : it->second.version;
      v1::CompareAndSetResponse response;
      response.set_succeeded(request.has_expected_absent() ? found == 0
                             : request.has_expected_version()
                                 ? found == request.expected_version()
                                 : found != 0 && it->second.value == request.expected_value());
      response.set_version(response.succeeded() ? write(request.key(), request.value()) : found);
      return response;
    });
    on(v1::kScan, [this](const v1::ScanRequest& request) { return scan(request); });
    on(v1::kGetStatus, [](const v1::GetStatusRequest&) {
      v1::GetStatusResponse response;
      response.set_cluster_id(77);
      v1::Node& node = *response.add_nodes();
      node.set_address("n:1");
      node.set_state(v1::NODE_STATE_ACTIVE);
      node.set_role(v1::REPLICA_ROLE_LEADER);
      response.add_problems("none");
      return response;
    });
  }

  EventLoop runtime_;
  std::optional<GrpcTransport> transport_;
  std::unique_ptr<GrpcServer> server_;
  std::map<std::string, Version> map_;
  std::uint64_t clock_ = 1'000;
  bool silent_ = false;
  std::vector<std::move_only_function<void()>> kept_;
};

}  // namespace meridian::client
