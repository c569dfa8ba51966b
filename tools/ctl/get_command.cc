// meridianctl get

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/arguments.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/table.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

std::optional<std::string> argument_bytes(const std::string& text, bool escaped) {
  return escaped ? unescape(text) : std::optional(text);
}

namespace {

struct GetOptions {
  std::string key;
  bool any_replica = false;
  std::uint64_t at = 0;
  bool raw = false;
  bool escaped = false;
};

boost::json::object read_json(const std::string& key, const sdk::ReadResult& read) {
  boost::json::object object;
  put_bytes(object, "key", key);
  object["found"] = read.found;
  if (read.found) {
    put_bytes(object, "value", read.value);
    object["version"] = json_u64(read.version);
  }
  object["timestamp"] = json_u64(read.info.timestamp);
  object["node_id"] = read.info.node_id;
  object["region"] = read.info.region;
  object["role"] = sdk::to_string(read.info.role);
  return object;
}

std::string render_read(const std::string& key, const sdk::ReadResult& read) {
  const std::string served =
      fmt::format("node {} in {} ({})", read.info.node_id, escape(read.info.region), sdk::to_string(read.info.role));
  const std::string as_of = fmt::format("{} ({})", format_time(read.info.timestamp_us()), read.info.timestamp);
  if (!read.found) return render_fields({{"key", escape(key)}, {"as of", as_of}, {"served by", served}});
  std::string out = render_fields(
      {{"key", escape(key)}, {"version", std::to_string(read.version)}, {"as of", as_of}, {"served by", served}});
  // Text may have lines; what is no text is escaped.
  const bool text = is_printable(read.value, true);
  const bool lines = text && read.value.find('\n') != std::string::npos;
  out += lines ? "value\n" : "value      ";
  out += text ? read.value : escape(read.value);
  if (!out.ends_with('\n')) out += '\n';
  return out;
}

int get_key(const Context& context, const GetOptions& options) {
  const auto key = argument_bytes(options.key, options.escaped);
  if (!key) return context.fail_usage("KEY is not well escaped: \\n, \\t, \\r, \\\\ and \\xNN");
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  sdk::CallOptions call = context.call_options();
  if (options.any_replica) call.any_replica();
  call.at_timestamp(options.at);
  auto read = client->get(*key, call);
  if (!read) return context.fail(read.error());
  if (options.raw) {
    Context::print(read->value);
  } else if (context.json()) {
    Context::print_json(read_json(*key, *read));
  } else if (read->found) {
    Context::print(render_read(*key, *read));
  }
  if (read->found) return kExitDone;
  return context.fail(kExitUnhealthy, fmt::format("there is no key \"{}\"", escape(*key)));
}

}  // namespace

void add_get_command(CLI::App& app, Context& context) {
  CLI::App* get = app.add_subcommand("get", "Read a key; exit code 3 if it is not there");
  auto options = std::make_shared<GetOptions>();
  get->add_option("KEY", options->key, "The key")->required();
  get->add_flag("--any-replica", options->any_replica, "From any replica, as of the timestamp in the answer");
  add_timestamp(*get, "--at", options->at, "As of this time of an earlier answer, or the timestamp beside it");
  get->add_flag("--raw", options->raw, "Only the value, byte for byte, whatever --output says");
  get->add_flag("-e,--escaped", options->escaped, "KEY is written as tables show bytes: \\n, \\\\, \\xNN");
  get->callback([&context, options] { context.action = [&context, options] { return get_key(context, *options); }; });
}

}  // namespace meridian::ctl
