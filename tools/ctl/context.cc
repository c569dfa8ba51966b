#include "tools/ctl/context.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "tools/ctl/one_cluster.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

void say_json(const boost::json::value& value) { fmt::print(stderr, "{}\n", boost::json::serialize(value)); }

boost::json::object error_json(const sdk::Error& error, std::string_view advice, std::string_view request_id,
                               int code) {
  boost::json::array causes;
  for (const std::string& cause : error.causes()) causes.emplace_back(with_shown_times(cause));
  boost::json::object object{{"code", sdk::to_string(error.code())},
                             {"message", with_shown_times(error.message())},
                             {"causes", std::move(causes)},
                             {"definite", error.is_definite()},
                             {"exit_code", code}};
  if (error.retry_after().count() > 0) object["retry_after_ms"] = error.retry_after().count();
  if (!request_id.empty()) object["request_id"] = request_id;
  if (!advice.empty()) object["advice"] = advice;
  return {{"error", std::move(object)}};
}

// Of what is no error of the cluster.
boost::json::object failure_json(ExitCode code, std::string_view message) {
  const char* name = code == kExitUsage          ? "usage"
                     : code == kExitUnhealthy    ? "not found"
                     : code == kExitStillRunning ? "still running"
                                                 : "failed";
  return {{"error", boost::json::object{{"code", name}, {"message", message}, {"exit_code", static_cast<int>(code)}}}};
}

}  // namespace

std::chrono::milliseconds Context::timeout_ms() const {
  return parse_duration(timeout).value_or(std::chrono::milliseconds(10'000));
}

sdk::Result<sdk::Client> Context::connect() const {
  if (auto one = check_one_cluster(split(proxies, ','), std::min(timeout_ms(), std::chrono::milliseconds(2'000))); !one)
    return std::move(one).error();
  sdk::ConnectOptions options(split(proxies, ','));
  options.timeout(timeout_ms()).connect_timeout(std::min(timeout_ms(), std::chrono::milliseconds(5'000)));
  return sdk::Client::connect(options);
}

sdk::CallOptions Context::call_options() const {
  sdk::CallOptions options;
  if (!keyspace.empty()) options.keyspace(keyspace);
  return options;
}

sdk::Result<std::uint64_t> Context::cluster_id(const sdk::Client& client) const {
  sdk::Admin admin(client);
  auto hello = admin.hello();
  if (!hello) return std::move(hello).error();
  if (hello->cluster_id != 0) return hello->cluster_id;
  // A proxy that has just started asks the nodes for this.
  auto status = admin.status();
  if (!status) return std::move(status).error();
  if (status->cluster_id != 0) return status->cluster_id;
  return sdk::Error(sdk::ErrorCode::kUnavailable, "no node of a cluster answers, and --resume has to know which it is");
}

int Context::fail(const sdk::Error& error, std::string_view request_id) const {
  std::fflush(stdout);
  const int code = exit_code(error.code());
  const std::string what_to_do = advice(error, *this);
  if (json()) {
    say_json(error_json(error, what_to_do, request_id, code));
    return code;
  }
  fmt::print(stderr, "meridianctl: {}\n", with_shown_times(error.to_string()));
  if (!what_to_do.empty()) fmt::print(stderr, "  {}\n", what_to_do);
  if (!request_id.empty()) fmt::print(stderr, "  The request id: {}\n", request_id);
  return code;
}

int Context::fail(ExitCode code, std::string_view message) const {
  std::fflush(stdout);
  if (json()) {
    say_json(failure_json(code, message));
  } else {
    fmt::print(stderr, "meridianctl: {}\n", message);
  }
  return code;
}

void Context::warn(std::string_view message) const { fmt::print(stderr, "{}\n", warning(message)); }

std::string Context::warning(std::string_view message) const {
  if (!json()) return std::string(message);
  const std::size_t begin = std::min(message.find_first_not_of(' '), message.size());
  return boost::json::serialize(boost::json::object{{"warning", message.substr(begin)}});
}

void Context::print_json(const boost::json::value& value) { print(boost::json::serialize(value) + "\n"); }

void Context::print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string advice(const sdk::Error& error, const Context& context) {
  using enum sdk::ErrorCode;
  switch (error.code()) {
    case kUnavailable:
      return fmt::format(
          "Asked {}. Is a proxy running there (`meridian local` starts a whole cluster)? Name others with --proxy or "
          "MERIDIAN_PROXY; where one answers, `meridianctl status` says what is wrong.",
          context.proxies);
    case kDeadlineExceeded:
      return fmt::format(
          "Nothing was changed. `meridianctl status` says whether the cluster is healthy; --timeout gives "
          "it more than {}.",
          context.timeout);
    case kUnknownOutcome:
      return "It may have been done, or still be. Read what is there before doing it again, or repeat it with the same "
             "--request-id.";
    case kBusy: return "The cluster is overloaded and did nothing. Try again later, or with fewer requests at once.";
    case kDiskFull: return "Free space on the disk of the node named above; it accepts writes again by itself.";
    case kNotFound:
      if (!context.keyspace.empty()) return "`meridianctl status` lists the keyspaces there are.";
      return "`meridianctl status` lists the nodes and keyspaces there are.";
    case kUnimplemented:
      return "meridianctl and the cluster are of versions that do not fit: compare `meridianctl version`.";
    case kCorruption:
    case kIo:
    case kInternal: return "`meridianctl status` names the node in trouble; its log says more.";
    default: return {};
  }
}

int exit_code(sdk::ErrorCode code) {
  using enum sdk::ErrorCode;
  switch (code) {
    case kInvalidArgument: return kExitUsage;
    case kUnavailable:
    case kNotFound: return kExitUnhealthy;
    case kUnknownOutcome: return kExitStillRunning;
    default: return kExitFailed;
  }
}

void put_bytes(boost::json::object& object, std::string_view name, std::string_view bytes) {
  if (is_utf8(bytes)) {
    object[name] = bytes;
  } else {
    object[std::string(name) + "_base64"] = to_base64(bytes);
  }
}

std::string json_u64(std::uint64_t number) { return std::to_string(number); }

std::string hex_id(std::uint64_t id) { return fmt::format("{:016x}", id); }

}  // namespace meridian::ctl
