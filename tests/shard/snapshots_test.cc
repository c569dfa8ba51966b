// What a receiver of snapshots makes of chunks that no sender of this version would send.
#include <gtest/gtest.h>

#include "shard/snapshot_crc.h"
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
  chunk.set_crc32c(chunk_crc(chunk.data()));
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
  wire::SnapshotChunk question;
  question.set_ask(true);
  question.set_transfer(1);
  const auto note = [&](const Result<wire::SnapshotChunkResponse>& answer) {
    if (!answer) refused.push_back(answer.error().code());
  };
  for (const auto type : {raft::MessageType::kAppend, raft::MessageType::kSnapshot}) {
    receiver.receive(question, note);
    runtime.settle();
    receiver.receive(whole_snapshot(type), note);
    runtime.settle();
  }
  EXPECT_EQ(refused, std::vector{ErrorCode::kInvalidArgument});
  EXPECT_EQ(delivered, 1);
}

}  // namespace
}  // namespace meridian
