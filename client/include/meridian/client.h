// The Meridian client: one connection to a cluster, through its proxies.
//
//   #include <meridian/client.h>
//
//   auto client = meridian::Client::connect({"127.0.0.1:7400"});
//   if (!client) { std::cerr << client.error().to_string() << "\n"; return 1; }
//   auto written = client->put("greeting", "hello");
//   auto read = client->get("greeting");
//
// Limits (settings of the cluster; passing one is kInvalidArgument, which names value and limit): keys
// 1 B to 4 KiB, values up to 1 MiB, a batch 4 MiB.
//
// Errors that every call may end with, besides those it lists:
//   kDeadlineExceeded, kUnavailable, kBusy   definite: it did not happen. The client has tried again,
//                      over all proxies, within the timeout; the causes say what it met.
//   kUnknownOutcome    writes only: it may have been received and no answer came. Never hidden in a
//                      time-out. Repeat it with the same request id, or read.
//   kCancelled         see CancellationSource
//   kNotFound          no such keyspace
//   kIo, kCorruption, kDiskFull, kInternal, kUnimplemented   the cluster's fault, tried at every proxy first
// Writes are retried under one request id: however often they are sent, they take effect at most once.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <meridian/config.h>
#include <meridian/future.h>
#include <meridian/options.h>
#include <meridian/result.h>
#include <meridian/scan.h>
#include <meridian/task.h>
#include <meridian/types.h>

MERIDIAN_SDK_BEGIN

namespace detail {
class Connection;
}

// A handle; copies share the connection, which closes with the last one. Thread-safe. Each connection has
// one thread of its own; calls of many threads travel in common batches, so one client per process is best.
class Client {
 public:
  // Starts the client and waits until a proxy answers, at most ConnectOptions::connect_timeout().
  // kInvalidArgument: no proxy given, or one that is not host:port. kUnavailable: none answered.
  static Result<Client> connect(const ConnectOptions& options);

  // The newest value of a key. `found` is false where there is none.
  //   auto read = client.get("user/7");
  //   if (read && read->found) use(read->value);
  // kInvalidArgument: key empty or too long; kOutOfRange: see CallOptions::at_timestamp().
  Result<ReadResult> get(std::string key, CallOptions options = CallOptions());
  Future<ReadResult> get_async(std::string key, CallOptions options = CallOptions());

  // Up to 1,000 keys as of one timestamp; answers in the order asked. What does not fit one answer (4 MiB) is asked for by
  // itself, at the same timestamp, within the same time-out.
  //   auto read = client.multi_get({"a", "b"});
  //   if (read) for (const auto& item : read->items) ...
  // kInvalidArgument: none or too many keys, or a bad one; kOutOfRange as for get().
  Result<MultiReadResult> multi_get(std::vector<std::string> keys, CallOptions options = CallOptions());
  Future<MultiReadResult> multi_get_async(std::vector<std::string> keys, CallOptions options = CallOptions());

  // Writes a key, whatever it holds. Answered when a majority of replicas has it on disk.
  //   if (auto written = client.put("user/7", "Ada"); !written && !written.error().is_definite()) ...
  // kInvalidArgument: key or value outside the limits, or a request id used for another write.
  Result<WriteResult> put(std::string key, std::string value, CallOptions options = CallOptions());
  Future<WriteResult> put_async(std::string key, std::string value, CallOptions options = CallOptions());

  // Removes a key; succeeds also where there is none.
  //   client.remove("user/7");
  // kInvalidArgument as for put().
  Result<WriteResult> remove(std::string key, CallOptions options = CallOptions());
  Future<WriteResult> remove_async(std::string key, CallOptions options = CallOptions());

  // Writes a key if it holds what is expected. That it does not is an answer (`succeeded` is false).
  //   auto taken = client.compare_and_set("lock", meridian::Expected::absent(), meridian::Desired::value("me"));
  //   if (taken && taken->succeeded) ...
  // kInvalidArgument as for put().
  Result<CompareAndSetResult> compare_and_set(std::string key, Expected expected, Desired desired,
                                              CallOptions options = CallOptions());
  Future<CompareAndSetResult> compare_and_set_async(std::string key, Expected expected, Desired desired,
                                                    CallOptions options = CallOptions());

  // Several writes, all or nothing, at one timestamp.
  //   client.write_batch(meridian::WriteBatch().put("a", "1").remove("b"));
  // kInvalidArgument: empty, over 100,000 writes or 4 MiB, a key twice, a key or value outside the limits.
  Result<WriteResult> write_batch(WriteBatch batch, CallOptions options = CallOptions());
  Future<WriteResult> write_batch_async(WriteBatch batch, CallOptions options = CallOptions());

  // Reads a range of keys in order; asks nothing before the first page is wanted. See Scanner.
  //   auto scan = client.scan(meridian::ScanRange::prefix("user/"), meridian::ScanOptions().limit(10));
  //   for (const auto& entry : scan) ...
  Scanner scan(ScanRange range, ScanOptions scan_options = ScanOptions(), CallOptions options = CallOptions());

  // An id for CallOptions::request_id(), made from the cluster's time (which the first one may have to
  // ask for). Use it within 10 minutes. kUnavailable, kDeadlineExceeded: no proxy answered.
  Result<RequestId> new_request_id(CallOptions options = CallOptions());
  Future<RequestId> new_request_id_async(CallOptions options = CallOptions());

  // For the library's other classes.
  explicit Client(std::shared_ptr<detail::Connection> connection) : connection_(std::move(connection)) {}
  const std::shared_ptr<detail::Connection>& connection() const { return connection_; }

 private:
  std::shared_ptr<detail::Connection> connection_;
};

MERIDIAN_SDK_END

#ifdef MERIDIAN_SDK_NESTED
namespace meridian {
using sdk::Client;
using sdk::ConnectOptions;
}  // namespace meridian
#endif
