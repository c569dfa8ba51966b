// meridianctl export

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/ctl/arguments.h"
#include "tools/ctl/checkpoint.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/records.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

struct ExportArguments {
  std::string file = "-";
  std::string format;
  std::string prefix;
  std::string start;
  std::string end;
  bool any_replica = false;
  std::uint64_t at = 0;
  std::string resume;
  bool force = false;
  bool quiet = false;
};

std::string describe_export(const Context& context, const ExportArguments& a) {
  return fmt::format("export {} --format {} --prefix {} --start {} --end {} --at {} --keyspace {}", whole_path(a.file),
                     a.format, escape(a.prefix), escape(a.start), escape(a.end), a.at,
                     escape(context.keyspace.empty() ? "default" : context.keyspace));
}

// One export from its first page to the summary.
class ExportRun {
 public:
  ExportRun(const Context& context, const ExportArguments& arguments) : context_(context), arguments_(arguments) {}
  ~ExportRun() {
    if (file_ > STDERR_FILENO) ::close(file_);
  }

  int run() {
    if (const int code = check()) return code;
    if (const int code = load()) return code;
    auto client = context_.connect();
    if (!client) return context_.fail(client.error());
    if (const int code = bind(*client)) return code;
    if (checkpoint_.done) {
      context_.warn(fmt::format("meridianctl: {} says that this export is complete", arguments_.resume));
      return summary(kExitDone);
    }
    if (const int code = open()) return code;
    progress_.emplace(Progress::Options{.what = "export",
                                        .terminal = is_terminal_stderr(),
                                        .quiet = arguments_.quiet || (context_.json() && !is_terminal_stderr()),
                                        .write = [](const std::string& text) { fmt::print(stderr, "{}", text); }},
                      now());
    save(false);  // from now on it says whose state it is
    if (!unsaved_.empty()) return context_.fail_usage(unsaved_);
    const int code = copy(*client);
    progress_->finish(checkpoint_.offset, checkpoint_.records, now());
    // Behind an error the file may hold more than the state says: it is cut off there when work goes on.
    save(code == kExitDone);
    if (!unsaved_.empty()) return summary(context_.fail(code == kExitDone ? kExitFailed : ExitCode(code), unsaved_));
    return summary(code);
  }

 private:
  static Progress::Time now() { return std::chrono::steady_clock::now(); }

  int check() {
    const auto format = parse_format(arguments_.format);
    if (!format)
      return context_.fail_usage(fmt::format("--format \"{}\" is none of csv, tsv and jsonl", arguments_.format));
    format_ = *format;
    if (!arguments_.prefix.empty() && !(arguments_.start.empty() && arguments_.end.empty())) {
      return context_.fail_usage("give --prefix, or --start and --end, not both");
    }
    if (arguments_.file == "-" && context_.json()) {
      return context_.fail_usage("with -o json the summary goes to standard output: name a FILE for the records");
    }
    if (!arguments_.resume.empty() && arguments_.file == "-")
      return context_.fail_usage("--resume needs a FILE: what is written can only go on there");
    return kExitDone;
  }

  // The state of an earlier run, if it is the state of this work and this file.
  int load() {
    if (arguments_.resume.empty()) return kExitDone;
    auto loaded = load_checkpoint(arguments_.resume, describe_export(context_, arguments_));
    if (const auto* wrong = std::get_if<std::string>(&loaded)) return context_.fail_usage(*wrong);
    checkpoint_ = std::get<Checkpoint>(std::move(loaded));
    goes_on_ = checkpoint_.offset > 0 || checkpoint_.done;
    if (!goes_on_) return kExitDone;
    auto wrong = digest_.open(arguments_.file);
    if (!wrong) wrong = check_file(checkpoint_, digest_, arguments_.resume, arguments_.file);
    return wrong ? context_.fail_usage(*wrong) : kExitDone;
  }

  // And of this cluster.
  int bind(const sdk::Client& client) {
    if (arguments_.resume.empty()) return kExitDone;
    const auto id = context_.cluster_id(client);
    if (!id) return context_.fail(id.error());
    if (auto wrong = check_cluster(checkpoint_, arguments_.resume, hex_id(*id), context_.proxies))
      return context_.fail_usage(*wrong);
    begun_ = !checkpoint_.cluster.empty();
    checkpoint_.cluster = hex_id(*id);
    return kExitDone;
  }

  int open() {
    if (arguments_.file == "-") {
      file_ = STDOUT_FILENO;
      return kExitDone;
    }
    // What an earlier run has only made, and left empty, is taken.
    const int fresh = arguments_.force ? O_TRUNC : begun_ ? 0 : O_EXCL;
    file_ = ::open(arguments_.file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (goes_on_ ? 0 : fresh), 0644);
    const bool exists = file_ < 0 ? errno == EEXIST : !goes_on_ && ::lseek(file_, 0, SEEK_END) > 0;
    if (exists) {
      return context_.fail_usage(
          fmt::format("{} exists: name another file, or overwrite it with --force", arguments_.file));
    }
    if (file_ < 0)
      return context_.fail_usage(fmt::format("{} cannot be written: {}", arguments_.file, std::strerror(errno)));
    if (arguments_.resume.empty()) return kExitDone;
    if (!goes_on_) {
      const auto wrong = digest_.open(arguments_.file);
      return wrong ? context_.fail_usage("--resume: " + *wrong) : kExitDone;
    }
    const auto offset = static_cast<off_t>(checkpoint_.offset);
    if (::ftruncate(file_, offset) != 0 || ::lseek(file_, offset, SEEK_SET) != offset) return fail_write();
    return kExitDone;
  }

