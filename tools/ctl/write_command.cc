// meridianctl put, del, cas

#include <unistd.h>

#include <limits>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/arguments.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/files.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

struct WriteOptions {
  std::string key;
  std::string value;
  bool has_value = false;
  std::string value_file;
  std::string request_id;
  bool escaped = false;
  // cas
  std::string expect;
  bool has_expect = false;
  bool expect_absent = false;
  std::uint64_t expect_version = 0;
  bool remove = false;
};

// Key, value and the call's options, or an exit code.
struct WriteArguments {
  std::string key;
  std::string value;
  sdk::CallOptions call;
};

// More than any limit of a cluster lets a value have, for a request of 16 MiB is the largest there is.
constexpr std::size_t kMaxRead = std::size_t{16} << 20;

// The VALUE of the command line, of --value-file, or of standard input ("-").
std::variant<std::string, int> given_value(const Context& context, const WriteOptions& options) {
  if (!options.value_file.empty() || options.value == "-") {
    auto bytes = options.value_file.empty() ? read_descriptor(STDIN_FILENO, "standard input", kMaxRead)
                                            : read_file(options.value_file, kMaxRead);
    if (auto* content = std::get_if<std::string>(&bytes)) return std::move(*content);
    return context.fail_usage(
        fmt::format("{}{}", options.value_file.empty() ? "" : "--value-file ", std::get<FileProblem>(bytes).message));
  }
  auto value = argument_bytes(options.value, options.escaped);
  if (!value) return context.fail_usage("VALUE is not well escaped: \\n, \\t, \\r, \\\\ and \\xNN");
  return std::move(*value);
}

std::variant<WriteArguments, int> write_arguments(const Context& context, const WriteOptions& options,
                                                  bool with_value) {
  WriteArguments arguments;
  auto key = argument_bytes(options.key, options.escaped);
  if (!key) return context.fail_usage("KEY is not well escaped: \\n, \\t, \\r, \\\\ and \\xNN");
  arguments.key = std::move(*key);
  arguments.call = context.call_options();
  if (!options.request_id.empty()) {
    auto id = sdk::RequestId::parse(options.request_id);
    if (!id) return context.fail_usage(fmt::format("--request-id: {}", id.error().message()));
    arguments.call.request_id(*id);
  }
  if (with_value) {
    if (options.has_value == !options.value_file.empty()) {
      return context.fail_usage("give the value as VALUE, as \"-\" (standard input), or by --value-file");
    }
    auto value = given_value(context, options);
    if (const int* code = std::get_if<int>(&value)) return *code;
    arguments.value = std::move(std::get<std::string>(value));
  }
  return arguments;
}

int say_written(const Context& context, const std::string& key, std::uint64_t version) {
  if (context.json()) {
    boost::json::object object;
    put_bytes(object, "key", key);
    object["version"] = json_u64(version);
    Context::print_json(object);
  } else {
    Context::print(fmt::format("done, version {}\n", version));
  }
  return kExitDone;
}

// The id under which a write can be repeated safely is made before it, and said if its outcome is unknown.
int fail_write(const Context& context, const sdk::Error& error, const sdk::CallOptions& call) {
  const bool unknown = error.code() == sdk::ErrorCode::kUnknownOutcome && call.request_id();
  return context.fail(error, unknown ? call.request_id()->to_string() : std::string());
}

int put_or_delete(const Context& context, const WriteOptions& options, bool put) {
  auto given = write_arguments(context, options, put);
  if (const int* code = std::get_if<int>(&given)) return *code;
  auto& [key, value, call] = std::get<WriteArguments>(given);
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  if (!call.request_id()) {
    if (auto id = client->new_request_id()) call.request_id(*id);
  }
  auto written = put ? client->put(key, std::move(value), call) : client->remove(key, call);
  if (!written) return fail_write(context, written.error(), call);
  return say_written(context, key, written->version);
}

