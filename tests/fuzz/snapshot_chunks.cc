// shard/snapshots: a receiver takes chunks in any order and of any content. Each is answered once; what it delivers is
// a snapshot whose files are there; and whatever came, the next snapshot is taken.
#include <isa-l/crc.h>

#include "shard/snapshots.h"
#include "tests/fuzz/messages.h"
#include "tests/log/fake_runtime.h"
#include "tests/sim/sim_file.h"

namespace meridian::fuzz {
namespace {

void sign(wire::SnapshotChunk& chunk) {
  auto* data = reinterpret_cast<unsigned char*>(chunk.mutable_data()->data());
  chunk.set_crc32c(crc32_iscsi(data, static_cast<int>(chunk.data().size()), ~0u));
}

wire::SnapshotChunk make_chunk(Input& in) {
  const std::uint8_t how = in.byte();
  wire::SnapshotChunk chunk;
  if (how % 8 == 0) {  // whatever parses
    const std::string_view encoded = in.string();
    (void)chunk.ParseFromArray(encoded.data(), static_cast<int>(encoded.size()));
  } else {
    chunk.set_transfer(in.byte() % 2);
    chunk.set_ask(how % 16 == 5);
    chunk.set_file(in.byte() % 3);
    chunk.set_offset(in.byte() % 16);
    chunk.set_end_of_file(how % 2 == 0);
    chunk.set_last(how % 4 == 3);
    chunk.set_data(std::string(in.string()));
    if (chunk.last()) {
      const std::string_view encoded = in.string();
      (void)chunk.mutable_message()->ParseFromArray(encoded.data(), static_cast<int>(encoded.size()));
    }
  }
  if (how < 0xf0) sign(chunk);
  return chunk;
}

wire::SnapshotChunk whole_snapshot() {
  wire::SnapshotChunk chunk;
  chunk.set_transfer(99);
  chunk.set_data("all of it");
  chunk.set_last(true);
  raft::Message message;
  message.type = raft::MessageType::kSnapshot;
  wire::to_wire(message, chunk.mutable_message());
  sign(chunk);
  return chunk;
}

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) {
  using namespace meridian;
  using namespace meridian::fuzz;
  Input in(bytes);
  std::uint64_t random = 1;
  SimFileSystem fs([&random] { return random++; });
  FakeRuntime runtime([&random] { return random++; });
  std::optional<raft::Message> delivered;
  SnapshotReceiver receiver({.runtime = runtime,
                             .fs = fs,
                             .deliver = [&](raft::Message m) { delivered = std::move(m); },
                             .directory = "/data/snapshots/in"});
  int chunks = 0, answers = 0;
  const auto receive = [&](wire::SnapshotChunk chunk) {
    ++chunks;
    receiver.receive(std::move(chunk), [&answers](const Result<wire::SnapshotChunkResponse>&) { ++answers; });
  };
  const auto decide = [&] {
    if (!delivered) return;
    CHECK(delivered->type == raft::MessageType::kSnapshot);
    for (const std::string& path : receiver.files(delivered->snapshot)) CHECK(fs.exists(path).value_or(false));
    receiver.finished();
    delivered.reset();
  };
  while (chunks < 32 && !in.empty()) {
    receive(make_chunk(in));
    if (in.byte() % 8 == 7) continue;  // the next one comes while this one is being written
    runtime.settle();
    decide();
  }
  runtime.settle();
  decide();
  wire::SnapshotChunk question;
  question.set_ask(true);
  question.set_transfer(99);
  receive(std::move(question));
  runtime.settle();
  receive(whole_snapshot());
  runtime.settle();
  CHECK(delivered.has_value());
  CHECK(answers == chunks);
}
