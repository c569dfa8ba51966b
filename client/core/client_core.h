// The SDK without sockets and threads: request ids, retries inside the caller's deadline, fail-over over
// several proxies, and the truth about what became of a write. Lives on its Runtime's loop, under real
// time (client/grpc) and under virtual time (the simulator).
//
//   ClientCore core({runtime, transport, {"127.0.0.1:7400"}, {}});
//   v1::PutRequest put;
//   put.set_key("k");
//   core.call(v1::kPut, put, Call{}, [](Result<v1::WriteResponse> written) { ... });   // or:
//   Result<v1::WriteResponse> written = co_await core.call(v1::kPut, put);
//
// How a call ends:
//   with the server's answer;
//   a read, or a write of which every attempt certainly was not executed, with the last error, its code
//     kept (kUnavailable, kBusy, kDeadlineExceeded, ...), and the attempts before as causes;
//   a write of which any attempt may have been received, and that got no answer, with kUnknownOutcome.
//     An error that answers a later attempt ("busy", "unavailable", even "invalid") speaks of that attempt
//     only and changes nothing: the first may still be on its way;
//   cancelled: kCancelled, or kUnknownOutcome by the same rule.
// Callbacks are called from the loop, never from inside a function of this class, exactly once each
// (never, if the incarnation dies).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/associated_cancellation_slot.hpp>

#include "base/lifetime.h"
#include "base/runtime.h"
#include "base/task.h"
#include "base/transport.h"
#include "client/core/client_call.h"
#include "client/core/proxy_set.h"
#include "client/core/request_clock.h"
#include "client/core/retry_policy.h"
#include "client/core/throttle.h"
#include "client/proto/methods.h"

namespace meridian::client {

using CallId = std::uint64_t;  // 0: none

struct Options {
  Duration default_timeout = std::chrono::seconds(10);
  // After this without an answer, and what a slow line takes for large messages, doubled with each attempt, another
  // attempt is made elsewhere. Whichever is answered first counts: on a slow line that may be the first one yet.
  Duration attempt_timeout = std::chrono::seconds(2);
  // Of one try to learn the cluster's time, and of one probe of a proxy.
  Duration hello_timeout = std::chrono::seconds(5);
  Duration probe_timeout = std::chrono::seconds(1);
  BackOff back_off;
  ProxySet::Options proxies;
  // Calls under way; more are refused with kBusy.
  std::size_t max_in_flight = 65'536;
  // The share of calls that end with an error although nothing is wrong, for users to test their code.
  double inject_faults = 0;
};

class ClientCore {
 public:
  struct Deps {
    Runtime& runtime;
    Transport& transport;
    std::vector<Address> proxies;  // at least one
    Options options;
    std::shared_ptr<Throttle> throttle = std::make_shared<Throttle>();
  };
  explicit ClientCore(Deps deps);
  // Calls under way are dropped, their callbacks not called: shut_down() first where someone waits. Not
  // from inside a callback.
  ~ClientCore();
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  // On the loop, like everything here. Any method of client/proto/methods.h.
  template <class Request, class Response>
  CallId call(const Method<Request, Response>& method, Request request, Call call, Done<Response> done) {
    return start(
        std::make_unique<TypedCall<Request, Response>>(method, std::move(request), std::move(call), std::move(done)));
  }
  // Cancelled through Asio's slot where the awaiting coroutine is.
  template <class Request, class Response>
  Task<Result<Response>> call(const Method<Request, Response>& method, Request request, Call options = {}) {
    co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Result<Response>)>(
        [&](auto handler) {
          auto slot = boost::asio::get_associated_cancellation_slot(handler);
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          const CallId id = call(method, std::move(request), std::move(options),
                                 Done<Response>([shared, slot](Result<Response> result) mutable {
                                   if (slot.is_connected()) slot.clear();
                                   std::move (*shared)(std::move(result));
                                 }));
          if (slot.is_connected()) slot.assign([this, id](boost::asio::cancellation_type) { cancel(id); });
        },
        boost::asio::use_awaitable);
  }

