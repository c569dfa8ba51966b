// shard/snapshots: a receiver takes chunks in any order and of any content. Each is answered once; what it delivers is
// a snapshot whose files are there, and after it is decided the receiver takes the next one.
#include "base/bytes.h"
#include "shard/snapshots.h"
#include "tests/fuzz/fuzz.h"
#include "tests/log/fake_runtime.h"
#include "tests/sim/sim_file.h"

#include <isa-l/crc.h>

FUZZ_TARGET(bytes) {
  using namespace meridian;
  fuzz::Input in(bytes);
  std::uint64_t random = 1;
  SimFileSystem fs([&random] { return random++; });
  FakeRuntime runtime([&random] { return random++; });
  std::optional<raft::Message> delivered;
  SnapshotReceiver receiver({.runtime = runtime,
                             .fs = fs,
                             .deliver = [&](raft::Message m) { delivered = std::move(m); },
                             .directory = "/data/snapshots/in"});
  for (int chunks = 0; chunks < 32 && !in.empty(); ++chunks) {
    const std::uint8_t how = in.byte();
    wire::SnapshotChunk chunk;
    if (how % 8 == 0) {  // whatever parses
      const std::string_view encoded = in.string();
      if (!chunk.ParseFromArray(encoded.data(), static_cast<int>(encoded.size()))) continue;
    } else {
      chunk.set_transfer(in.byte() % 2);
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
    if (how < 0xf0) {
      auto* data = reinterpret_cast<unsigned char*>(chunk.mutable_data()->data());
      chunk.set_crc32c(~crc32_iscsi(data, static_cast<int>(chunk.data().size()), ~0u));
    }
    int answers = 0;
    receiver.receive(std::move(chunk), [&answers](const Result<wire::SnapshotChunkResponse>&) { ++answers; });
    if (how % 16 != 15) runtime.settle();  // else the next one comes while this one is being written
    if (how % 16 == 15 && !in.empty()) continue;
    runtime.settle();
    if (!delivered) continue;
    CHECK(delivered->type == raft::MessageType::kSnapshot);
    for (const std::string& path : receiver.files(delivered->snapshot)) CHECK(fs.exists(path).value_or(false));
    receiver.finished();
    delivered.reset();
  }
  runtime.settle();
}
