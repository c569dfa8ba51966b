// The proxy: stateless, answers the public calls (client/proto/methods.h) by asking nodes (shard/api/methods.h).
// One request path behind every front door: what arrives over Transport and what dispatch() is given are the same.
//
//   Runtime, Transport ─► Proxy proxy({runtime, transport}, options); proxy.start();
//
// What a caller may rely on: a write whose outcome is not known is answered kUnknownOutcome, never as failed; any other
// error of a write means that it did not happen. Lives on its Runtime's loop; everything here is for that thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/runtime.h"
#include "base/transport.h"
#include "shard/api/methods.h"

namespace meridian {

namespace proxy {
struct Parts;
}

struct ProxyOptions {
  std::vector<Address> nodes;  // seeds: some nodes of the cluster; matter until one has told the topology
  std::string region;          // where the proxy runs: replicas there are near
  std::string version;         // for logs and Hello
  api::Limits limits;
  // Of data calls that bring none, and the longest that is granted.
  Duration default_deadline = std::chrono::seconds(10);
  // The longest an administrative call may take.
  Duration admin_deadline = std::chrono::seconds(60);
  Duration max_clock_offset = std::chrono::milliseconds(250);
  Duration request_window = std::chrono::minutes(10);  // how long nodes remember request ids
  // Data requests under way, of all callers. More are refused as busy than what the cluster has shown to keep up with, with
  // `queueing` of waiting; between these bounds (proxy/admission.h).
  std::size_t min_inflight = 1'280;
  std::size_t max_inflight = 65'536;
  // What the requests under way hold, as they came.
  std::size_t max_inflight_bytes = 256u << 20;
  // Status and administration under way, whatever data is.
  std::size_t max_control_inflight = 256;
  Duration queueing = std::chrono::milliseconds(25);
  // An attempt without an answer is given up after this, doubled with each silence of the same call.
  Duration attempt_timeout = std::chrono::seconds(1);
  Duration scan_attempt_timeout = std::chrono::seconds(3);
  // Of asking a node for the topology or its status.
  Duration probe_timeout = std::chrono::seconds(1);
  // While requests are going the topology is asked for this often.
  Duration refresh_interval = std::chrono::seconds(5);
  Duration backoff_min = std::chrono::milliseconds(5);
  Duration backoff_max = std::chrono::milliseconds(200);
};

class Proxy {
 public:
  struct Deps {
    Runtime& runtime;
    Transport& transport;        // outlives the proxy
    Metrics* metrics = nullptr;  // null: counted, and seen by nobody but stats()
  };
  using Options = ProxyOptions;

  // Registers handlers for all public methods on the transport.
  Proxy(Deps deps, Options options);
  // Calls under way are dropped: their callers get kUnknownOutcome.
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // Begins to learn the topology.
  void start();
  // Knows a topology of which some node answered when last asked, and who leads.
  bool ready() const;
  // What keeps it from being ready, for people; empty: nothing.
  std::string not_ready() const;
  // From now on new requests are refused with kUnavailable; what is under way goes on.
  void drain();
  // Requests under way.
  std::size_t in_flight() const;

  // As if the call had arrived over the transport. respond is called exactly once, from the loop, perhaps at once.
  void dispatch(MethodId method, std::string payload, MonoTime deadline, ResponseCallback respond);
  void dispatch(MethodId method, IncomingCall call);

  struct Stats {
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;
    std::uint64_t retries = 0;    // attempts after the first
    std::uint64_t redirects = 0;  // answers "not the leader"
    std::uint64_t unknown_outcomes = 0;
  };
  Stats stats() const;

 private:
  std::unique_ptr<proxy::Parts> parts_;
};

}  // namespace meridian
