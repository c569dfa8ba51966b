// meridianctl import

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/arguments.h"
#include "tools/ctl/checkpoint.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/importer.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

constexpr std::uint64_t kNamedBadRecords = 20;

struct ImportArguments {
  std::string file;
  std::string format;
  std::string key_column;
  std::string value_column;
  std::string prefix;
  std::string resume;
  std::string retry_for = "60s";
  bool skip_bad = false;
  bool quiet = false;
  std::uint64_t batch = 200;
  std::uint64_t parallel = 8;
};

std::string describe_import(const Context& context, const ImportArguments& a) {
  return fmt::format("import {} --format {} --key {} --value {} --prefix {} --keyspace {}", whole_path(a.file),
                     a.format, escape(a.key_column), escape(a.value_column), escape(a.prefix),
                     escape(context.keyspace.empty() ? "default" : context.keyspace));
}

// One import from its first record to the summary.
class ImportRun {
 public:
  ImportRun(const Context& context, const ImportArguments& arguments) : context_(context), arguments_(arguments) {}

  int run() {
    if (const int code = open()) return code;
    if (const int code = load()) return code;
    auto client = context_.connect();
    if (!client) return context_.fail(client.error());
    if (const int code = bind(*client)) return code;
    if (checkpoint_.done) {
      context_.warn(fmt::format("meridianctl: {} says that this import is complete: {}", arguments_.resume,
                                counted(checkpoint_.records, "record", "records")));
      return summary(judged(kExitDone));
    }
    Importer::Options options;
    options.batch_records = arguments_.batch;
    options.in_flight = arguments_.parallel;
    options.skip_bad = arguments_.skip_bad;
    options.retry_for = parse_duration(arguments_.retry_for).value_or(options.retry_for);
    const Importer::Position begin{checkpoint_.offset, checkpoint_.line, checkpoint_.records, checkpoint_.skipped};
    importer_.emplace(std::move(*client), context_.call_options(), options, begin,
                      [this](std::uint64_t line, const std::string& why) { name_bad(line, why); });
    progress_.emplace(Progress::Options{.what = "import",
                                        .terminal = is_terminal_stderr(),
                                        .quiet = arguments_.quiet || (context_.json() && !is_terminal_stderr()),
                                        .total = total_,
                                        .begun_at = begin.offset,
                                        .write = [](const std::string& text) { fmt::print(stderr, "{}", text); }},
                      now());
    save(false);  // from now on it says whose state it is
    if (!unsaved_.empty()) return context_.fail_usage(unsaved_);
    const int code = copy();
    progress_->finish(importer_->acknowledged().offset, importer_->acknowledged().records, now());
    save(code == kExitDone);
    if (!unsaved_.empty()) return summary(context_.fail(code == kExitDone ? kExitFailed : ExitCode(code), unsaved_));
    return summary(code == kExitDone ? judged(code) : code);
  }

 private:
  static Progress::Time now() { return std::chrono::steady_clock::now(); }

  int open() {
    const auto format = parse_format(arguments_.format);
    if (!format)
      return context_.fail_usage(fmt::format("--format \"{}\" is none of csv, tsv and jsonl", arguments_.format));
    if (!parse_duration(arguments_.retry_for)) return context_.fail_usage("--retry-for is no duration: 30s, 5m");
    if (!arguments_.resume.empty() && arguments_.file == "-")
      return context_.fail_usage("--resume needs a FILE: standard input cannot be gone on with where it ended");
    std::istream* in = &std::cin;
    if (arguments_.file != "-") {
      std::error_code unknown;
      if (std::filesystem::is_directory(arguments_.file, unknown)) {
        return context_.fail_usage(fmt::format("{} is a directory", arguments_.file));
      }
      file_.open(arguments_.file, std::ios::binary);
      if (!file_)
        return context_.fail_usage(fmt::format("{} cannot be read: {}", arguments_.file, std::strerror(errno)));
      const auto size = std::filesystem::file_size(arguments_.file, unknown);
      if (!unknown) total_ = size;
      in = &file_;
    }
    reader_.emplace(*in, RecordReader::Options{*format, arguments_.key_column, arguments_.value_column});
    if (auto wrong = reader_->read_header()) return context_.fail_usage(fmt::format("{}: {}", arguments_.file, *wrong));
    return kExitDone;
  }

