// client/proto and proxy/validate: what anybody may send to a proxy. What validation lets through is within the
// limits, and is a request that nodes take.
#include "client/proto/methods.h"
#include "proxy/validate.h"
#include "tests/fuzz/messages.h"

namespace meridian::fuzz {
namespace {

constexpr proxy::Shard kShard{.keyspace = 1, .id = 1};
const api::Limits kLimits{.max_key_bytes = 8,
                          .max_value_bytes = 16,
                          .max_request_bytes = 512,
                          .max_batch_keys = 4,
                          .max_read_keys = 4,
                          .max_scan_limit = 10};

template <class M>
concept Write = requires(M m) { proxy::to_write(std::move(m), kShard, kLimits); };
template <class M>
concept Read = requires(M m) { proxy::to_read(std::move(m), kShard, kLimits); };

void check(const Result<api::WriteRequest>& to) {
  if (!to) return;
  CHECK(api::check_write(*to, kLimits).has_value());
  CHECK(!to->has_id() || to->id().time_us() != 0);
  for (const api::Mutation& m : to->mutations()) CHECK(!m.remove() || m.value().empty());
}
void check(const Result<api::ReadRequest>& to) {
  if (to) CHECK(api::check_read(*to, kLimits).has_value());
}
void check_scan(const v1::ScanRequest& from) {
  const Result<api::ScanRequest> to = proxy::to_scan(from, kShard, kLimits);
  if (!to) return;
  CHECK(to->limit() >= 1 && to->limit() <= 10);
  CHECK(to->end().empty() || to->start() < to->end());
}

template <class M>
void survive(std::string_view bytes) {
  Result<M> m = v1::decode(bytes, static_cast<M*>(nullptr));
  if (!m) return;
  require_stable(*m);
  if constexpr (Write<M>) {
    check(proxy::to_write(std::move(*m), kShard, kLimits));
  } else if constexpr (Read<M>) {
    check(proxy::to_read(std::move(*m), kShard, kLimits));
  } else if constexpr (std::is_same_v<M, v1::ScanRequest>) {
    check_scan(*m);
  } else if constexpr (std::is_same_v<M, v1::InitClusterRequest>) {
    if (proxy::check_nodes(*m)) CHECK(m->nodes_size() >= 1 && m->nodes_size() <= 9);
  } else if constexpr (std::is_same_v<M, v1::NodeSpec>) {
    if (proxy::check_node_spec(*m)) CHECK(m->address().find(':') != std::string::npos && !m->region().empty());
  }
}

constexpr Decoder kDecoders[] = {survive<v1::PutRequest>,
                                 survive<v1::RemoveRequest>,
                                 survive<v1::CompareAndSetRequest>,
                                 survive<v1::WriteBatchRequest>,
                                 survive<v1::GetRequest>,
                                 survive<v1::MultiGetRequest>,
                                 survive<v1::ScanRequest>,
                                 survive<v1::InitClusterRequest>,
                                 survive<v1::NodeSpec>,
                                 survive<v1::AddNodeRequest>,
                                 survive<v1::ReplaceNodeRequest>,
                                 survive<v1::TransferLeaderRequest>,
                                 survive<v1::GetResponse>,
                                 survive<v1::MultiGetResponse>,
                                 survive<v1::WriteResponse>,
                                 survive<v1::ScanResponse>,
                                 survive<v1::CompareAndSetResponse>,
                                 survive<v1::HelloResponse>,
                                 survive<v1::GetStatusResponse>,
                                 survive<v1::ErrorDetail>,
                                 survive<v1::NodeOperationResponse>,
                                 survive<v1::InitClusterResponse>};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
