// What every command of meridianctl shares: the global options, the connection, and how errors are said.
// Main thread only. Standard output carries the answer alone; everything said beside it goes to standard error, with
// -o json as one JSON document a line.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include <meridian/admin.h>
#include <meridian/client.h>
#include <boost/json/fwd.hpp>

namespace meridian::ctl {

// Documented in --help and tools/README.md.
enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,
  kExitUsage = 2,         // the command line, a setting, an argument or a record of a file cannot work as it is
  kExitUnhealthy = 3,     // the cluster is not healthy or not reachable; or what was asked for is not there
  kExitStillRunning = 4,  // no answer in time, and the work may go on, or may have been done
};

class Context {
 public:
  // Global options, as the parser fills them in.
  std::string proxies = "127.0.0.1:7400";
  std::string timeout = "10s";
  std::string output = "table";
  std::string keyspace;
  // What the chosen command does; set by its parser.
  std::function<int()> action;

  bool json() const { return output == "json"; }
  std::chrono::milliseconds timeout_ms() const;

  // kInvalidArgument also where the proxies are of different clusters.
  sdk::Result<sdk::Client> connect() const;
  // Timeout and keyspace of the global options.
  sdk::CallOptions call_options() const;
  // Which cluster answers. kUnavailable where that cannot be told; it is not 0.
  sdk::Result<std::uint64_t> cluster_id(const sdk::Client& client) const;

  // Says the error and what to do about it; answers the exit code. request_id: under which the same can be asked again.
  int fail(const sdk::Error& error, std::string_view request_id = {}) const;
  int fail(ExitCode code, std::string_view message) const;
  // Says what is wrong with the command line.
  int fail_usage(std::string_view message) const { return fail(kExitUsage, message); }
  void warn(std::string_view message) const;
  // How warn() would say it, without the end of the line.
  std::string warning(std::string_view message) const;

  // One line of JSON on standard output.
  static void print_json(const boost::json::value& value);
  static void print(std::string_view text);
};

// What to do about an error; empty where its message says it already.
std::string advice(const sdk::Error& error, const Context& context);
int exit_code(sdk::ErrorCode code);

// name: text where the bytes are UTF-8; else name_base64. So any bytes survive, and most stay readable.
void put_bytes(boost::json::object& object, std::string_view name, std::string_view bytes);
// 64-bit numbers are strings in JSON, as in protobuf's: most readers have only doubles.
std::string json_u64(std::uint64_t number);
// Ids of clusters: 16 hexadecimal digits.
std::string hex_id(std::uint64_t id);

}  // namespace meridian::ctl
