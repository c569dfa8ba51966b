// What a receiver of snapshots makes of chunks that no sender of this version would send.
#include <gtest/gtest.h>
#include <isa-l/crc.h>

#include "shard/snapshots.h"
#include "tests/log/fake_runtime.h"
#include "tests/sim/sim_file.h"

namespace meridian {
namespace {

wire::SnapshotChunk whole_snapshot(raft::MessageType type) {
  wire::SnapshotChunk chunk;
  chunk.set_transfer(1);
  chunk.set_data("all of it");
  chunk.set_last(true);
  raft::Message message;
  message.type = type;
  wire::to_wire(message, chunk.mutable_message());
  auto* data = reinterpret_cast<unsigned char*>(chunk.mutable_data()->data());
  chunk.set_crc32c(crc32_iscsi(data, static_cast<int>(chunk.data().size()), ~0u));
  return chunk;
}

// It would wait for ever for the core's decision, and answer "busy" to every later snapshot.
TEST(SnapshotReceiver, AMessageThatIsNoSnapshotIsRefusedAndTheNextSnapshotTaken) {
  std::uint64_t random = 1;
  SimFileSystem fs([&random] { return random++; });
  FakeRuntime runtime([&random] { return random++; });
  int delivered = 0;
  SnapshotReceiver receiver({.runtime = runtime,
                             .fs = fs,
                             .deliver = [&](const raft::Message&) { ++delivered; },
                             .directory = "/data/snapshots/in"});
  std::vector<ErrorCode> refused;
  for (const auto type : {raft::MessageType::kAppend, raft::MessageType::kSnapshot}) {
    receiver.receive(whole_snapshot(type), [&](const Result<wire::SnapshotChunkResponse>& answer) {
      if (!answer) refused.push_back(answer.error().code());
    });
    runtime.settle();
  }
  EXPECT_EQ(refused, std::vector{ErrorCode::kInvalidArgument});
  EXPECT_EQ(delivered, 1);
}

}  // namespace
}  // namespace meridian
