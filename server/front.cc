#include "server/front.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "base/grpc/reflection.h"
#include "base/grpc/listener.h"
#include "base/log.h"
#include "server/command_line.h"
#include "server/latency.h"
#include "server/process.h"

namespace meridian::server {

namespace {

MetricLabels labels_of(const std::string& name) { return name.empty() ? MetricLabels{} : MetricLabels{{"part", name}}; }

Address with_port(const Address& address, std::uint16_t port) {
  return fmt::format("{}:{}", address.substr(0, address.rfind(':')), port);
}

struct Delays {
  std::function<Duration(const Address&)> request;
  std::function<Duration(const std::string&)> answer;
};

Result<Delays> make_delays(const Front::Options& options) {
  ASSIGN_OR_RETURN(const std::vector<PeerRegion> peers, parse_peer_regions(options.latency_peers));
  std::map<Address, std::string> region_of;
  std::vector<std::string> regions{options.region};
  for (const PeerRegion& peer : peers) {
    region_of[peer.address] = peer.region;
    if (std::ranges::find(regions, peer.region) == regions.end()) regions.push_back(peer.region);
  }
  ASSIGN_OR_RETURN(const LatencyTable table, LatencyTable::load(options.latency, regions));
  if (table.empty()) return Delays{};
  return Delays{.request =
                    [table, region_of, own = options.region](const Address& to) {
                      const auto it = region_of.find(to);
                      return it == region_of.end() ? Duration(0) : table.delay(own, it->second);
                    },
                .answer = [table, own = options.region](const std::string& peer) { return table.delay(own, peer); }};
}

}  // namespace

Front::Front(Options options)
    : options_(std::move(options)),
      metrics_(labels_of(options_.name)),
      answers_(std::make_shared<AnswerBudget>(options_.answer_bytes != 0 ? options_.answer_bytes
                                                                         : AnswerBudget::kDefaultBytes)),
      runtime_({.name = options_.name.empty() ? options_.role : options_.name, .pool = options_.pool, .reactor = reactor_}) {}

Result<std::unique_ptr<Front>> Front::start(Options options) {
  ASSIGN_OR_RETURN(Delays delays, make_delays(options));
  if (options.reflection) RETURN_IF_ERROR(serve_reflection());
  ASSIGN_OR_RETURN(const std::uint16_t port, probe_listen(options.listen, "--listen"));
  if (!options.http.empty()) RETURN_IF_ERROR(probe_listen(options.http, "--http"));

  std::unique_ptr<Front> front(new Front(std::move(options)));
  front->listen_ = with_port(front->options_.listen, port);
  front->address_ = front->options_.advertise.empty() ? front->listen_ : front->options_.advertise;
  front->register_process_metrics();
  front->runtime_.start_thread();
  front->on_loop([&] {
    if (!front->options_.name.empty()) set_thread_log_context("part", front->options_.name);
    front->transport_ = std::make_unique<GrpcTransport>(front->runtime_,
                                                        GrpcTransportOptions{.address = front->address_,
                                                                             .zone = front->options_.region,
                                                                             .frame_bytes = front->options_.frame_bytes,
                                                                             .max_streams = static_cast<std::size_t>(
                                                                                 front->options_.max_streams),
                                                                             .answers = front->answers_,
                                                                             .request_delay = delays.request,
                                                                             .answer_delay = delays.answer,
                                                                             .reactor = front->reactor_});
    if (front->options_.network == nullptr) return;
    front->local_ = std::make_unique<LocalTransport>(front->runtime_, front->options_.network, *front->transport_,
                                                     LocalTransportOptions{.zone = front->options_.region,
                                                                           .frame_bytes = front->options_.frame_bytes,
                                                                           .request_delay = delays.request,
                                                                           .answer_delay = delays.answer});
  });
  return front;
}

Front::~Front() {
  stop(Duration(0));
  local_.reset();
  transport_.reset();
}

Result<> Front::listen(std::vector<std::shared_ptr<ExtraService>> services, std::function<std::string()> not_ready) {
  auto server = GrpcServer::start({.listen = listen_,
                                   .link = transport_->service(),
                                   .services = std::move(services),
                                   .reactor = reactor_});
  if (!server) {
    return fail(server.error().code(), server.error().message() + "; choose another address with --listen");
  }
  server_ = std::move(*server);
  if (!options_.http.empty()) {
    auto http = HttpServer::start(options_.http, {.metrics = [this] { return metrics_.serialize(); },
                                                  .not_ready =
                                                      [this, not_ready = std::move(not_ready)] {
                                                        return draining_ ? std::string("shutting down") : not_ready();
                                                      }});
    if (!http) return fail(std::move(http).error());
    http_ = std::move(*http);
  }
  LOG_INFO("listening", {{"role", options_.role},
                         {"address", listen_},
                         {"advertised", address_},
                         {"region", options_.region},
                         {"http", options_.http}});
  return {};
}

bool Front::wait_for(std::function<void(Callback)> start, Duration timeout) {
  auto promise = std::make_shared<std::promise<void>>();
  auto future = promise->get_future();
  runtime_.post([promise, start = std::move(start)] { start([promise] { promise->set_value(); }); });
  return future.wait_for(timeout) == std::future_status::ready;
}

void Front::drain() {
  draining_ = true;
  if (server_) server_->set_serving(false);
}

void Front::stop(Duration grace, const std::function<void()>& release) {
  if (std::exchange(stopped_, true)) return;
  std::future<void> closed;
  if (server_) {
    closed = std::async(std::launch::async, [this, grace] { server_->shutdown(grace); });
    closed.wait_for(grace + 50ms);
  }
  // Before the loop: a scrape may wait for it.
  http_.reset();
  runtime_.stop();
  runtime_.join();
  release();
  if (closed.valid()) closed.get();
  server_.reset();
}

void Front::register_process_metrics() {
  metrics_
      .gauge("meridian_process_info", "Version and role; always 1.",
             {{"version", version_text()}, {"role", options_.role}})
      .set(1);
  Gauge& memory = metrics_.gauge("meridian_process_resident_bytes", "Resident memory of the process.");
  Gauge& processor = metrics_.gauge("meridian_process_cpu_seconds", "Processor time used by the process.");
  Gauge& answers = metrics_.gauge("meridian_answers_held_bytes", "Answers that their callers have not taken yet.");
  Counter& refused = metrics_.counter("meridian_connections_refused_total",
                                      "Connections closed at once because too few open files are allowed.");
  Counter& dropped = metrics_.counter("meridian_log_lines_dropped_total",
                                      "Log lines dropped because nobody reads standard error.");
  process_metrics_ = metrics_.on_scrape([&memory, &processor, &answers, &dropped, &refused, budget = answers_] {
    if (const std::uint64_t total = link::Listener::refused(); total > refused.value()) refused.add(total - refused.value());
    answers.set(static_cast<double>(budget->held()));
    if (const std::uint64_t total = log_lines_dropped(); total > dropped.value()) dropped.add(total - dropped.value());
    std::uint64_t total = 0, resident = 0;
    if (std::ifstream statm("/proc/self/statm"); statm >> total >> resident) {
      memory.set(static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    }
    rusage used{};
    if (getrusage(RUSAGE_SELF, &used) == 0) {
      const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
      };
      processor.set(seconds(used.ru_utime) + seconds(used.ru_stime));
    }
  });
}

}  // namespace meridian::server
