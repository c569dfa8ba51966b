#include "tools/ctl/context.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "tools/ctl/text.h"

namespace meridian::ctl {

std::chrono::milliseconds Context::timeout_ms() const {
  return parse_duration(timeout).value_or(std::chrono::milliseconds(10'000));
}

sdk::Result<sdk::Client> Context::connect() const {
  sdk::ConnectOptions options(split(proxies, ','));
  options.timeout(timeout_ms()).connect_timeout(std::min(timeout_ms(), std::chrono::milliseconds(5'000)));
  return sdk::Client::connect(options);
}

sdk::CallOptions Context::call_options() const {
  sdk::CallOptions options;
  if (!keyspace.empty()) options.keyspace(keyspace);
  return options;
}

int Context::fail(const sdk::Error& error) const {
  std::fflush(stdout);
  fmt::print(stderr, "meridianctl: {}\n", error.to_string());
  if (const std::string what_to_do = advice(error, *this); !what_to_do.empty())
    fmt::print(stderr, "  {}\n", what_to_do);
  return exit_code(error.code());
}

int Context::fail_usage(std::string_view message) const {
  fmt::print(stderr, "meridianctl: {}\n", message);
  return kExitUsage;
}

void Context::warn(std::string_view message) const { fmt::print(stderr, "{}\n", message); }

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
