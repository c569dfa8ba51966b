// fuzz_seeds DIRECTORY [REPOSITORY]: one file per kind of input under DIRECTORY/<target>/, made by the encoders, so
// that fuzzing starts from what is valid. tests/fuzz/README.md says when.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/bytes.h"
#include "base/grpc/frame.h"
#include "base/keys.h"
#include "client/proto/methods.h"
#include "proxy/page_token.h"
#include "raft/membership.h"
#include "shard/api/methods.h"
#include "shard/applied_state.h"
#include "shard/log/format.h"
#include "shard/wire/codec.h"
#include "tests/checkers/history.h"
#include "tools/ctl/checkpoint.h"
#include "tools/ctl/records.h"
#include "txn/mvcc.h"

namespace meridian::fuzz {
namespace {

std::filesystem::path g_directory;

void put(const std::string& target, const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories(g_directory / target);
  std::ofstream(g_directory / target / name, std::ios::binary) << bytes;
}
std::string one_of(int which, const std::string& bytes) { return std::string(1, static_cast<char>(which)) + bytes; }
// As Input::string() reads it.
std::string piece(const std::string& bytes) {
  std::string out;
  if (bytes.size() < 0xff) return std::string(1, static_cast<char>(bytes.size())) + bytes;
  out.push_back('\xff');
  put_big_endian(out, static_cast<std::uint64_t>(bytes.size()));
  return out + bytes;
}

raft::Entry entry(std::uint64_t index, raft::EntryType type, std::string data) {
  return {LogIndex(index), Term(3), type, std::make_shared<const std::string>(std::move(data))};
}

const raft::Membership kJoint{{ReplicaId(1), ReplicaId(2), ReplicaId(4)},
                              {ReplicaId(1), ReplicaId(2), ReplicaId(3)},
                              {ReplicaId(5)},
                              {ReplicaId(3)}};

void log_seeds() {
  using namespace log_format;
  LogUpdate update{.shard = ShardId(1), .replica = ReplicaId(2)};
  update.reset = LogBase{LogIndex(10), Term(3)};
  update.truncate_from = LogIndex(11);
  update.entries = {entry(11, raft::EntryType::kNoop, ""), entry(12, raft::EntryType::kCommand, "abc")};
  update.hard_state = raft::HardState{Term(3), ReplicaId(2), LogIndex(11)};
  std::string all, some;
  append_record(some, update);
  all = some;
  append_record(all, Record(TruncatePrefix{ShardId(1), ReplicaId(2), {LogIndex(11), Term(3)}}));
  append_record(all, Record(Tombstone{ShardId(3), ReplicaId(9)}));
  append_record(all, Record(State{ShardId(1), ReplicaId(2), {LogIndex(11), Term(3)}, update.hard_state}));
  append_record(all, Record(Entries{ShardId(1), ReplicaId(2), {update.entries.back()}}));
  append_record(all, Record(FirstSegment{1}));
  put("log_records", "records", one_of(2, all));
  put("log_records", "header", one_of(0, encode(SegmentHeader{7, 12, 345, 9})));
  put("log_records", "batch", one_of(1, "\x07\x05\x04" + all));

  std::string next;
  append_record(
      next,
      LogUpdate{.shard = ShardId(1), .replica = ReplicaId(2), .entries = {entry(13, raft::EntryType::kCommand, "d")}});
  const std::string segment(1, '\0'), batch = "\x02", marked = "\x03";
  const std::string healthy = "\x01" + segment + batch + piece(some) + marked + piece(next);
  put("log_recovery", "healthy", healthy);
  put("log_recovery", "two_segments", "\x01" + segment + marked + piece(all) + segment + batch + piece(next));
  put("log_recovery", "torn", healthy + "\x05" + piece("torn"));
  put("log_recovery", "flipped", healthy + marked + piece("") + std::string("\x06\x50\x01", 3));
  put("log_recovery", "cut", healthy + std::string("\x07\x01\x05", 3));
}

void wire_seeds() {
  wire::RaftBatch batch;
  batch.mutable_sender()->set_cluster_id(77);
  batch.mutable_sender()->set_node_id(1);
  batch.mutable_sender()->set_address("n1:7401");
  batch.set_shard_id(1);
  raft::Message append;
  append.type = raft::MessageType::kAppend;
  append.from = ReplicaId(1), append.to = ReplicaId(2);
  append.term = Term(3), append.log_index = LogIndex(10), append.log_term = Term(2), append.commit = LogIndex(9);
  append.entries = {entry(11, raft::EntryType::kCommand, "x"), entry(12, raft::EntryType::kMembership, encode(kJoint))};
  raft::Message snapshot = append;
  snapshot.type = raft::MessageType::kSnapshot;
  snapshot.entries.clear();
  snapshot.snapshot = {LogIndex(10), Term(2), kJoint};
  wire::to_wire(append, batch.add_messages());
  wire::to_wire(snapshot, batch.add_messages());
  put("raft_message", "batch", one_of(0, batch.SerializeAsString()));
  put("raft_message", "append", one_of(1, batch.messages(0).SerializeAsString()));
  wire::SnapshotChunk chunk;
  *chunk.mutable_sender() = batch.sender();
  chunk.set_transfer(5);
  chunk.set_data("some data");
  chunk.set_last(true);
  *chunk.mutable_message() = batch.messages(1);
  put("raft_message", "chunk", one_of(2, chunk.SerializeAsString()));
  put("raft_message", "membership", one_of(4, encode(kJoint)));
  const std::string message = batch.messages(1).SerializeAsString();
  const std::string now(1, '\0');  // written before the next one comes
  const std::string first = std::string("\x01\x01\x00\x00", 4) + piece("data") + now;
  put("snapshot_chunks", "one_file", first + std::string("\x03\x01\x00\x04", 4) + piece("more") + piece(message));
  put("snapshot_chunks", "no_snapshot",
      first + std::string("\x03\x01\x00\x04", 4) + piece("more") + piece(batch.messages(0).SerializeAsString()));
  put("snapshot_chunks", "two_files",
      std::string("\x02\x01\x00\x00", 4) + piece("data") + now + std::string("\x03\x01\x01\x00", 4) + piece("more") +
          piece(message));
  put("snapshot_chunks", "parsed", std::string(1, '\0') + piece(chunk.SerializeAsString()));

  wire::EntryPayload payload;
  payload.set_closed_timestamp(100);
  payload.set_ceiling(200);
  wire::to_wire({.id = {5, 6, 7},
                 .payload_hash = 8,
                 .keyspace = KeyspaceId(1),
                 .stamp = Timestamp(90),
                 .mutations = {{"key", "value"}, {"gone", std::nullopt}}},
                payload.add_commands());
  put("stored_state", "payload", one_of(0, payload.SerializeAsString()));
  put("stored_state", "applied",
      one_of(1, encode_applied_state({LogIndex(9), Term(2), Timestamp(5), Timestamp(6), kJoint})));
  api::ClusterState cluster;
  cluster.set_cluster_id(77);
  cluster.add_shards()->add_replicas()->set_replica_id(1);
  put("stored_state", "cluster", one_of(2, cluster.SerializeAsString()));
  put("stored_state", "command",
      one_of(3, std::string("\x05", 1) + std::string(8, '\x06') + "\x07" + std::string(8, '\x08') +
                    "\x01\x5a\x02\x03key" + std::string(1, '\0') + "\x05value\x04gone\x01\x01"));
  put("data_directory", "identity",
      one_of(
          0,
          R"({"format_version": 1, "cluster_id": "77", "node_id": "1", "replica_id": "1", "region": "eu", "incarnation": "3", "initialised": true})"));
  api::JoinRequest join;
  join.set_cluster_id(77);
  put("data_directory", "joining",
      one_of(1, piece(join.SerializeAsString()) + piece(cluster.SerializeAsString()) + R"({"format_version":1})"));
}

void message_seeds() {
  api::WriteRequest write;
  write.set_shard_id(1);
  write.mutable_id()->set_time_us(5);
  write.add_mutations()->set_key("key");
  write.mutable_mutations(0)->set_value("value");
  write.mutable_condition()->set_key("key");
  put("api_messages", "write", one_of(4, write.SerializeAsString()));
  api::ReadRequest read;
  read.add_keys("key");
  put("api_messages", "read", one_of(0, read.SerializeAsString()));
  v1::PutRequest put_request;
  put_request.set_key("key");
  put_request.set_value("value");
  put_request.mutable_id()->set_time_us(5);
  put("public_messages", "put", one_of(0, put_request.SerializeAsString()));
  v1::CompareAndSetRequest cas;
  cas.set_key("key");
  cas.set_expected_absent(true);
  cas.set_value("value");
  put("public_messages", "cas", one_of(2, cas.SerializeAsString()));
  v1::WriteBatchRequest batch;
  batch.add_mutations()->set_key("a");
  batch.mutable_mutations(0)->set_remove(true);
  put("public_messages", "batch", one_of(3, batch.SerializeAsString()));
  v1::ScanRequest scan;
  scan.set_start("a");
  scan.set_end("b");
  scan.set_limit(5);
  put("public_messages", "scan", one_of(6, scan.SerializeAsString()));
  v1::InitClusterRequest init;
  init.add_nodes()->set_address("127.0.0.1:7401");
  init.mutable_nodes(0)->set_region("eu");
  put("public_messages", "init", one_of(7, init.SerializeAsString()));
  put("public_messages", "node", one_of(8, init.nodes(0).SerializeAsString()));
  v1::ScanRequest plain;
  plain.mutable_options();
  plain.set_reverse(true);
  plain.set_keys_only(true);
  const std::string token = proxy::encode_page_token({9, "b", "c"}, plain);
  put("page_token", "valid", std::string(7, '\0') + token);
  put("page_token", "made",
      std::string("\x07"
                  "default\x01"
                  "a\x01"
                  "b",
                  12) +
          std::string(4, '\0') +
          "\x05\x01"
          "a\x01"
          "b\x03\x01");
  std::string frames;
  for (const auto kind : {link::FrameKind::kRequest, link::FrameKind::kOneWay, link::FrameKind::kAnswer}) {
    link::append_frame(
        frames, {.id = 5, .deadline = MonoTime(9), .method = 0x101, .kind = kind, .trace = "00-a", .payload = "bytes"},
        MonoTime(1));
  }
  put("frames", "batch", one_of(0, frames));
  put("frames", "error",
      one_of(1, link::encode_error(Error(ErrorCode::kBusy, "busy").with_cause(Error(ErrorCode::kDiskFull, "full")))));
}

void key_seeds() {
  std::string ordered, integers(22, '\x01');
  append_ordered(ordered, std::string("a\0b\xff", 4));
  put("keys", "ordered", one_of(0, ordered + "rest"));
  put("keys", "integers", one_of(1, integers));
  put("keys", "order",
      one_of(2, std::string("\x02"
                            "a\0\x03"
                            "a\0\xff\x05\x06",
                            10)));
  const std::string stored = txn::version_value({false, {1, 2, 3}, 4}, "value");
  put("versions", "header", one_of(0, stored));
  put("versions", "reads",
      one_of(1, piece("key") + "\x01\x02\x03\x02" + std::string("\x00\x09\x01\x01", 4) + piece(stored) + piece("b") +
                    std::string("\x00\x08\x01\x00\x01\x04", 6) + piece("v") + piece("out") + "\x0a"));
}

void file_seeds(const std::filesystem::path& repository) {
  using ctl::RecordFormat;
  int n = 0;
  for (const auto format : {RecordFormat::kCsv, RecordFormat::kTsv, RecordFormat::kJsonLines}) {
    const std::string text = ctl::render_record_header(format) + ctl::render_record(format, "k,\"1", "v\n1") +
                             ctl::render_record(format, std::string("\xff\x00", 2), "");
    put("records", "import_" + std::to_string(n), one_of(0, std::string(1, static_cast<char>(n)) + '\0' + text));
    put("records", "whole_" + std::to_string(n), one_of(0, std::string(1, static_cast<char>(n)) + '\3' + text));
    put("records", "export_" + std::to_string(n),
        one_of(3, std::string(1, static_cast<char>(n)) + piece("key") + piece("v")));
    ++n;
  }
  put("ctl_text", "escaped", one_of(0, "a\\n\\x00\\\\"));
  put("ctl_text", "base64", one_of(0, "aGVsbG8="));
  put("ctl_text", "checkpoint", one_of(1, ctl::Checkpoint{.work = "import", .offset = 9, .last_key = "k"}.to_json()));
  using check::Event, check::EventType, check::Function;
  check::History history;
  history.add(
      {.process = 1, .type = EventType::kInvoke, .f = Function::kCas, .key = "k", .value = "b", .expected = "a"});
  history.add({.process = 2, .type = EventType::kInvoke, .f = Function::kScan, .key = "a", .end = "z"});
  history.add({.process = 1, .type = EventType::kFail, .f = Function::kCas, .key = "k", .error = "condition"});
  history.add({.process = 2,
               .type = EventType::kOk,
               .f = Function::kScan,
               .key = "a",
               .end = "z",
               .values = {{"k", "a"}},
               .versions = {{"k", 5}},
               .timestamp = 7});
  history.add(
      {.process = 3, .type = EventType::kInvoke, .f = Function::kBatch, .values = {{"k", "a"}, {"l", std::nullopt}}});
  std::ostringstream lines;
  check::write_history(history, lines);
  put("history", "events", lines.str());
  put("config", "node",
      one_of(0, "dir = \"/d\"\nregion = \"eu\"\n[raft]\nelection_timeout = \"500ms\"\n[limits]\nkey = \"4KiB\"\n"));
  put("config", "proxy", one_of(1, "nodes = [\"a:1\", \"b:2\"]\n[log]\nlevel = \"info\"\n"));
  put("config", "local", one_of(2, "regions = [\"a\", \"b\"]\nnodes_per_region = 2\nprocesses = true\n"));
  put("config", "latency", one_of(3, "within = \"250us\"\ndefault = \"40ms\"\n[us-east]\neu-west = \"35ms\"\n"));
  put("config", "flag",
      one_of(4, std::string("\x05\x03"
                            "1ms\x0f"
                            "127.0.0.1:1=eu-",
                            20) +
                    "role = \"node\""));
  std::ifstream scenario(repository / "tests/sim/scenarios/register.txt", std::ios::binary);
  std::string text, line;  // without comments
  while (std::getline(scenario, line)) {
    if (!line.empty() && line.front() != '#') text += line.substr(0, line.find(" #")) + "\n";
  }
  put("scenario", "register", text);
}

}  // namespace
}  // namespace meridian::fuzz

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: fuzz_seeds DIRECTORY [REPOSITORY]\n";
    return 2;
  }
  meridian::fuzz::g_directory = argv[1];
  meridian::fuzz::log_seeds();
  meridian::fuzz::wire_seeds();
  meridian::fuzz::message_seeds();
  meridian::fuzz::key_seeds();
  meridian::fuzz::file_seeds(argc > 2 ? argv[2] : ".");
}