int compare_and_set(const Context& context, const WriteOptions& options) {
  const int expectations =
      (options.has_expect ? 1 : 0) + (options.expect_absent ? 1 : 0) + (options.expect_version ? 1 : 0);
  if (expectations != 1) {
    return context.fail_usage("say what the key must hold, by one of --expect, --expect-absent and --expect-version");
  }
  auto given = write_arguments(context, options, !options.remove);
  if (const int* code = std::get_if<int>(&given)) return *code;
  if (options.remove && options.has_value) return context.fail_usage("--remove takes no VALUE");
  auto& [key, value, call] = std::get<WriteArguments>(given);
  const auto expected_value = argument_bytes(options.expect, options.escaped);
  if (!expected_value) return context.fail_usage("--expect is not well escaped: \\n, \\t, \\r, \\\\ and \\xNN");
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  if (!call.request_id()) {
    if (auto id = client->new_request_id()) call.request_id(*id);
  }
  const sdk::Expected expected = options.has_expect      ? sdk::Expected::value(*expected_value)
                                 : options.expect_absent ? sdk::Expected::absent()
                                                         : sdk::Expected::version(options.expect_version);
  auto desired = options.remove ? sdk::Desired::removed() : sdk::Desired::value(std::move(value));
  auto result = client->compare_and_set(key, expected, std::move(desired), call);
  if (!result) return fail_write(context, result.error(), call);
  if (context.json()) {
    boost::json::object object;
    put_bytes(object, "key", key);
    object["succeeded"] = result->succeeded;
    object["version"] = json_u64(result->version);
    Context::print_json(object);
  } else if (result->succeeded) {
    Context::print(fmt::format("done, version {}\n", result->version));
  }
  if (result->succeeded) return kExitDone;
  return context.fail(kExitFailed, result->version == 0
                                       ? fmt::format("not written: there is no key \"{}\"", escape(key))
                                       : fmt::format("not written: \"{}\" holds another value (version {})",
                                                     escape(key), result->version));
}

void add_common(CLI::App* command, WriteOptions& options) {
  command->add_option("KEY", options.key, "The key")->required();
  command->add_option("--request-id", options.request_id, "Repeat a write whose outcome is unknown: it is made once")
      ->type_name("ID");
  command->add_flag("-e,--escaped", options.escaped,
                    "KEY and values are written as tables show bytes: \\n, \\\\, \\xNN");
}

void add_value(CLI::App* command, WriteOptions& options) {
  command->add_option_function<std::string>(
      "VALUE",
      [&options](const std::string& value) {
        options.value = value;
        options.has_value = true;
      },
      "The value; \"-\": from standard input");
  command->add_option("--value-file", options.value_file, "The value is this file's content")->type_name("FILE");
}

}  // namespace

void add_write_commands(CLI::App& app, Context& context) {
  auto options = std::make_shared<WriteOptions>();

  CLI::App* put = app.add_subcommand("put", "Write a key, whatever it holds");
  add_common(put, *options);
  add_value(put, *options);
  put->callback(
      [&context, options] { context.action = [&context, options] { return put_or_delete(context, *options, true); }; });

  CLI::App* del = app.add_subcommand("del", "Remove a key; done also where there is none");
  add_common(del, *options);
  del->callback([&context, options] {
    context.action = [&context, options] { return put_or_delete(context, *options, false); };
  });

  CLI::App* cas = app.add_subcommand("cas", "Write a key if it holds what is expected; exit code 1 if it does not");
  add_common(cas, *options);
  add_value(cas, *options);
  cas->add_option_function<std::string>(
         "--expect",
         [options](const std::string& value) {
           options->expect = value;
           options->has_expect = true;
         },
         "It must hold this value")
      ->type_name("VALUE");
  cas->add_flag("--expect-absent", options->expect_absent, "It must not exist");
  add_number(*cas, "--expect-version", options->expect_version, 1, std::numeric_limits<std::uint64_t>::max(),
             "It must have this version")
      ->type_name("VERSION");
  cas->add_flag("--remove", options->remove, "Remove it instead of writing VALUE");
  cas->callback(
      [&context, options] { context.action = [&context, options] { return compare_and_set(context, *options); }; });
}

}  // namespace meridian::ctl