  int fail_write() {
    return context_.fail(kExitFailed, fmt::format("{} cannot be written: {}", arguments_.file, std::strerror(errno)));
  }

  bool write(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t n = ::write(file_, text.data() + at, text.size() - at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return false;
      at += static_cast<std::size_t>(n);
    }
    checkpoint_.offset += text.size();
    return true;
  }

  // What is left of the range: behind the last key that was written.
  sdk::ScanRange range() const {
    std::string start = arguments_.prefix.empty() ? arguments_.start : arguments_.prefix;
    if (checkpoint_.records > 0) start = checkpoint_.last_key + '\0';
    return sdk::ScanRange::between(start, arguments_.prefix.empty() ? arguments_.end : prefix_end(arguments_.prefix));
  }

  // The next page is fetched while this one is written.
  int copy(sdk::Client& client) {
    sdk::CallOptions call = context_.call_options();
    if (arguments_.any_replica) call.any_replica();
    call.at_timestamp(checkpoint_.timestamp != 0 ? checkpoint_.timestamp : arguments_.at);
    sdk::Scanner scanner = client.scan(range(), sdk::ScanOptions(), call);
    if (checkpoint_.offset == 0 && !write(render_record_header(format_))) return fail_write();
    auto coming = scanner.next_page_async();
    for (bool last = false; !last;) {
      auto page = coming.get();
      if (!page) {
        progress_->say("");
        return context_.fail(page.error());
      }
      last = page->last || scanner.done();
      if (!last) coming = scanner.next_page_async();
      std::string text;
      for (const sdk::Entry& entry : page->entries) text += render_record(format_, entry.key, entry.value);
      if (!write(text)) return fail_write();
      checkpoint_.timestamp = scanner.timestamp();
      checkpoint_.records += page->entries.size();
      if (!page->entries.empty()) checkpoint_.last_key = page->entries.back().key;
      progress_->update(checkpoint_.offset, checkpoint_.records, now());
      if (now() - saved_ >= std::chrono::seconds(1)) save(false);
    }
    if (file_ != STDOUT_FILENO && ::fsync(file_) != 0) return fail_write();
    return kExitDone;
  }

  void save(bool done) {
    if (arguments_.resume.empty()) return;
    // The state must not promise what a power cut can still take back.
    saved_ = now();
    unsaved_.clear();
    if (::fsync(file_) != 0) {
      unsaved_ = fmt::format("{} cannot be written: {}", arguments_.file, std::strerror(errno));
      return;
    }
    auto wrong = digest_.extend(checkpoint_.offset);
    checkpoint_.digest = digest_.hex();
    checkpoint_.done = done;
    if (!wrong) wrong = save_checkpoint(arguments_.resume, checkpoint_);
    unsaved_ = wrong.value_or("");
  }

  int summary(int code) {
    if (context_.json()) {
      Context::print_json(boost::json::object{{"records", checkpoint_.records},
                                              {"bytes", checkpoint_.offset},
                                              {"timestamp", json_u64(checkpoint_.timestamp)},
                                              {"complete", code == kExitDone}});
    } else {
      context_.warn(fmt::format("{} exported, as of {}", counted(checkpoint_.records, "record", "records"),
                                format_time(checkpoint_.timestamp >> 12)));
    }
    if (code != kExitDone && !arguments_.resume.empty())
      context_.warn("  The same command goes on where this one ended.");
    return code;
  }

  const Context& context_;
  const ExportArguments& arguments_;
  RecordFormat format_ = RecordFormat::kCsv;
  int file_ = -1;
  bool begun_ = false;    // there is a state of an earlier run
  bool goes_on_ = false;  // and FILE holds something of it
  Checkpoint checkpoint_;
  PrefixDigest digest_;  // of the file, as far as the state says
  std::string unsaved_;  // why the last state could not be saved
  std::optional<Progress> progress_;
  Progress::Time saved_{};
};

}  // namespace

void add_export_command(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("export",
                                         "Write keys and values to a CSV, TSV or JSON-lines file, all as of one "
                                         "timestamp; `import --key key --value value` reads it back");
  auto arguments = std::make_shared<ExportArguments>();
  command->add_option("FILE", arguments->file, "The file; \"-\": standard output")
      ->capture_default_str()
      ->type_name("FILE");
  command->add_option("--format", arguments->format, "What the file is to be")->required()->type_name("csv|tsv|jsonl");
  command->add_option("--prefix", arguments->prefix, "Only keys that begin with it")->type_name("PREFIX");
  command->add_option("--start", arguments->start, "The first key of the range")->type_name("KEY");
  command->add_option("--end", arguments->end, "Where the range ends; this key is not in it")->type_name("KEY");
  command->add_flag("--any-replica", arguments->any_replica, "From any replica, as of a timestamp that may be past");
  add_timestamp(*command, "--at", arguments->at, "As of this time of an earlier answer, or the timestamp beside it");
  command
      ->add_option("--resume", arguments->resume, "Keep in this file how far it is, and go on from there if it says so")
      ->type_name("FILE");
  command->add_flag("--force", arguments->force, "Overwrite FILE");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress");
  command->callback([&context, arguments] {
    context.action = [&context, arguments] { return ExportRun(context, *arguments).run(); };
  });
}

}  // namespace meridian::ctl
