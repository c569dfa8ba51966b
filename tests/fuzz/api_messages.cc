// shard/api: every message of the calls that nodes serve, and the limits that both ends check.
#include "shard/api/methods.h"
#include "tests/fuzz/messages.h"

namespace meridian::fuzz {
namespace {

// Small, so that inputs pass them.
const api::Limits kLimits{
    .max_key_bytes = 8, .max_value_bytes = 16, .max_request_bytes = 512, .max_batch_keys = 4, .max_read_keys = 4};

void check(const api::WriteRequest& m) {
  if (!api::check_write(m, kLimits)) return;
  CHECK(m.mutations_size() >= 1 && m.mutations_size() <= 4);
  for (const api::Mutation& mutation : m.mutations()) {
    CHECK(!mutation.key().empty() && mutation.key().size() <= 8 && mutation.value().size() <= 16);
  }
}
void check(const api::ReadRequest& m) {
  if (api::check_read(m, kLimits)) CHECK(m.keys_size() >= 1 && m.keys_size() <= 4);
}
void check(const google::protobuf::MessageLite&) {}

template <class M>
void survive(std::string_view bytes) {
  const Result<M> m = api::decode(bytes, static_cast<M*>(nullptr));
  if (!m) return;
  require_stable(*m);
  check(*m);
}

constexpr Decoder kDecoders[] = {
    survive<api::ReadRequest>,       survive<api::ReadResponse>,       survive<api::ScanRequest>,
    survive<api::ScanResponse>,      survive<api::WriteRequest>,       survive<api::WriteResponse>,
    survive<api::TopologyRequest>,   survive<api::TopologyResponse>,   survive<api::BootstrapRequest>,
    survive<api::BootstrapResponse>, survive<api::JoinRequest>,        survive<api::JoinResponse>,
    survive<api::NodeStatusRequest>, survive<api::NodeStatusResponse>, survive<api::ChangeRequest>,
    survive<api::ChangeResponse>};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
