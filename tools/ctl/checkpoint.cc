#include "tools/ctl/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

// 1 knew neither the cluster nor what was in the file.
constexpr std::uint64_t kFormat = 2;
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;  // keys have 4 KiB, the rest is short

// Reads members by name; ok stays true while they are there and of their type.
struct Members {
  const boost::json::object& object;
  bool ok = true;

  std::uint64_t number(const char* name) {
    const boost::json::value* member = object.if_contains(name);
    const std::int64_t* small = member == nullptr ? nullptr : member->if_int64();
    if (small != nullptr && *small >= 0) return static_cast<std::uint64_t>(*small);
    const std::uint64_t* big = member == nullptr ? nullptr : member->if_uint64();
    if (big != nullptr) return *big;
    ok = false;
    return 0;
  }
  std::string string(const char* name) {
    const boost::json::value* member = object.if_contains(name);
    const boost::json::string* value = member == nullptr ? nullptr : member->if_string();
    if (value != nullptr) return std::string(value->data(), value->size());
    ok = false;
    return {};
  }
};

std::string cannot_write(const std::string& path) {
  return fmt::format("--resume {} cannot be written: {}", path, std::strerror(errno));
}

std::string beside(const std::string& path) { return path + ".new"; }

int open_beside(const std::string& path) {
  return ::open(beside(path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

}  // namespace

std::string Checkpoint::to_json() const {
  const boost::json::object object{{"meridianctl_checkpoint", kFormat},
                                   {"work", work},
                                   {"cluster", cluster},
                                   {"offset", offset},
                                   {"digest", digest},
                                   {"line", line},
                                   {"records", records},
                                   {"skipped", skipped},
                                   {"timestamp", timestamp},
                                   {"last_key_base64", to_base64(last_key)},
                                   {"done", done}};
  return boost::json::serialize(object) + "\n";
}

std::optional<Checkpoint> Checkpoint::from_json(const std::string& text) {
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse(text, error);
  const boost::json::object* object = error ? nullptr : parsed.if_object();
  if (object == nullptr) return std::nullopt;
  Members members{*object};
  if (members.number("meridianctl_checkpoint") != kFormat) return std::nullopt;
  Checkpoint checkpoint;
  checkpoint.work = members.string("work");
  checkpoint.cluster = members.string("cluster");
  checkpoint.offset = members.number("offset");
  checkpoint.digest = members.string("digest");
  checkpoint.line = members.number("line");
  checkpoint.records = members.number("records");
  checkpoint.skipped = members.number("skipped");
  checkpoint.timestamp = members.number("timestamp");
  auto last_key = from_base64(members.string("last_key_base64"));
  const boost::json::value* done = object->if_contains("done");
  if (!members.ok || !last_key || done == nullptr || !done->is_bool()) return std::nullopt;
  checkpoint.last_key = std::move(*last_key);
  checkpoint.done = done->get_bool();
  return checkpoint;
}

std::variant<Checkpoint, std::string> load_checkpoint(const std::string& path, const std::string& work) {
  Checkpoint checkpoint;
  checkpoint.work = work;
  const auto text = read_file(path, kMaxBytes);
  if (const auto* problem = std::get_if<FileProblem>(&text)) {
    if (!problem->missing) return "--resume " + problem->message;
  } else {
    auto found = Checkpoint::from_json(std::get<std::string>(text));
    if (!found) {
      return fmt::format(
          "--resume {} holds something else than the state of an import or export of this version: name another file",
          path);
    }
    checkpoint = std::move(*found);
  }
  if (checkpoint.work != work) {
    return fmt::format(
        "--resume {} is the state of other work: {}\n  now asked for: {}\n  Give the same arguments as "
        "then, or another file",
        path, checkpoint.work, work);
  }
  const int file = open_beside(path);
  if (file < 0) return cannot_write(path);
  ::close(file);
  if (::unlink(beside(path).c_str()) != 0) return cannot_write(path);
  return checkpoint;
}

std::optional<std::string> save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  const std::string text = checkpoint.to_json();
  const int file = open_beside(path);
  if (file < 0) return cannot_write(path);
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  if (::close(file) != 0 || !written || std::rename(beside(path).c_str(), path.c_str()) != 0) return cannot_write(path);
  return std::nullopt;
}

std::optional<std::string> check_file(const Checkpoint& checkpoint, PrefixDigest& digest, const std::string& path,
                                      const std::string& file) {
  const auto refused = [&](const std::string& why) {
    return fmt::format(
        "--resume {} is the state of another file than {}, or it was changed: {}\n  Give the file as "
        "it was, or name another state",
        path, file, why);
  };
  if (auto wrong = digest.extend(checkpoint.offset)) return refused(*wrong);
  if (checkpoint.offset > 0 && digest.hex() != checkpoint.digest) {
    return refused(fmt::format("the {} bytes that are done had the digest {}, those of the file have {}",
                               checkpoint.offset, checkpoint.digest, digest.hex()));
  }
  const auto size = digest.file_size();
  if (checkpoint.done && size != checkpoint.offset) {
    return refused(fmt::format("it had {} bytes when all was done, and has {}", checkpoint.offset, size.value_or(0)));
  }
  return std::nullopt;
}

std::optional<std::string> check_cluster(const Checkpoint& checkpoint, const std::string& path,
                                         const std::string& cluster, const std::string& proxies) {
  if (checkpoint.cluster.empty() || checkpoint.cluster == cluster) return std::nullopt;
  return fmt::format("--resume {} is the state of work on cluster {}; the one at {} is {}: name another state", path,
                     checkpoint.cluster, proxies, cluster);
}

}  // namespace meridian::ctl
