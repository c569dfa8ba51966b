#include "server/http_server.h"

#include <thread>

#include <fmt/format.h>
#include <httplib.h>

namespace meridian::server {

namespace {

class Httplib final : public HttpServer {
 public:
  explicit Httplib(Handlers handlers) : handlers_(std::move(handlers)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(1); };
    server_.set_keep_alive_max_count(1);
    server_.set_read_timeout(2);
    server_.set_write_timeout(5);
    server_.set_payload_max_length(64 << 10);
    server_.set_tcp_nodelay(true);
    // The default, SO_REUSEPORT, would let a second process listen on a port in use.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(handlers_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
    });
    server_.Get("/livez", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("ok\n", "text/plain");
    });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      const std::string why = handlers_.not_ready();
      if (!why.empty()) response.status = 503;
      response.set_content(why.empty() ? "ok\n" : why + "\n", "text/plain");
    });
  }

  ~Httplib() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  bool listen(const std::string& host, std::uint16_t port) {
    if (port == 0) {
      const int bound = server_.bind_to_any_port(host);
      if (bound <= 0) return false;
      port_ = static_cast<std::uint16_t>(bound);
    } else {
      if (!server_.bind_to_port(host, port)) return false;
      port_ = port;
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // stop() before that would be lost
    return true;
  }

  std::uint16_t port() const override { return port_; }

 private:
  Handlers handlers_;
  httplib::Server server_;
  std::thread thread_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& address, Handlers handlers) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)));
  auto server = std::make_unique<Httplib>(std::move(handlers));
  if (!server->listen(host, port)) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("cannot listen on {} for HTTP: is the port in use? Choose another with --http", address));
  }
  return server;
}

}  // namespace meridian::server
