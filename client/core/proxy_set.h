// Which proxies answer, and which one takes the next attempt: the less busy of two drawn at random among
// the healthy ones not tried yet. One that failed is left alone for a while that doubles with each failure
// in a row, then probed with a Hello before it gets requests again; the memory is short, so that a
// proxy that came back is used again soon. Pure; lives on its client's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/transport.h"
#include "base/types.h"

namespace meridian::client {

class ProxySet {
 public:
  using Index = std::size_t;
  struct Options {
    Duration down_initial = std::chrono::milliseconds(250);
    Duration down_max = std::chrono::seconds(5);
  };
  ProxySet(std::vector<Address> proxies, Options options);

  std::size_t size() const { return proxies_.size(); }
  const Address& address(Index i) const { return proxies_[i].address; }
  bool healthy(Index i) const { return !proxies_[i].down; }
  std::size_t in_flight(Index i) const { return proxies_[i].in_flight; }

  // tried[i]: the request has failed there in this round. Prefers a healthy one that was not tried, then
  // any that was not, soonest due first. random: 64 uniform bits.
  Index pick(const std::vector<bool>& tried, std::uint64_t random) const;
  bool has_healthy_untried(const std::vector<bool>& tried) const;

  // A proxy that was left alone long enough; it counts as being probed until succeeded() or failed().
  std::optional<Index> take_probe(MonoTime now);

  void began(Index i) { ++proxies_[i].in_flight; }
  void ended(Index i) { --proxies_[i].in_flight; }
  // It answered, be it with an error of its own.
  void succeeded(Index i);
  // It could not be reached, the connection broke, or no answer came. jitter: 64 uniform bits.
  void failed(Index i, MonoTime now, std::uint64_t jitter);

 private:
  struct Proxy {
    Address address;
    std::size_t in_flight = 0;
    bool down = false;
    bool probing = false;
    int failures = 0;  // in a row
    MonoTime due;      // of its probe
  };
  std::vector<Proxy> proxies_;
  Options options_;
};

}  // namespace meridian::client
