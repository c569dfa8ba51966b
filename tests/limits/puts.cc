#include "tests/limits/puts.h"

#include <memory>

#include <fmt/format.h>

namespace meridian::limits {

Puts::Puts(std::uint64_t batch, std::uint64_t value_bytes) {
  std::string value(value_bytes, '\0');
  for (char& byte : value) byte = static_cast<char>(rng_());  // does not compress, like the load generators' values
  payload_.set_origin_region(1);
  for (std::uint64_t i = 0; i < batch; ++i) {
    wire::Command& command = *payload_.add_commands();
    command.set_id_client(rng_());
    command.set_payload_hash(rng_());
    command.set_keyspace_id(kKeyspace.value());
    command.add_mutations()->set_value(value);
  }
}

raft::Entry Puts::next(WallTime wall) {
  for (wire::Command& command : *payload_.mutable_commands()) {
    command.set_id_time_us(static_cast<std::uint64_t>(wall.us()));
    command.set_id_sequence(++sequence_);
    command.set_stamp(hlc_.now(wall).packed());
    command.mutable_mutations(0)->set_key(fmt::format("key{:012}", rng_() % kKeys));
  }
  payload_.set_closed_timestamp(hlc_.floor().packed());
  index_ = index_.next();
  return {index_, kTerm, raft::EntryType::kCommand, std::make_shared<const std::string>(payload_.SerializeAsString())};
}

}  // namespace meridian::limits
