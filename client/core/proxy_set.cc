#include "client/core/proxy_set.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace meridian::client {

ProxySet::ProxySet(std::vector<Address> proxies, Options options) : options_(options) {
  CHECK(!proxies.empty());
  for (Address& address : proxies) {
    Proxy& proxy = proxies_.emplace_back();
    proxy.address = std::move(address);
  }
}

ProxySet::Index ProxySet::pick(const std::vector<bool>& tried, std::uint64_t random) const {
  if (proxies_.size() == 1) return 0;
  std::vector<Index> candidates;
  for (Index i = 0; i < proxies_.size(); ++i) {
    if (!proxies_[i].down && !tried[i]) candidates.push_back(i);
  }
  if (candidates.size() == 1) return candidates.front();
  if (candidates.size() > 1) {
    const std::size_t n = candidates.size();
    const std::size_t first = (random & 0xffffffff) % n;
    const std::size_t second = (first + 1 + (random >> 32) % (n - 1)) % n;
    const Index a = candidates[first];
    const Index b = candidates[second];
    return proxies_[b].in_flight < proxies_[a].in_flight ? b : a;
  }
  // None is known to be good: hope is best where the last failure is oldest.
  const auto better = [&](Index a, Index b) {
    return std::tuple(bool(tried[a]), proxies_[a].down, proxies_[a].due) <
           std::tuple(bool(tried[b]), proxies_[b].down, proxies_[b].due);
  };
  Index best = 0;
  for (Index i = 1; i < proxies_.size(); ++i) {
    if (better(i, best)) best = i;
  }
  return best;
}

bool ProxySet::has_healthy_untried(const std::vector<bool>& tried) const {
  for (Index i = 0; i < proxies_.size(); ++i) {
    if (!proxies_[i].down && !tried[i]) return true;
  }
  return false;
}

std::optional<ProxySet::Index> ProxySet::take_probe(MonoTime now) {
  for (Index i = 0; i < proxies_.size(); ++i) {
    Proxy& proxy = proxies_[i];
    if (proxy.down && !proxy.probing && proxy.due <= now) {
      proxy.probing = true;
      return i;
    }
  }
  return std::nullopt;
}

void ProxySet::succeeded(Index i) {
  proxies_[i].down = false;
  proxies_[i].probing = false;
  proxies_[i].failures = 0;
}

void ProxySet::failed(Index i, MonoTime now, std::uint64_t jitter) {
  Proxy& proxy = proxies_[i];
  proxy.probing = false;
  // Requests that were under way together fail together: one failure, not many.
  if (proxy.down && now < proxy.due) return;
  proxy.down = true;
  const Duration wait = std::min(options_.down_max, options_.down_initial * (1 << std::min(proxy.failures, 16)));
  ++proxy.failures;
  proxy.due =
      now + wait / 2 + Duration(static_cast<std::int64_t>(jitter % static_cast<std::uint64_t>(wait.count() / 2 + 1)));
}

}  // namespace meridian::client
