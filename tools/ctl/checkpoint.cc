#include "tools/ctl/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "tools/ctl/text.h"

namespace meridian::ctl {

std::string Checkpoint::to_json() const {
  const boost::json::object object{{"meridianctl_checkpoint", 1},
                                   {"work", work},
                                   {"offset", offset},
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
  bool ok = true;
  const auto number = [&](const char* name) -> std::uint64_t {
    const boost::json::value* member = object->if_contains(name);
    const std::int64_t* small = member == nullptr ? nullptr : member->if_int64();
    if (small != nullptr && *small >= 0) return static_cast<std::uint64_t>(*small);
    const std::uint64_t* big = member == nullptr ? nullptr : member->if_uint64();
    if (big != nullptr) return *big;
    ok = false;
    return 0;
  };
  const auto string = [&](const char* name) -> std::string {
    const boost::json::value* member = object->if_contains(name);
    const boost::json::string* value = member == nullptr ? nullptr : member->if_string();
    if (value != nullptr) return std::string(value->data(), value->size());
    ok = false;
    return {};
  };
  Checkpoint checkpoint;
  if (number("meridianctl_checkpoint") != 1) return std::nullopt;
  checkpoint.work = string("work");
  checkpoint.offset = number("offset");
  checkpoint.line = number("line");
  checkpoint.records = number("records");
  checkpoint.skipped = number("skipped");
  checkpoint.timestamp = number("timestamp");
  auto last_key = from_base64(string("last_key_base64"));
  const boost::json::value* done = object->if_contains("done");
  if (!ok || !last_key || done == nullptr || !done->is_bool()) return std::nullopt;
  checkpoint.last_key = std::move(*last_key);
  checkpoint.done = done->get_bool();
  return checkpoint;
}

std::variant<Checkpoint, std::string> load_checkpoint(const std::string& path, const std::string& work) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno != ENOENT) return fmt::format("--resume {} cannot be read: {}", path, std::strerror(errno));
    Checkpoint fresh;
    fresh.work = work;
    return fresh;
  }
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto checkpoint = Checkpoint::from_json(text);
  if (!checkpoint) {
    return fmt::format("--resume {} holds something else than the state of an import or export: name another file",
                       path);
  }
  if (checkpoint->work != work) {
    return fmt::format(
        "--resume {} is the state of other work: {}\n  now asked for: {}\n  Give the same arguments as "
        "then, or another file",
        path, checkpoint->work, work);
  }
  return std::move(*checkpoint);
}

std::optional<std::string> save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  const std::string text = checkpoint.to_json();
  const std::string temporary = path + ".new";
  const auto wrong = [&] { return fmt::format("--resume {} cannot be written: {}", path, std::strerror(errno)); };
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return wrong();
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  if (::close(file) != 0 || !written || std::rename(temporary.c_str(), path.c_str()) != 0) return wrong();
  return std::nullopt;
}

}  // namespace meridian::ctl
