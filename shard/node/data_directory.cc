#include "shard/node/data_directory.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

namespace meridian {

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(FileSystem& fs, std::string path) {
  std::unique_ptr<DataDirectory> out(new DataDirectory(fs, std::move(path)));
  RETURN_IF_ERROR(fs.create_directories(out->path_));
  ASSIGN_OR_RETURN(out->lock_, fs.lock(out->path_ + "/LOCK"));
  const std::string file = out->path_ + "/IDENTITY";
  ASSIGN_OR_RETURN(const bool exists, fs.exists(file));
  wire::Identity identity;
  if (exists) {
    ASSIGN_OR_RETURN(const std::string text, read_file(fs, file));
    google::protobuf::util::JsonParseOptions lenient;
    lenient.ignore_unknown_fields = true;  // a newer version's; its format number is judged below
    if (!google::protobuf::util::JsonStringToMessage(text, &identity, lenient).ok()) {
      return fail(ErrorCode::kCorruption, fmt::format("{} is not a node's identity", file));
    }
    if (identity.format_version() != kFormatVersion) {
      return fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} was written in format {}; this version reads format {}", out->path_,
                              identity.format_version(), kFormatVersion));
    }
  }
  identity.set_format_version(kFormatVersion);
  identity.set_incarnation(identity.incarnation() + 1);
  RETURN_IF_ERROR(out->store(identity));
  out->adopt(std::move(identity));
  return out;
}

Result<> DataDirectory::store(const wire::Identity& identity) const {
  google::protobuf::util::JsonPrintOptions pretty;
  pretty.add_whitespace = true;
  pretty.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(identity, &text, pretty).ok()) {
    return fail(ErrorCode::kInternal, "the identity cannot be written as JSON");
  }
  return write_file_atomically(fs_, path_ + "/IDENTITY", text);
}

template <class M>
Result<std::optional<M>> DataDirectory::load(const std::string& name) const {
  const std::string file = path_ + "/" + name;
  ASSIGN_OR_RETURN(const bool exists, fs_.exists(file));
  if (!exists) return std::nullopt;
  ASSIGN_OR_RETURN(const std::string bytes, read_file(fs_, file));
  M message;
  if (!message.ParseFromString(bytes)) return fail(ErrorCode::kCorruption, file + " does not parse");
  return message;
}

Result<> DataDirectory::store_join(const api::JoinRequest& join) const {
  return write_file_atomically(fs_, path_ + "/JOIN", join.SerializeAsString());
}
Result<std::optional<api::JoinRequest>> DataDirectory::load_join() const { return load<api::JoinRequest>("JOIN"); }

Result<> DataDirectory::store_plan(const api::ClusterState& plan) const {
  return write_file_atomically(fs_, path_ + "/BOOTSTRAP", plan.SerializeAsString());
}
Result<std::optional<api::ClusterState>> DataDirectory::load_plan() const {
  return load<api::ClusterState>("BOOTSTRAP");
}

}  // namespace meridian
