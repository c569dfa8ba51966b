// What a message costs that is made from a struct and read back. The argument is the number of puts in it.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/grpc/frame.h"
#include "shard/api/methods.h"
#include "shard/wire/codec.h"
#include "tests/limits/puts.h"

namespace meridian {
namespace {

constexpr std::uint64_t kValueBytes = 256;
constexpr WallTime kWall{1'764'000'000'000'000};
constexpr MonoTime kNow{1'000'000};

void count(benchmark::State& state, std::size_t items, std::size_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(items) * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

// As shard/node sends it: one entry of so many puts, in a batch with its sender.
raft::Message append_message(std::uint64_t puts) {
  raft::Message message;
  message.type = raft::MessageType::kAppend;
  message.from = ReplicaId(1);
  message.to = ReplicaId(2);
  message.term = message.log_term = limits::kTerm;
  message.round = 77;
  message.entries.push_back(limits::Puts(puts, kValueBytes).next(kWall));
  return message;
}

std::string encode_append(const raft::Message& message) {
  wire::RaftBatch batch;
  batch.mutable_sender()->set_cluster_id(1);
  batch.mutable_sender()->set_node_id(1);
  batch.mutable_sender()->set_address("10.0.0.1:7401");
  batch.set_to_node(2);
  batch.set_shard_id(1);
  wire::to_wire(message, batch.add_messages());
  return wire::encode(batch);
}

void raft_append_encode(benchmark::State& state) {
  const auto puts = static_cast<std::uint64_t>(state.range(0));
  const raft::Message message = append_message(puts);
  std::size_t bytes = 0;
  for (auto _ : state) bytes = encode_append(message).size();
  count(state, puts, bytes);
}
BENCHMARK(raft_append_encode)->Arg(1)->Arg(64)->Arg(1024);

void raft_append_decode(benchmark::State& state) {
  const auto puts = static_cast<std::uint64_t>(state.range(0));
  const std::string bytes = encode_append(append_message(puts));
  for (auto _ : state) {
    Result<wire::RaftBatch> batch = wire::decode(bytes, static_cast<wire::RaftBatch*>(nullptr));
    Result<raft::Message> message = wire::from_wire(std::move(*batch->mutable_messages(0)));
    CHECK(message.has_value());
    benchmark::DoNotOptimize(message);
  }
  count(state, puts, bytes.size());
}
BENCHMARK(raft_append_decode)->Arg(1)->Arg(64)->Arg(1024);

void entry_payload_decode(benchmark::State& state) {
  const auto puts = static_cast<std::uint64_t>(state.range(0));
  const raft::Entry entry = limits::Puts(puts, kValueBytes).next(kWall);
  for (auto _ : state) {
    wire::EntryPayload payload;
    CHECK(payload.ParseFromString(*entry.data));
    benchmark::DoNotOptimize(payload);
  }
  count(state, puts, entry.data->size());
}
BENCHMARK(entry_payload_decode)->Arg(1)->Arg(64)->Arg(1024);

api::WriteRequest write_request() {
  api::WriteRequest request;
  request.set_shard_id(api::kFirstShardId);
  request.set_keyspace_id(api::kDefaultKeyspaceId);
  request.mutable_id()->set_time_us(static_cast<std::uint64_t>(kWall.us()));
  request.mutable_id()->set_client(0x1234567890abcdef);
  request.mutable_id()->set_sequence(12'345);
  api::Mutation* mutation = request.add_mutations();
  mutation->set_key("key000000012345");
  mutation->set_value(std::string(kValueBytes, 'v'));
  return request;
}

api::WriteResponse write_response() {
  api::WriteResponse response;
  response.set_applied(true);
  response.set_version(Timestamp::from_wall(kWall).packed());
  response.set_cluster_time_us(static_cast<std::uint64_t>(kWall.us()));
  return response;
}

template <auto kMake>
void message_encode(benchmark::State& state) {
  const auto message = kMake();
  std::size_t bytes = 0;
  for (auto _ : state) bytes = encode(message).size();
  count(state, 1, bytes);
}
BENCHMARK(message_encode<write_request>)->Name("write_request_encode");
BENCHMARK(message_encode<write_response>)->Name("write_response_encode");

template <auto kMake>
void message_decode(benchmark::State& state) {
  using Message = decltype(kMake());
  const std::string bytes = encode(kMake());
  for (auto _ : state) {
    Result<Message> message = decode(bytes, static_cast<Message*>(nullptr));
    CHECK(message.has_value());
    benchmark::DoNotOptimize(message);
  }
  count(state, 1, bytes.size());
}
BENCHMARK(message_decode<write_request>)->Name("write_request_decode");
BENCHMARK(message_decode<write_response>)->Name("write_response_decode");

// Frames of one write request each, as a stream's batch holds them.
std::string make_batch(std::int64_t frames, const std::string& payload) {
  std::string batch;
  link::OutFrame frame{.deadline = kNow + std::chrono::seconds(10), .method = api::kWrite.id, .payload = payload};
  for (std::int64_t i = 0; i < frames; ++i) {
    frame.id = static_cast<std::uint64_t>(i) + 1'000'000;
    link::append_frame(batch, frame, kNow);
  }
  return batch;
}

void frames_append(benchmark::State& state) {
  const std::string payload = encode(write_request());
  std::size_t bytes = 0;
  for (auto _ : state) bytes = make_batch(state.range(0), payload).size();
  count(state, static_cast<std::size_t>(state.range(0)), bytes);
}
BENCHMARK(frames_append)->Arg(1)->Arg(64)->Arg(1024);

void frames_parse(benchmark::State& state) {
  const std::string batch = make_batch(state.range(0), encode(write_request()));
  for (auto _ : state) {
    auto frames = link::parse_frames(batch);
    CHECK(frames.has_value());
    benchmark::DoNotOptimize(frames);
  }
  count(state, static_cast<std::size_t>(state.range(0)), batch.size());
}
BENCHMARK(frames_parse)->Arg(1)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace meridian
