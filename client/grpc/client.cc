#include "meridian/client.h"

#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "client/grpc/connection.h"
#include "client/grpc/scan_state.h"

namespace meridian::sdk {
namespace {

using detail::to_public;

Error invalid(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

Result<void> check_address(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  unsigned port = 0;
  if (colon != std::string_view::npos && colon > 0) {
    const std::string_view digits = address.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error == std::errc() && end == digits.data() + digits.size() && port >= 1 && port <= 65'535) return {};
  }
  return invalid(fmt::format("proxy '{}' is not host:port with a port from 1 to 65535", address));
}

Result<void> check(const ConnectOptions& options) {
  if (options.proxies().empty()) return invalid("no proxy was given");
  for (const std::string& address : options.proxies()) {
    if (auto checked = check_address(address); !checked) return checked;
  }
  if (options.timeout().count() < 1) return invalid("the default timeout is below 1 ms");
  if (options.connect_timeout().count() < 0) return invalid("the connect timeout is negative");
  if (options.max_in_flight() < 1) return invalid("max_in_flight is 0");
  if (!(options.inject_faults() >= 0 && options.inject_faults() <= 1)) {
    return invalid(fmt::format("inject_faults is {}; it is a share from 0 to 1", options.inject_faults()));
  }
  return {};
}

// The translation of an answer whose name does not matter.
constexpr auto kToPublic = [](auto&& response) { return to_public(std::move(response)); };

}  // namespace

Result<Client> Client::connect(const ConnectOptions& options) {
  if (auto checked = check(options); !checked) return checked.error();
  Client client(std::make_shared<detail::Connection>(options));
  if (options.connect_timeout().count() > 0) {
    if (detail::on_client_thread()) return detail::would_deadlock();
    auto hello = client.connection_
                     ->call<ProxyInfo>(v1::kHello, v1::HelloRequest(), CallOptions().timeout(options.connect_timeout()),
                                       kToPublic)
                     .get();
    // Of a try to connect, "too late" is "not there".
    if (!hello) {
      Error error = std::move(hello).error();
      if (error.code() != ErrorCode::kDeadlineExceeded) return error;
      std::vector<std::string> causes = error.causes();
      causes.insert(causes.begin(), error.message());
      return Error(ErrorCode::kUnavailable,
                   fmt::format("no proxy answered within {} ms", options.connect_timeout().count()), true,
                   std::move(causes), error.retry_after());
    }
  }
  return client;
}

Future<ReadResult> Client::get_async(std::string key, CallOptions options) {
  v1::GetRequest request;
  request.set_keyspace(options.keyspace());
  request.set_key(std::move(key));
  *request.mutable_options() = detail::read_options(options);
  return connection_->call<ReadResult>(v1::kGet, std::move(request), options, kToPublic);
}
Result<ReadResult> Client::get(std::string key, CallOptions options) {
  return get_async(std::move(key), std::move(options)).get();
}

Future<MultiReadResult> Client::multi_get_async(std::vector<std::string> keys, CallOptions options) {
  v1::MultiGetRequest request;
  request.set_keyspace(options.keyspace());
  for (std::string& key : keys) request.add_keys(std::move(key));
  *request.mutable_options() = detail::read_options(options);
  return connection_->call<MultiReadResult>(v1::kMultiGet, std::move(request), options, kToPublic);
}
Result<MultiReadResult> Client::multi_get(std::vector<std::string> keys, CallOptions options) {
  return multi_get_async(std::move(keys), std::move(options)).get();
}

Future<WriteResult> Client::put_async(std::string key, std::string value, CallOptions options) {
  v1::PutRequest request;
  request.set_keyspace(options.keyspace());
  request.set_key(std::move(key));
  request.set_value(std::move(value));
  return connection_->call<WriteResult>(v1::kPut, std::move(request), options, kToPublic);
}
Result<WriteResult> Client::put(std::string key, std::string value, CallOptions options) {
  return put_async(std::move(key), std::move(value), std::move(options)).get();
}

Future<WriteResult> Client::remove_async(std::string key, CallOptions options) {
  v1::RemoveRequest request;
  request.set_keyspace(options.keyspace());
  request.set_key(std::move(key));
  return connection_->call<WriteResult>(v1::kRemove, std::move(request), options, kToPublic);
}
Result<WriteResult> Client::remove(std::string key, CallOptions options) {
  return remove_async(std::move(key), std::move(options)).get();
}

Future<CompareAndSetResult> Client::compare_and_set_async(std::string key, Expected expected, Desired desired,
                                                          CallOptions options) {
  v1::CompareAndSetRequest request = detail::to_proto(std::move(expected), std::move(desired));
  request.set_keyspace(options.keyspace());
  request.set_key(std::move(key));
  return connection_->call<CompareAndSetResult>(v1::kCompareAndSet, std::move(request), options, kToPublic);
}
Result<CompareAndSetResult> Client::compare_and_set(std::string key, Expected expected, Desired desired,
                                                    CallOptions options) {
  return compare_and_set_async(std::move(key), std::move(expected), std::move(desired), std::move(options)).get();
}

Future<WriteResult> Client::write_batch_async(WriteBatch batch, CallOptions options) {
  v1::WriteBatchRequest request = detail::to_proto(batch);
  request.set_keyspace(options.keyspace());
  return connection_->call<WriteResult>(v1::kWriteBatch, std::move(request), options, kToPublic);
}
Result<WriteResult> Client::write_batch(WriteBatch batch, CallOptions options) {
  return write_batch_async(std::move(batch), std::move(options)).get();
}

Scanner Client::scan(ScanRange range, ScanOptions scan_options, CallOptions options) {
  return Scanner(std::make_shared<detail::ScanState>(connection_, std::move(range), scan_options, std::move(options)));
}

Future<RequestId> Client::new_request_id_async(CallOptions options) { return connection_->new_request_id(options); }
Result<RequestId> Client::new_request_id(CallOptions options) { return new_request_id_async(std::move(options)).get(); }

}  // namespace meridian::sdk
