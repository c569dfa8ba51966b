// A start on a log directory as the input makes it: segments of sealed batches, and damage of any kind. The start may
// refuse; if it does not, what it repaired reads the same again, takes appends, and finds them after a power loss.
#include <cstdlib>
#include <memory>

#include "base/bytes.h"
#include "shard/log/format.h"
#include "shard/log/log_store.h"
#include "shard/log/recovery.h"
#include "tests/fuzz/fuzz.h"
#include "tests/log/fake_runtime.h"
#include "tests/sim/sim_file.h"

namespace meridian::fuzz {
namespace {

constexpr const char* kDirectory = "log";

void write_file(SimFileSystem& fs, const std::string& name, std::string_view bytes) {
  const std::string path = std::string(kDirectory) + "/" + name;
  if (fs.exists(path).value_or(true)) return;
  auto file = fs.open(path, FileSystem::Open::kCreateNew);
  CHECK(file.has_value());
  CHECK((*file)->append(bytes).has_value());
  CHECK((*file)->sync().has_value());
}

class Writer {
 public:
  explicit Writer(SimFileSystem& fs) : fs_(fs) {}
  ~Writer() { end_segment(); }

  void step(Input& in) {
    switch (in.byte() % 8) {
      case 0: return begin_segment({salt_, number_ + 1, sequence_, first_segment_});
      case 1: return begin_segment({static_cast<std::uint32_t>(in.number()), in.number(), in.number(), in.number()});
      case 2: return batch(in.string(), sequence_++, synced_);
      case 3: synced_ = sequence_; return batch(in.string(), sequence_++, synced_);
      case 4: return batch(in.string(), in.number(), in.number());
      case 5: bytes_.append(in.string()); return;
      case 6:
        if (!bytes_.empty()) bytes_[in.number() % bytes_.size()] ^= static_cast<char>(in.byte());
        return;
      default:
        if (in.byte() < 128) return bytes_.resize(bytes_.size() - std::min<std::size_t>(bytes_.size(), in.byte()));
        const std::string name = std::string(in.string()) + (in.byte() < 128 ? ".tmp" : "");
        if (!name.empty() && name.find('/') == std::string::npos && name.find('\0') == std::string::npos) {
          write_file(fs_, name, in.string());
        }
    }
  }

 private:
  void begin_segment(const log_format::SegmentHeader& header) {
    end_segment();
    salt_ = header.salt;
    number_ = header.number;
    sequence_ = header.first_sequence;
    first_segment_ = header.first_segment;
    bytes_ = log_format::encode(header);
    begun_ = true;
  }
  void end_segment() {
    if (begun_) write_file(fs_, log_format::segment_name(number_), bytes_);
  }
  void batch(std::string_view records, std::uint64_t sequence, std::uint64_t synced) {
    std::string batch(log_format::kBatchHeaderBytes, '\0');
    batch.append(records);
    log_format::seal_batch(batch, sequence, synced, salt_);
    bytes_.append(batch);
  }

  SimFileSystem& fs_;
  bool begun_ = false;
  std::string bytes_;
  std::uint32_t salt_ = 7;
  std::uint64_t number_ = 0, sequence_ = 1, synced_ = 0, first_segment_ = 1;
};

bool same(const LogRecovery& a, const LogRecovery& b) {
  if (a.last_sequence != b.last_sequence || a.shards.size() != b.shards.size()) return false;
  for (const auto& [shard, log] : a.shards) {
    const auto other = b.shards.find(shard);
    if (other == b.shards.end() || other->second.replica != log.replica || other->second.base != log.base ||
        other->second.hard_state != log.hard_state || other->second.last_index() != log.last_index()) {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) {
  using namespace meridian;
  using namespace meridian::fuzz;
  Input in(bytes);
  std::uint64_t random = in.byte();
  SimFileSystem fs([&random] { return random = random * 6364136223846793005u + 1442695040888963407u, random >> 33; });
  CHECK(fs.create_directories(kDirectory).has_value());
  {
    Writer writer(fs);
    for (int steps = 0; steps < 64 && !in.empty(); ++steps) writer.step(in);
  }
  CHECK(fs.sync_directory(kDirectory).has_value());
  const auto found = scan_log(fs, kDirectory);
  if (!found) return;

  constexpr ShardId kShard(4242);
  LogOptions options{.segment_bytes = 256, .on_fatal = [](const Error&) { std::abort(); }};
  {
    FakeRuntime runtime([&random] { return ++random; });
    auto opened = open_segmented_log(runtime, fs, kDirectory, options);
    CHECK(opened.has_value());
    const auto repaired = scan_log(fs, kDirectory);
    CHECK(repaired && !repaired->tail && same(*found, *repaired));
    if (found->shards.contains(kShard)) return;
    LogUpdate update{
        .shard = kShard, .replica = ReplicaId(9), .hard_state = raft::HardState{Term(3), ReplicaId(9), {}}};
    update.entries.push_back({LogIndex(1), Term(3), raft::EntryType::kCommand, std::make_shared<std::string>("x")});
    bool durable = false;
    opened->store->append({update}, [&durable] { durable = true; });
    runtime.run_until_idle();
    CHECK(durable);
  }
  fs.crash();
  FakeRuntime runtime([&random] { return ++random; });
  const auto again = open_segmented_log(runtime, fs, kDirectory, options);
  CHECK(again.has_value());
  const auto log =
      std::find_if(again->logs.begin(), again->logs.end(), [&](const RecoveredLog& l) { return l.shard == kShard; });
  CHECK(log != again->logs.end() && log->entries.size() == 1 && *log->entries[0].data == "x");
}
