#include "server/http_server.h"

#include <map>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <fmt/format.h>

namespace meridian::server {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorOf = boost::system::error_code;
using Response = http::response<http::string_body>;

constexpr std::uint32_t kMaxHeaderBytes = 8 << 10;
// Without a file descriptor for it, the next connection is accepted when others may have ended.
constexpr std::chrono::milliseconds kAcceptAgain{100};

Response plain(http::status status, std::string text) {
  Response response(status, 11);
  response.set(http::field::content_type, "text/plain");
  response.body() = std::move(text);
  return response;
}

// One connection, on the sockets' thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // The answer, to be given from the sockets' thread.
  using Answer = std::function<void(Response)>;
  using Serve = std::function<void(const std::string& target, Answer)>;

  Session(tcp::socket socket, const Serve& serve, std::function<void()> ended)
      : stream_(std::move(socket)), serve_(serve), ended_(std::move(ended)) {
    parser_.header_limit(kMaxHeaderBytes);
  }
  void start() {
    stream_.expires_after(HttpServer::kRequestTime);  // of all reads together
    http::async_read_header(stream_, buffer_, parser_,
                            [self = shared_from_this()](ErrorOf error, std::size_t) { self->on_request(error); });
  }
  void close() {
    ErrorOf ignored;
    stream_.socket().close(ignored);
  }

 private:
  void on_request(ErrorOf error) {
    if (error) return ended_();
    const http::verb method = parser_.get().method();
    if (method != http::verb::get && method != http::verb::head) {
      return answer(plain(http::status::method_not_allowed, "only GET is served\n"));
    }
    const std::string_view target(parser_.get().target().data(), parser_.get().target().size());
    serve_(std::string(target.substr(0, target.find('?'))),
           [self = shared_from_this()](Response response) { self->answer(std::move(response)); });
  }
  void answer(Response response) {
    response_ = std::move(response);
    response_.keep_alive(false);
    response_.prepare_payload();
    if (parser_.get().method() == http::verb::head) response_.body().clear();  // the length stays
    stream_.expires_after(HttpServer::kAnswerTime);
    http::async_write(stream_, response_, [self = shared_from_this()](ErrorOf, std::size_t) {
      ErrorOf ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
      self->close();
      self->ended_();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kMaxHeaderBytes};
  http::request_parser<http::empty_body> parser_;
  Response response_;
  const Serve& serve_;
  const std::function<void()> ended_;
};

class AsyncHttpServer final : public HttpServer {
 public:
  explicit AsyncHttpServer(Handlers handlers) : handlers_(std::move(handlers)) {}

  ~AsyncHttpServer() override {
    sockets_.stop();
    if (thread_.joinable()) thread_.join();
    worker_.stop();
    worker_.join();
  }

  bool listen(const std::string& host, std::uint16_t port) {
    ErrorOf error;
    const auto found = tcp::resolver(sockets_).resolve(host, std::to_string(port), tcp::resolver::passive, error);
    if (error || found.empty()) return false;
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
    if (error) return false;
    port_ = acceptor_.local_endpoint(error).port();
    accept();
    thread_ = std::thread([this] { sockets_.run(); });
    return true;
  }

  std::uint16_t port() const override { return port_; }

 private:
  void accept() {
    acceptor_.async_accept([this](ErrorOf error, tcp::socket socket) {
      if (error) {
        accept_again_.expires_after(kAcceptAgain);
        return accept_again_.async_wait([this](ErrorOf) { accept(); });
      }
      admit(std::move(socket));
      accept();
    });
  }
  void admit(tcp::socket socket) {
    if (sessions_.size() >= kMaxConnections) {
      sessions_.begin()->second->close();
      sessions_.erase(sessions_.begin());
    }
    const std::uint64_t id = ++last_session_;
    auto session = std::make_shared<Session>(std::move(socket), serve_, [this, id] { sessions_.erase(id); });
    sessions_.emplace(id, session);
    session->start();
  }

  void serve(const std::string& target, Session::Answer answer) {
    if (target == "/livez") return answer(plain(http::status::ok, "ok\n"));
    if (target == "/readyz") {
      return on_worker(std::move(answer), [this] {
        const std::string why = handlers_.not_ready();
        return why.empty() ? plain(http::status::ok, "ok\n") : plain(http::status::service_unavailable, why + "\n");
      });
    }
    if (target == "/metrics") {
      return on_worker(std::move(answer), [this] {
        Response response = plain(http::status::ok, handlers_.metrics());
        response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
        return response;
      });
    }
    answer(plain(http::status::not_found, "there are /metrics, /livez and /readyz\n"));
  }
  // Handlers wait for other threads.
  void on_worker(Session::Answer answer, std::function<Response()> make) {
    asio::post(worker_, [this, answer = std::move(answer), make = std::move(make)]() mutable {
      asio::post(sockets_, [answer = std::move(answer), response = make()]() mutable { answer(std::move(response)); });
    });
  }

  const Handlers handlers_;
  const Session::Serve serve_ = [this](const std::string& target, Session::Answer answer) {
    serve(target, std::move(answer));
  };
  asio::io_context sockets_{1};
  tcp::acceptor acceptor_{sockets_};
  asio::steady_timer accept_again_{sockets_};
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;  // the oldest first
  std::uint64_t last_session_ = 0;
  asio::thread_pool worker_{1};
  std::thread thread_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& address, Handlers handlers) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)));
  auto server = std::make_unique<AsyncHttpServer>(std::move(handlers));
  if (!server->listen(host, port)) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("cannot listen on {} for HTTP: is the port in use? Choose another with --http", address));
  }
  return server;
}

}  // namespace meridian::server