  // The calls by name; each also as a Task.
#define MERIDIAN_CLIENT_CALL(name, method, Request, Response)                         \
  CallId name(v1::Request request, Call options, Done<v1::Response> done) {           \
    return call(v1::method, std::move(request), std::move(options), std::move(done)); \
  }                                                                                   \
  Task<Result<v1::Response>> name(v1::Request request, Call options = {}) {           \
    return call(v1::method, std::move(request), std::move(options));                  \
  }
  MERIDIAN_CLIENT_CALL(get, kGet, GetRequest, GetResponse)
  MERIDIAN_CLIENT_CALL(multi_get, kMultiGet, MultiGetRequest, MultiGetResponse)
  MERIDIAN_CLIENT_CALL(put, kPut, PutRequest, WriteResponse)
  MERIDIAN_CLIENT_CALL(remove, kRemove, RemoveRequest, WriteResponse)
  MERIDIAN_CLIENT_CALL(compare_and_set, kCompareAndSet, CompareAndSetRequest, CompareAndSetResponse)
  MERIDIAN_CLIENT_CALL(scan_page, kScan, ScanRequest, ScanResponse)
  MERIDIAN_CLIENT_CALL(write_batch, kWriteBatch, WriteBatchRequest, WriteResponse)
  MERIDIAN_CLIENT_CALL(hello, kHello, HelloRequest, HelloResponse)
  MERIDIAN_CLIENT_CALL(init_cluster, kInitCluster, InitClusterRequest, InitClusterResponse)
  MERIDIAN_CLIENT_CALL(get_status, kGetStatus, GetStatusRequest, GetStatusResponse)
  MERIDIAN_CLIENT_CALL(add_node, kAddNode, AddNodeRequest, NodeOperationResponse)
  MERIDIAN_CLIENT_CALL(remove_node, kRemoveNode, RemoveNodeRequest, NodeOperationResponse)
  MERIDIAN_CLIENT_CALL(replace_node, kReplaceNode, ReplaceNodeRequest, NodeOperationResponse)
  MERIDIAN_CLIENT_CALL(transfer_leader, kTransferLeader, TransferLeaderRequest, TransferLeaderResponse)
#undef MERIDIAN_CLIENT_CALL

  // An id for Call::id; asks for the cluster's time first if it is not known.
  CallId new_request_id(Call options, Done<v1::RequestId> done);

  // Ends a call soon; of one that ended, or 0, nothing.
  void cancel(CallId id);
  // Cancels all; later calls are refused with kCancelled.
  void shut_down();

  std::size_t in_flight() const { return calls_.size(); }
  const ProxySet& proxies() const { return proxies_; }

 private:
  CallId start(std::unique_ptr<PendingCall> call);
  CallId refuse(std::unique_ptr<PendingCall> call, Error error);
  bool inject_fault(PendingCall& call);
  bool throttled(const PendingCall& call, MonoTime now);

  void attempt(CallId id);
  void on_answer(CallId id, int attempt, ProxySet::Index proxy, MonoTime sent, Result<std::string> answer);
  void on_late_answer(CallId id, int part, ProxySet::Index proxy, MonoTime sent, std::string_view answer);
  void accepted(CallId id, WallTime cluster_time, MonoTime sent);
  void on_attempt_failed(CallId id, ProxySet::Index proxy, Error error);
  void back_off(CallId id, Error error);
  void note_health(ProxySet::Index proxy, MonoTime sent, const Result<std::string>& answer);
  void probe_if_due();

  // The cluster's time: mutations wait until one Hello has been answered.
  void park(CallId id);
  void learn_time();
  void on_time_learnt(Result<v1::HelloResponse> hello);
  void on_parked_too_long(CallId id);

  Error conclusion(const PendingCall& call, Error error, bool gave_up) const;
  void finish(CallId id, Error error);
  void finish(CallId id);
  std::unique_ptr<PendingCall> take(CallId id);
  PendingCall* find(CallId id);
  std::uint64_t client_number();

  Runtime& runtime_;
  Transport& transport_;
  const Options options_;
  ProxySet proxies_;
  const std::shared_ptr<Throttle> throttle_;
  RequestClock clock_;
  std::uint64_t client_number_ = 0;
  CallId last_id_ = 0;
  std::map<CallId, std::unique_ptr<PendingCall>> calls_;
  std::vector<CallId> parked_;
  CallId hello_ = 0;  // the Hello that parked calls wait for
  bool shut_down_ = false;
  // An answer that comes while the request is being handed over waits for the loop's next turn.
  bool inside_transport_ = false;
  Lifetime lifetime_;  // callbacks of transport and timers may come after this is gone
};

}  // namespace meridian::client
