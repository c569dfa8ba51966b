#include "server/local.h"

#include <chrono>
#include <cstdio>
#include <future>
#include <thread>

#include "base/log.h"
#include "base/posix_file.h"
#include "client/proto/methods.h"
#include "server/children.h"
#include "server/command_line.h"
#include "server/ending.h"
#include "server/parts.h"
#include "server/process.h"

namespace meridian::server {

namespace {

constexpr Duration kFormTimeout = 60s;
constexpr auto kShapeFile = "local.toml";

// Asked again these may go well: a node is still starting, an election is going on.
bool worth_retrying(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kUnimplemented:
    case ErrorCode::kCorruption: return false;
    default: return true;
  }
}

class LocalCluster {
 public:
  explicit LocalCluster(const LocalConfig& config) : config_(config), children_(config.restart_children) {}

  int run();

 private:
  Result<> start();
  Result<> start_nodes();
  // On a thread of its own: asks until the cluster is initialised and healthy.
  Result<v1::GetStatusResponse> form();
  template <class Request, class Response>
  Result<Response> ask_until_done(const Method<Request, Response>& method, const Request& request, MonoTime deadline,
                                  std::function<std::string(const Response&)> unsatisfied);
  Result<v1::GetStatusResponse> wait_until_formed();
  void print_summary(const v1::GetStatusResponse& status) const;
  void serve();
  Result<> end();

  const LocalConfig& config_;
  std::unique_ptr<FileLock> lock_;
  std::shared_ptr<BlockingPool> pool_;
  const std::shared_ptr<LocalNetwork> network_ = std::make_shared<LocalNetwork>();
  Children children_;
  std::vector<std::unique_ptr<Part>> nodes_;
  std::unique_ptr<ProxyPart> proxy_;
  std::atomic<bool> given_up_{false};
};

std::string node_name(std::size_t i) { return fmt::format("n{}", i + 1); }

Result<> LocalCluster::start_nodes() {
  for (std::size_t i = 0; i < config_.node_count(); ++i) {
    const NodeConfig node = config_.node(i);
    if (config_.processes) {
      RETURN_IF_ERROR(children_.start(node_name(i), node));
      continue;
    }
    auto part = start_node(node, pool_, node_name(i), network_);
    if (!part) return fail(Error(part.error().code(), "node " + node_name(i)).with_cause(std::move(part).error()));
    nodes_.push_back(std::move(*part));
  }
  return {};
}

Result<> LocalCluster::start() {
  PosixFileSystem fs;
  RETURN_IF_ERROR(fs.create_directories(config_.dir));
  auto lock = fs.lock(config_.dir + "/LOCK");
  if (!lock) return fail(Error(lock.error().code(), config_.dir + " is in use").with_cause(std::move(lock).error()));
  lock_ = std::move(*lock);
  RETURN_IF_ERROR(check_local_shape(config_));

  // All ports first, so that the mistake is named before anything has begun.
  std::vector<std::string> addresses{config_.proxy().listen, config_.proxy().http};
  for (std::size_t i = 0; i < config_.node_count(); ++i) {
    addresses.push_back(config_.node(i).listen);
    addresses.push_back(config_.node(i).http);
  }
  for (const std::string& address : addresses) RETURN_IF_ERROR(probe_listen(address, "--port"));

  pool_ = std::make_shared<BlockingPool>(config_.processes ? 2 : 2 + 2 * config_.node_count());
  RETURN_IF_ERROR(start_nodes());
  ASSIGN_OR_RETURN(proxy_, start_proxy(config_.proxy(), pool_, "proxy", config_.processes ? nullptr : network_));
  return {};
}

template <class Request, class Response>
Result<Response> LocalCluster::ask_until_done(const Method<Request, Response>& method, const Request& request,
                                              MonoTime deadline,
                                              std::function<std::string(const Response&)> unsatisfied) {
  for (;;) {
    Result<std::string> bytes = proxy_->call(method.id, encode(request), 5s);
    Result<Response> response =
        bytes ? v1::decode(*bytes, static_cast<Response*>(nullptr)) : Result<Response>(fail(std::move(bytes).error()));
    std::string missing = response ? unsatisfied(*response) : "";
    if (response && missing.empty()) return response;
    if (!response && !worth_retrying(response.error().code())) return response;
    if (given_up_) return fail(ErrorCode::kCancelled, "told to end");
    if (process_now() >= deadline) {
      Error late(ErrorCode::kDeadlineExceeded,
                 fmt::format("the cluster did not form within {}{}{}", format_duration(kFormTimeout),
                             missing.empty() ? "" : ": ", missing));
      return response ? fail(std::move(late)) : fail(std::move(late).with_cause(std::move(response).error()));
    }
    std::this_thread::sleep_for(50ms);  // nodes are starting or electing; nobody tells when they are done
  }
}

Result<v1::GetStatusResponse> LocalCluster::form() {
  const MonoTime deadline = process_now() + kFormTimeout;
  v1::InitClusterRequest init;
  for (std::size_t i = 0; i < config_.node_count(); ++i) {
    v1::NodeSpec& spec = *init.add_nodes();
    spec.set_address(config_.node(i).listen);
    spec.set_region(config_.node(i).region);
  }
  const auto initialised = ask_until_done<v1::InitClusterRequest, v1::InitClusterResponse>(
      v1::kInitCluster, init, deadline, [](const auto&) { return std::string(); });
  if (!initialised) return fail(initialised.error());
  return ask_until_done<v1::GetStatusRequest, v1::GetStatusResponse>(
      v1::kGetStatus, {}, deadline, [](const v1::GetStatusResponse& status) {
        if (status.healthy()) return std::string();
        return status.problems().empty() ? std::string("not healthy yet") : status.problems(0);
      });
}

Result<v1::GetStatusResponse> LocalCluster::wait_until_formed() {
  auto formed = std::async(std::launch::async, [this] { return form(); });
  bool child_lost = false;
  while (formed.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    const ProcessEvent event = wait_for_event(20ms);
    if (event == ProcessEvent::kTerminate || event == ProcessEvent::kHangUp) given_up_ = true;
    children_.tend(process_now());
    if (config_.processes && !config_.restart_children && children_.running() < config_.node_count()) {
      given_up_ = child_lost = true;
    }
  }
  if (child_lost) {
    return fail(ErrorCode::kInternal, "a node's process ended before the cluster was ready; it says above why");
  }
  return formed.get();
}

void LocalCluster::print_summary(const v1::GetStatusResponse& status) const {
  std::printf("Meridian %s is ready: %zu nodes in %zu regions, cluster %016llx.\n", version_text().c_str(),
              config_.node_count(), config_.regions.size(), static_cast<unsigned long long>(status.cluster_id()));
  const auto line = [](const std::string& name, const std::string& address, const std::string& region,
                       const std::string& http, pid_t pid) {
    std::printf("  %-6s %-16s %-12s http://%s/metrics%s\n", name.c_str(), address.c_str(), region.c_str(), http.c_str(),
                pid != 0 ? fmt::format("  pid {}", pid).c_str() : "");
  };
  const ProxyConfig proxy = config_.proxy();
  line("proxy", proxy.listen, proxy.region, proxy.http, 0);
  for (std::size_t i = 0; i < config_.node_count(); ++i) {
    const NodeConfig node = config_.node(i);
    line(node_name(i), node.listen, node.region, node.http, config_.processes ? children_.pid(i) : 0);
  }
  std::printf("Clients connect to %s. Ctrl-C ends it; the data stays in %s.\n", proxy.listen.c_str(),
              config_.dir.c_str());
  std::fflush(stdout);
}

void LocalCluster::serve() {
  for (;;) {
    std::optional<Duration> wait;
    if (const auto next = children_.next_restart()) wait = std::max(*next - process_now(), Duration(0));
    // It belongs to its terminal, and ends with it.
    const ProcessEvent event = wait_for_event(wait);
    if (event == ProcessEvent::kTerminate || event == ProcessEvent::kHangUp) return;
    children_.tend(process_now());
  }
}

// All end together, so no leadership is handed over.
Result<> LocalCluster::end() {
  const Duration bound = config_.shutdown_timeout;
  Result<> result;
  if (proxy_) result = proxy_->shut_down(bound / 4, false);
  std::vector<std::future<Result<>>> endings;
  for (const auto& node : nodes_) {
    endings.push_back(std::async(std::launch::async, [&] { return node->shut_down(bound, false); }));
  }
  for (auto& ending : endings) {
    if (Result<> ended = ending.get(); !ended) result = std::move(ended);
  }
  nodes_.clear();
  proxy_.reset();
  return result;
}

int LocalCluster::run() {
  int code = kExitOk;
  Result<> started = start();
  if (started) {
    const auto formed = wait_until_formed();
    if (formed) {
      print_summary(*formed);
      serve();
    } else if (formed.error().code() != ErrorCode::kCancelled) {
      started = fail(formed.error());
    }
  }
  if (!started) {
    std::fprintf(stderr, "meridian local: %s\n", started.error().to_string().c_str());
    code = kExitFailed;
  }
  if (!children_.end_all(config_.shutdown_timeout)) code = kExitFailed;
  const int ended = end_orderly([this] { return end(); }, config_.shutdown_timeout * 2);
  return code != kExitOk ? code : ended;
}

}  // namespace

