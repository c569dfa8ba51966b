#include "tools/ctl/one_cluster.h"

#include <algorithm>

#include <fmt/format.h>
#include <meridian/admin.h>

#include "tools/ctl/context.h"

namespace meridian::ctl {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kMoment(250);
constexpr std::chrono::milliseconds kStep(5);

struct Asked {
  std::string proxy;
  sdk::Client client;
  sdk::Future<sdk::ProxyInfo> hello;
};

// Until all have answered, or those that have not are not worth waiting for.
void wait_for(const std::vector<Asked>& asked, std::chrono::milliseconds patience) {
  const Clock::time_point began = Clock::now();
  Clock::time_point end = began + patience;
  bool any = false;
  for (;;) {
    const auto silent = std::ranges::find_if(asked, [](const Asked& each) { return !each.hello.is_ready(); });
    if (silent == asked.end() || Clock::now() >= end) return;
    if (!any && std::ranges::any_of(asked, [](const Asked& each) { return each.hello.is_ready(); })) {
      any = true;
      // Far ones take their time, as long as several times the nearest at least.
      end = std::min(end, Clock::now() + std::max<Clock::duration>(kMoment, 3 * (Clock::now() - began)));
    }
    silent->hello.wait_for(kStep);
  }
}

}  // namespace

sdk::Result<void> check_one_cluster(const std::vector<std::string>& proxies, std::chrono::milliseconds patience) {
  if (proxies.size() < 2) return {};
  std::vector<Asked> asked;
  for (const std::string& proxy : proxies) {
    auto client = sdk::Client::connect(sdk::ConnectOptions({proxy}).connect_timeout(std::chrono::milliseconds(0)));
    if (!client) return std::move(client).error();
    auto hello = sdk::Admin(*client).hello_async(sdk::CallOptions().timeout(patience));
    asked.push_back({proxy, std::move(*client), std::move(hello)});
  }
  wait_for(asked, patience);
  const std::string* first = nullptr;
  std::uint64_t cluster = 0;
  for (Asked& each : asked) {
    if (!each.hello.is_ready()) continue;
    const auto hello = each.hello.get();
    if (!hello || hello->cluster_id == 0) continue;
    if (first == nullptr) {
      first = &each.proxy;
      cluster = hello->cluster_id;
    } else if (hello->cluster_id != cluster) {
      return sdk::Error(sdk::ErrorCode::kInvalidArgument,
                        fmt::format("{} is a proxy of cluster {}, {} of cluster {}: name proxies of one", *first,
                                    hex_id(cluster), each.proxy, hex_id(hello->cluster_id)));
    }
  }
  return {};
}

}  // namespace meridian::ctl
