#include "proxy/validate.h"

#include <charconv>
#include <set>

#include "base/keys.h"

namespace meridian::proxy {

namespace {

constexpr int kMaxNodes = 9;
constexpr std::uint32_t kDefaultScanLimit = 1000;
constexpr std::size_t kMaxRegionBytes = 64;
constexpr std::size_t kMaxAddressBytes = 255;

api::WriteRequest start_write(Shard shard, bool has_id, const v1::RequestId& id) {
  api::WriteRequest to;
  to.set_shard_id(shard.id);
  to.set_keyspace_id(shard.keyspace);
  if (has_id) {
    to.mutable_id()->set_time_us(id.time_us());
    to.mutable_id()->set_client(id.client());
    to.mutable_id()->set_sequence(id.sequence());
  }
  return to;
}

Result<api::WriteRequest> checked(Result<api::WriteRequest> write, const api::Limits& limits) {
  RETURN_IF_ERROR(api::check_write(*write, limits));
  if (write->has_id() && write->id().time_us() == 0) {
    return fail(ErrorCode::kInvalidArgument, "the request id has no time; take it from Hello, or leave the id out");
  }
  return write;
}

Result<api::Consistency> to_consistency(const v1::ReadOptions& options) {
  switch (options.consistency()) {
    case v1::CONSISTENCY_LINEARIZABLE: return api::LINEARIZABLE;
    case v1::CONSISTENCY_ANY_REPLICA: return api::ANY_REPLICA;
    default:
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("unknown consistency {}", static_cast<int>(options.consistency())));
  }
}

Result<api::ReadRequest> start_read(Shard shard, const v1::ReadOptions& options) {
  ASSIGN_OR_RETURN(const api::Consistency consistency, to_consistency(options));
  api::ReadRequest to;
  to.set_shard_id(shard.id);
  to.set_keyspace_id(shard.keyspace);
  to.set_consistency(consistency);
  to.set_at_timestamp(options.at_timestamp());
  return to;
}

Result<> check_bound(std::string_view what, std::string_view key, const api::Limits& limits) {
  // The end of a range is often the key after the largest one.
  if (key.size() <= limits.max_key_bytes + 1) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("the {} of the range has {} bytes; keys have {} at most", what,
                                                       key.size(), limits.max_key_bytes));
}

}  // namespace

Result<api::WriteRequest> to_write(v1::PutRequest&& from, Shard shard, const api::Limits& limits) {
  api::WriteRequest to = start_write(shard, from.has_id(), from.id());
  api::Mutation& mutation = *to.add_mutations();
  mutation.set_key(std::move(*from.mutable_key()));
  mutation.set_value(std::move(*from.mutable_value()));
  return checked(std::move(to), limits);
}

Result<api::WriteRequest> to_write(v1::RemoveRequest&& from, Shard shard, const api::Limits& limits) {
  api::WriteRequest to = start_write(shard, from.has_id(), from.id());
  api::Mutation& mutation = *to.add_mutations();
  mutation.set_key(std::move(*from.mutable_key()));
  mutation.set_remove(true);
  return checked(std::move(to), limits);
}

Result<api::WriteRequest> to_write(v1::CompareAndSetRequest&& from, Shard shard, const api::Limits& limits) {
  api::WriteRequest to = start_write(shard, from.has_id(), from.id());
  api::Mutation& mutation = *to.add_mutations();
  api::Condition& condition = *to.mutable_condition();
  mutation.set_key(from.key());
  condition.set_key(std::move(*from.mutable_key()));
  switch (from.expected_case()) {
    case v1::CompareAndSetRequest::kExpectedAbsent:
      if (!from.expected_absent()) return fail(ErrorCode::kInvalidArgument, "expected_absent, if given, is true");
      condition.set_kind(api::Condition::ABSENT);
      break;
    case v1::CompareAndSetRequest::kExpectedValue:
      condition.set_kind(api::Condition::VALUE);
      condition.set_value(std::move(*from.mutable_expected_value()));
      break;
    case v1::CompareAndSetRequest::kExpectedVersion:
      condition.set_kind(api::Condition::VERSION);
      condition.set_version(from.expected_version());
      break;
    case v1::CompareAndSetRequest::EXPECTED_NOT_SET:
      return fail(ErrorCode::kInvalidArgument, "compare_and_set does not say what it expects");
  }
  switch (from.desired_case()) {
    case v1::CompareAndSetRequest::kValue: mutation.set_value(std::move(*from.mutable_value())); break;
    case v1::CompareAndSetRequest::kRemove:
      if (!from.remove()) return fail(ErrorCode::kInvalidArgument, "remove, if given, is true");
      mutation.set_remove(true);
      break;
    case v1::CompareAndSetRequest::DESIRED_NOT_SET:
      return fail(ErrorCode::kInvalidArgument, "compare_and_set does not say what to write");
  }
  return checked(std::move(to), limits);
}