  // The state of an earlier run, if it is the state of this work and this file.
  int load() {
    if (arguments_.resume.empty()) return kExitDone;
    auto loaded = load_checkpoint(arguments_.resume, describe_import(context_, arguments_));
    if (const auto* wrong = std::get_if<std::string>(&loaded)) return context_.fail_usage(*wrong);
    checkpoint_ = std::get<Checkpoint>(std::move(loaded));
    if (auto wrong = digest_.open(arguments_.file)) return context_.fail_usage("--resume: " + *wrong);
    if (auto wrong = check_file(checkpoint_, digest_, arguments_.resume, arguments_.file))
      return context_.fail_usage(*wrong);
    if (checkpoint_.offset > 0 && !checkpoint_.done && !reader_->skip_to(checkpoint_.offset, checkpoint_.line))
      return context_.fail_usage(fmt::format("{} cannot be read behind byte {}", arguments_.file, checkpoint_.offset));
    return kExitDone;
  }

  // And of this cluster.
  int bind(const sdk::Client& client) {
    if (arguments_.resume.empty()) return kExitDone;
    const auto id = context_.cluster_id(client);
    if (!id) return context_.fail(id.error());
    if (auto wrong = check_cluster(checkpoint_, arguments_.resume, hex_id(*id), context_.proxies))
      return context_.fail_usage(*wrong);
    checkpoint_.cluster = hex_id(*id);
    return kExitDone;
  }

  // Reads and writes until the end or the first thing that stops it.
  int copy() {
    for (;;) {
      auto next = reader_->next();
      sdk::Result<void> accepted;
      if (auto* record = std::get_if<Record>(&next)) {
        record->key.insert(0, arguments_.prefix);
        accepted = importer_->add(std::move(*record), reader_->line());
      } else if (const auto* bad = std::get_if<BadRecord>(&next)) {
        name_bad(bad->line, bad->why);
        if (!arguments_.skip_bad) {
          if (auto done = importer_->finish(); !done) return stop(done.error());
          return context_.fail(kExitUsage, "stopped there; correct the line, or leave bad records out with --skip-bad");
        }
        accepted = importer_->skip(bad->end_offset, reader_->line());
      } else {
        if (auto done = importer_->finish(); !done) return stop(done.error());
        if (!reader_->failed()) return kExitDone;
        return context_.fail(kExitFailed, fmt::format("{} cannot be read further", arguments_.file));
      }
      if (!accepted) return stop(accepted.error());
      const Importer::Position& done = importer_->acknowledged();
      progress_->update(done.offset, done.records, now());
      if (!arguments_.resume.empty() && now() - saved_ >= std::chrono::seconds(1)) save(false);
    }
  }

  int stop(const sdk::Error& error) {
    importer_->drain();
    progress_->say("");
    return context_.fail(error);
  }

  void name_bad(std::uint64_t line, const std::string& why) {
    if (++named_ <= kNamedBadRecords) {
      progress_->say(context_.warning(fmt::format("meridianctl: {}, line {}: {}", arguments_.file, line, why)));
    } else if (named_ == kNamedBadRecords + 1) {
      progress_->say(context_.warning("meridianctl: more bad records follow, and are only counted"));
    }
  }

  void save(bool done) {
    if (arguments_.resume.empty()) return;
    const Importer::Position& position = importer_->acknowledged();
    saved_ = now();
    // When all is done, what stands behind the last record belongs to it: more may not come to stand there.
    checkpoint_.offset = done ? reader_->offset() : position.offset;
    checkpoint_.line = position.line;
    checkpoint_.records = position.records;
    checkpoint_.skipped = position.skipped;
    checkpoint_.done = done;
    auto wrong = digest_.extend(checkpoint_.offset);
    checkpoint_.digest = digest_.hex();
    if (!wrong) wrong = save_checkpoint(arguments_.resume, checkpoint_);
    unsaved_ = wrong.value_or("");
  }