Result<> check_local_shape(const LocalConfig& config) {
  PosixFileSystem fs;
  const std::string path = config.dir + "/" + kShapeFile;
  LocalConfig found;
  Settings shape;
  shape.add("regions", "", &found.regions);
  shape.add("nodes_per_region", "", &found.nodes_per_region, 1, 9);
  shape.add("port", "", &found.port, 1, 65000);
  ASSIGN_OR_RETURN(const bool exists, fs.exists(path));
  if (!exists) {
    found = config;
    std::string text = "# The shape of this cluster, written by `meridian local`.\n";
    for (const Settings::Description& d : shape.describe()) text += fmt::format("{} = {}\n", d.key, d.value);
    return write_file_atomically(fs, path, text);
  }
  ASSIGN_OR_RETURN(const std::string text, read_file(fs, path));
  RETURN_IF_ERROR(shape.load_toml(text, path));
  if (found.regions == config.regions && found.nodes_per_region == config.nodes_per_region &&
      found.port == config.port) {
    return {};
  }
  return fail(ErrorCode::kFailedPrecondition,
              fmt::format("{} holds a cluster made with --regions {} --nodes-per-region {} --port {}: start it so, or "
                          "choose another --dir",
                          config.dir, fmt::join(found.regions, ","), found.nodes_per_region, found.port));
}

int run_local(const LocalConfig& config) { return LocalCluster(config).run(); }

}  // namespace meridian::server
