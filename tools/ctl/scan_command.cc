// meridianctl scan

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/arguments.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/table.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

constexpr std::size_t kShownCharacters = 80;  // of a value in a table, but with --full

struct ScanArguments {
  std::string prefix;
  std::string start;
  std::string end;
  bool reverse = false;
  std::uint64_t limit = 0;
  bool keys_only = false;
  bool any_replica = false;
  std::uint64_t at = 0;
  bool full = false;
  bool escaped = false;
};

// Writes one listing page by page.
class ScanPrinter {
 public:
  ScanPrinter(const Context& context, const ScanArguments& arguments) : context_(context), arguments_(arguments) {
    if (context_.json()) Context::print("{\"entries\":[");
  }

  void print(const sdk::ScanPage& page) {
    context_.json() ? print_json(page) : print_table(page);
    count_ += page.entries.size();
  }

  // JSON stays well-formed also where the scan ended early.
  void finish(std::uint64_t timestamp, const sdk::Error* error) {
    if (!context_.json()) return;
    boost::json::object last{{"timestamp", json_u64(timestamp)}};
    if (error != nullptr) last["error"] = error->to_string();
    Context::print("]," + boost::json::serialize(last).substr(1) + "\n");
  }

  std::uint64_t count() const { return count_; }

 private:
  void print_json(const sdk::ScanPage& page) {
    std::string text;
    std::uint64_t number = count_;
    for (const sdk::Entry& entry : page.entries) {
      boost::json::object object;
      put_bytes(object, "key", entry.key);
      if (!arguments_.keys_only) put_bytes(object, "value", entry.value);
      object["version"] = json_u64(entry.version);
      text += number++ == 0 ? "\n" : ",\n";
      text += boost::json::serialize(object);
    }
    Context::print(text);
  }

  void print_table(const sdk::ScanPage& page) {
    if (page.entries.empty()) return;
    if (arguments_.keys_only) {
      for (const sdk::Entry& entry : page.entries) Context::print(escape(entry.key) + "\n");
      return;
    }
    Table table({"KEY", "VALUE"});
    table.widen(widths_);
    for (const sdk::Entry& entry : page.entries) {
      // Longer ones cannot be seen anyway, and escaping a megabyte takes its time.
      const std::string_view value = arguments_.full ? entry.value : std::string_view(entry.value).substr(0, 400);
      std::string shown = escape(value);
      if (!arguments_.full) shown = shorten(shown, kShownCharacters);
      table.add({escape(entry.key), std::move(shown)});
    }
    widths_ = table.widths();
    Context::print(table.render(count_ == 0));
  }

  const Context& context_;
  const ScanArguments& arguments_;
  std::vector<std::size_t> widths_;
  std::uint64_t count_ = 0;
};

int scan_range(const Context& context, const ScanArguments& arguments) {
  const auto prefix = argument_bytes(arguments.prefix, arguments.escaped);
  const auto start = argument_bytes(arguments.start, arguments.escaped);
  const auto end = argument_bytes(arguments.end, arguments.escaped);
  if (!prefix || !start || !end) {
    return context.fail_usage("PREFIX, --start or --end is not well escaped: \\n, \\t, \\r, \\\\ and \\xNN");
  }
  if (!prefix->empty() && (!start->empty() || !end->empty())) {
    return context.fail_usage("give PREFIX, or --start and --end, not both");
  }
  if (!end->empty() && *end <= *start) return context.fail_usage("--end is not behind --start: the range is empty");
  auto client = context.connect();
  if (!client) return context.fail(client.error());

  sdk::ScanOptions options;
  options.reverse(arguments.reverse).limit(arguments.limit).keys_only(arguments.keys_only);
  sdk::CallOptions call = context.call_options();
  if (arguments.any_replica) call.any_replica();
  call.at_timestamp(arguments.at);
  const sdk::ScanRange range =
      prefix->empty() ? sdk::ScanRange::between(*start, *end) : sdk::ScanRange::prefix(*prefix);
  sdk::Scanner scanner = client->scan(range, options, call);
  std::optional<ScanPrinter> printer;
  while (!scanner.done()) {
    auto page = scanner.next_page();
    if (!page) {
      if (printer) printer->finish(scanner.timestamp(), &page.error());
      return context.fail(page.error());
    }
    if (!printer) printer.emplace(context, arguments);
    printer->print(*page);
  }
  if (!printer) printer.emplace(context, arguments);
  printer->finish(scanner.timestamp(), nullptr);
  if (!context.json()) {
    context.warn(fmt::format("{}, as of {}", counted(printer->count(), "entry", "entries"),
                             format_time(scanner.timestamp() >> 12)));
  }
  return kExitDone;
}

}  // namespace

void add_scan_command(CLI::App& app, Context& context) {
  CLI::App* scan = app.add_subcommand("scan", "List keys and values in order, all as of one timestamp");
  auto arguments = std::make_shared<ScanArguments>();
  scan->add_option("PREFIX", arguments->prefix, "Only keys that begin with it");
  scan->add_option("--start", arguments->start, "The first key of the range")->type_name("KEY");
  scan->add_option("--end", arguments->end, "Where the range ends; this key is not in it")->type_name("KEY");
  scan->add_flag("--reverse", arguments->reverse, "From the end to the start");
  add_number(*scan, "--limit", arguments->limit, "At most so many entries; 0: all")->type_name("COUNT");
  scan->add_flag("--keys-only", arguments->keys_only, "Without values");
  scan->add_flag("--any-replica", arguments->any_replica, "From any replica, as of the timestamp in the answer");
  add_timestamp(*scan, "--at", arguments->at, "As of this time of an earlier answer, or the timestamp beside it");
  scan->add_flag("--full", arguments->full, "Do not cut long values off in tables");
  scan->add_flag("-e,--escaped", arguments->escaped,
                 "PREFIX and keys are written as tables show bytes: \\n, \\\\, \\xNN");
  scan->callback(
      [&context, arguments] { context.action = [&context, arguments] { return scan_range(context, *arguments); }; });
}

}  // namespace meridian::ctl