  // An import of nothing but bad records has not worked.
  int judged(int code) const {
    const bool any = importer_ ? importer_->acknowledged().records > 0 : checkpoint_.records > 0;
    const bool bad = importer_ ? importer_->acknowledged().skipped > 0 : checkpoint_.skipped > 0;
    return any || !bad ? code : context_.fail(kExitUsage, "every record is bad: nothing was imported");
  }

  int summary(int code) {
    const std::uint64_t records = importer_ ? importer_->acknowledged().records : checkpoint_.records;
    const std::uint64_t skipped = importer_ ? importer_->acknowledged().skipped : checkpoint_.skipped;
    const std::uint64_t offset = importer_ ? importer_->acknowledged().offset : checkpoint_.offset;
    if (context_.json()) {
      Context::print_json(boost::json::object{
          {"records", records}, {"skipped", skipped}, {"bytes", offset}, {"complete", code == kExitDone}});
    } else {
      Context::print(counted(records, "record", "records") + " imported" +
                     (skipped > 0 ? ", " + counted(skipped, "bad one", "bad ones") + " left out" : "") + "\n");
    }
    if (code != kExitDone) {
      context_.warn(
          arguments_.resume.empty()
              ? std::string("  Importing the file again is safe: it writes the same values. With --resume STATE a "
                            "later attempt goes on where this one ended.")
              : fmt::format("  The same command goes on behind line {}.", checkpoint_.line - 1));
    }
    return code;
  }

  const Context& context_;
  const ImportArguments& arguments_;
  std::ifstream file_;
  std::uint64_t total_ = 0;
  Checkpoint checkpoint_;
  PrefixDigest digest_;  // of the file, as far as the state says
  std::string unsaved_;  // why the last state could not be saved
  std::optional<RecordReader> reader_;
  std::optional<Importer> importer_;
  std::optional<Progress> progress_;
  std::uint64_t named_ = 0;
  Progress::Time saved_{};
};

}  // namespace

void add_import_command(CLI::App& app, Context& context) {
  CLI::App* import = app.add_subcommand("import", "Write the records of a CSV, TSV or JSON-lines file");
  auto arguments = std::make_shared<ImportArguments>();
  import->add_option("FILE", arguments->file, "The file; \"-\": standard input")->required()->type_name("FILE");
  import->add_option("--format", arguments->format, "What the file is")->required()->type_name("csv|tsv|jsonl");
  import->add_option("--key", arguments->key_column, "The column (or member) that is the key")
      ->required()
      ->type_name("COLUMN");
  import
      ->add_option("--value", arguments->value_column,
                   "The column that is the value; default: the whole record as a JSON object")
      ->type_name("COLUMN");
  import->add_option("--prefix", arguments->prefix, "Put before each key")->type_name("PREFIX");
  import
      ->add_option("--resume", arguments->resume, "Keep in this file how far it is, and go on from there if it says so")
      ->type_name("FILE");
  import->add_flag("--skip-bad", arguments->skip_bad, "Leave bad records out, instead of stopping at the first");
  add_number(*import, "--batch", arguments->batch, 1, 10'000, "Records written at once")->type_name("COUNT");
  add_number(*import, "--parallel", arguments->parallel, 1, 1'000, "Batches under way at once")->type_name("COUNT");
  import
      ->add_option("--retry-for", arguments->retry_for,
                   "How long a batch is tried again while the cluster is in trouble")
      ->type_name("DURATION")
      ->capture_default_str();
  import->add_flag("-q,--quiet", arguments->quiet, "No progress");
  import->callback([&context, arguments] {
    context.action = [&context, arguments] { return ImportRun(context, *arguments).run(); };
  });
}

}  // namespace meridian::ctl