Result<api::WriteRequest> to_write(v1::WriteBatchRequest&& from, Shard shard, const api::Limits& limits) {
  api::WriteRequest to = start_write(shard, from.has_id(), from.id());
  to.mutable_mutations()->Reserve(from.mutations_size());
  for (v1::Mutation& m : *from.mutable_mutations()) {
    api::Mutation& mutation = *to.add_mutations();
    mutation.set_key(std::move(*m.mutable_key()));
    switch (m.action_case()) {
      case v1::Mutation::kValue: mutation.set_value(std::move(*m.mutable_value())); break;
      case v1::Mutation::kRemove:
        if (!m.remove()) return fail(ErrorCode::kInvalidArgument, "remove, if given, is true");
        mutation.set_remove(true);
        break;
      case v1::Mutation::ACTION_NOT_SET:
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("mutation {} of the batch says neither value nor remove", to.mutations_size() - 1));
    }
  }
  return checked(std::move(to), limits);
}

Result<api::ReadRequest> to_read(v1::GetRequest&& from, Shard shard, const api::Limits& limits) {
  ASSIGN_OR_RETURN(api::ReadRequest to, start_read(shard, from.options()));
  *to.add_keys() = std::move(*from.mutable_key());
  RETURN_IF_ERROR(api::check_read(to, limits));
  return to;
}

Result<api::ReadRequest> to_read(v1::MultiGetRequest&& from, Shard shard, const api::Limits& limits) {
  ASSIGN_OR_RETURN(api::ReadRequest to, start_read(shard, from.options()));
  to.mutable_keys()->Swap(from.mutable_keys());
  RETURN_IF_ERROR(api::check_read(to, limits));
  return to;
}

Result<api::ScanRequest> to_scan(const v1::ScanRequest& from, Shard shard, const api::Limits& limits) {
  ASSIGN_OR_RETURN(const api::Consistency consistency, to_consistency(from.options()));
  if (!from.prefix().empty() && (!from.start().empty() || !from.end().empty())) {
    return fail(ErrorCode::kInvalidArgument, "a scan has a prefix, or start and end, not both");
  }
  RETURN_IF_ERROR(check_bound("start", from.start(), limits));
  RETURN_IF_ERROR(check_bound("end", from.end(), limits));
  RETURN_IF_ERROR(check_bound("prefix", from.prefix(), limits));
  if (!from.end().empty() && from.start() >= from.end()) {
    return fail(ErrorCode::kInvalidArgument, "the range is empty: its start is not below its end");
  }
  if (from.limit() > limits.max_scan_limit) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a page of {} entries is asked for; the limit is {}", from.limit(), limits.max_scan_limit));
  }
  api::ScanRequest to;
  to.set_shard_id(shard.id);
  to.set_keyspace_id(shard.keyspace);
  to.set_start(from.prefix().empty() ? from.start() : from.prefix());
  to.set_end(from.prefix().empty() ? from.end() : prefix_end(from.prefix()));
  to.set_reverse(from.reverse());
  to.set_keys_only(from.keys_only());
  to.set_limit(from.limit() != 0 ? from.limit()
                                 : std::min(kDefaultScanLimit, static_cast<std::uint32_t>(limits.max_scan_limit)));
  to.set_consistency(consistency);
  to.set_at_timestamp(from.options().at_timestamp());
  return to;
}

Result<> check_node_spec(const v1::NodeSpec& spec) {
  const std::string& address = spec.address();
  const std::size_t colon = address.rfind(':');
  std::uint32_t port = 0;
  bool valid = colon != std::string::npos && colon > 0 && address.size() <= kMaxAddressBytes &&
               address.find_first_of(" \t\r\n/") == std::string::npos;
  if (valid) {
    const char* end = address.data() + address.size();
    const auto parsed = std::from_chars(address.data() + colon + 1, end, port);
    valid = parsed.ec == std::errc() && parsed.ptr == end && port >= 1 && port <= 65535;
  }
  if (!valid) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is no address; it is host:port, such as 127.0.0.1:7401",
                            address.substr(0, kMaxAddressBytes)));
  }
  if (const std::string_view host = std::string_view(address).substr(0, colon); host == "0.0.0.0" || host == "[::]") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is where a node listens, not where others reach it; name its host", address));
  }
  if (spec.region().empty() || spec.region().size() > kMaxRegionBytes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("the region of {} has {} bytes; it has 1 to {}", address,
                                                         spec.region().size(), kMaxRegionBytes));
  }
  return {};
}

Result<> check_nodes(const v1::InitClusterRequest& request) {
  if (request.nodes_size() < 1 || request.nodes_size() > kMaxNodes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a cluster is formed of 1 to {} nodes, not of {}", kMaxNodes, request.nodes_size()));
  }
  std::set<std::string_view> addresses;
  for (const v1::NodeSpec& spec : request.nodes()) {
    RETURN_IF_ERROR(check_node_spec(spec));
    if (!addresses.insert(spec.address()).second) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} is named twice", spec.address()));
    }
  }
  return {};
}

void to_public(api::ReadInfo&& from, v1::ReadInfo* to) {
  to->set_timestamp(from.timestamp());
  to->set_node_id(from.node_id());
  to->set_region(std::move(*from.mutable_region()));
  to->set_role(static_cast<v1::ReplicaRole>(from.role()));  // the same numbers
  if (from.role() == api::LEADER) to->set_cluster_time_us(from.cluster_time_us());
}

static_assert(static_cast<int>(api::LEADER) == static_cast<int>(v1::REPLICA_ROLE_LEADER) &&
              static_cast<int>(api::FOLLOWER) == static_cast<int>(v1::REPLICA_ROLE_FOLLOWER) &&
              static_cast<int>(api::LEARNER) == static_cast<int>(v1::REPLICA_ROLE_LEARNER));

}  // namespace meridian::proxy
