#include "shard/snapshots.h"

#include <isa-l.h>

#include "base/check.h"
#include "base/fault.h"
#include "shard/applied_state.h"
#include "shard/state_machine.h"

namespace meridian {
namespace {

std::uint32_t crc32c(std::string_view bytes) {
  return crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())), static_cast<int>(bytes.size()),
                     0xffffffffu);
}

}  // namespace

void SnapshotSender::send(ReplicaId to) {
  if (!sending_.insert(to).second) return;
  spawn(deps_.runtime, run(to, deps_.core.term(), lifetime_.token()));
}

Result<SnapshotSender::Made> SnapshotSender::make(Engine& engine, FileSystem& fs, const ReplicaOptions& options,
                                                  const EngineSnapshot& snapshot, const std::string& directory) {
  RETURN_IF_ERROR(fs.remove_all(directory));
  RETURN_IF_ERROR(fs.create_directories(directory));
  ASSIGN_OR_RETURN(const auto state, load_applied_state(engine, options.shard, {.snapshot = &snapshot}));
  if (!state) return fail(ErrorCode::kFailedPrecondition, "there is nothing to send yet");
  Made made;
  made.meta = {state->index, state->term, state->membership};
  ASSIGN_OR_RETURN(made.files, engine.export_ranges(shard_ranges(options.shard, options.keyspace), snapshot, directory));
  return made;
}

Task<void> SnapshotSender::run(ReplicaId to, Term term, std::weak_ptr<char> alive) {
  const std::string directory = fmt::format("{}/{}", deps_.directory, next_directory_++);
  FileSystem& fs = deps_.fs;
  Runtime& runtime = deps_.runtime;
  // What the engine holds now is consistent by itself: the applied state is part of it.
  std::shared_ptr<EngineSnapshot> snapshot = deps_.engine.snapshot();
  Result<Made> made = co_await offload(runtime, [&engine = deps_.engine, &fs, options = deps_.options, snapshot, directory] {
    return make(engine, fs, options, *snapshot, directory);
  });
  snapshot.reset();
  Result<> sent = made ? Result<>() : fail(made.error());
  if (made && !alive.expired()) sent = co_await transfer(to, term, *made, alive);
  (void)co_await offload(runtime, [&fs, directory] { return fs.remove_all(directory); });
  if (alive.expired()) co_return;
  sending_.erase(to);
  deps_.core.snapshot_sent(runtime.now(), to, made ? made->meta.index : LogIndex(), sent.has_value());
  deps_.wake();
}

Task<Result<>> SnapshotSender::transfer(ReplicaId to, Term term, const Made& made, std::weak_ptr<char> alive) {
  Runtime& runtime = deps_.runtime;
  FileSystem& fs = deps_.fs;
  const std::uint64_t id = runtime.random() | 1;
  for (std::uint32_t i = 0; i < made.files.paths.size(); ++i) {
    auto opened = co_await offload(runtime, [&fs, path = made.files.paths[i]] { return fs.open(path, FileSystem::Open::kExisting); });
    if (!opened) co_return fail(std::move(opened).error());
    std::shared_ptr<File> file = std::move(*opened);
    std::uint64_t offset = 0;
    for (bool end = false; !end;) {
      if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the replica is gone");
      const std::size_t chunk_bytes = BUGGIFY("snapshot.tiny_chunks") ? 100 : deps_.options.snapshot_chunk_bytes;
      auto data = co_await offload(runtime, [file, offset, chunk_bytes] { return file->read(offset, chunk_bytes); });
      if (!data) co_return fail(std::move(data).error());
      if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the replica is gone");
      // Only the leader of that term speaks in it: signed with a later one, of which another may be the
      // leader, the last chunk would be heard as a second leader.
      if (!deps_.core.is_leader() || deps_.core.term() != term) {
        PROBE("snapshot.leadership_lost");
        co_return fail(ErrorCode::kNotLeader, "leadership was lost while a snapshot was sent");
      }
      end = data->size() < chunk_bytes;
      wire::SnapshotChunk chunk;
      chunk.set_transfer(id);
      chunk.set_file(i);
      chunk.set_offset(offset);
      chunk.set_crc32c(crc32c(*data));
      offset += data->size();
      chunk.set_data(std::move(*data));
      chunk.set_end_of_file(end);
      if (end && i + 1 == made.files.paths.size()) {
        chunk.set_last(true);
        raft::Message message;
        message.type = raft::MessageType::kSnapshot;
        message.from = deps_.options.replica;
        message.to = to;
        message.term = term;
        message.snapshot = made.meta;
        wire::to_wire(message, chunk.mutable_message());
      }
      auto answer = co_await suspend<Result<wire::SnapshotChunkResponse>>(
          runtime, [this, to, chunk = std::move(chunk)](auto done) mutable { deps_.ship(to, std::move(chunk), std::move(done)); });
      if (!answer) co_return fail(std::move(answer).error());
    }
  }
  co_return Result<>();
}

void SnapshotReceiver::receive(wire::SnapshotChunk chunk, Reply reply) {
  if (installing_) return reply(fail(ErrorCode::kBusy, "another snapshot is being installed"));
  if (crc32c(chunk.data()) != chunk.crc32c()) {
    return reply(fail(ErrorCode::kCorruption, fmt::format("a snapshot chunk at {} fails its checksum", chunk.offset())));
  }
  const bool first = chunk.file() == 0 && chunk.offset() == 0;
  if (first && (!transfer_ || !transfer_->writing)) {
    transfer_ = std::make_shared<Transfer>();
    transfer_->id = chunk.transfer();
  }
  if (!transfer_ || transfer_->id != chunk.transfer() || transfer_->writing || transfer_->complete ||
      transfer_->file != chunk.file() || transfer_->offset != chunk.offset()) {
    return reply(fail(ErrorCode::kConflict, "this chunk does not follow the last one; the transfer starts over"));
  }
  transfer_->writing = true;
  auto shared = std::make_shared<wire::SnapshotChunk>(std::move(chunk));
  auto result = std::make_shared<Result<>>();
  deps_.runtime.run_blocking(
      [shared, result, transfer = transfer_, &fs = deps_.fs, directory = deps_.directory] {
        *result = store(fs, directory, *shared, *transfer);
      },
      lifetime_.guard([this, shared, result, reply = std::move(reply)]() mutable {
        stored(shared, std::move(*result), std::move(reply));
      }));
}

Result<> SnapshotReceiver::store(FileSystem& fs, const std::string& directory, const wire::SnapshotChunk& chunk,
                                 Transfer& transfer) {
  if (chunk.file() == 0 && chunk.offset() == 0) {
    RETURN_IF_ERROR(fs.remove_all(directory));
    RETURN_IF_ERROR(fs.create_directories(directory));
  }
  if (chunk.offset() == 0) {
    transfer.paths.push_back(fmt::format("{}/{:06}.part", directory, chunk.file()));
    ASSIGN_OR_RETURN(transfer.open, fs.open(transfer.paths.back(), FileSystem::Open::kCreateNew));
  }
  return transfer.open->append(chunk.data());
}

void SnapshotReceiver::stored(std::shared_ptr<wire::SnapshotChunk> chunk, Result<> result, Reply reply) {
  Transfer& transfer = *transfer_;
  transfer.writing = false;
  if (!result) {
    transfer_.reset();
    return reply(fail(std::move(result).error()));
  }
  transfer.offset += chunk->data().size();
  if (!chunk->last()) {
    if (chunk->end_of_file()) {
      ++transfer.file;
      transfer.offset = 0;
    }
    return reply(wire::SnapshotChunkResponse());
  }
  Result<raft::Message> message = wire::from_wire(std::move(*chunk->mutable_message()));
  if (message && message->type != raft::MessageType::kSnapshot) {
    // The core would decide nothing, and no other snapshot would ever be taken.
    message = fail(ErrorCode::kInvalidArgument, "the last chunk of a snapshot comes with another message");
  }
  if (!message) {
    transfer_.reset();
    return reply(fail(std::move(message).error()));
  }
  transfer.open.reset();
  transfer.complete = true;
  installing_ = true;  // until the core has decided, and Replica has called finished()
  transfer.meta = message->snapshot;
  deps_.deliver(std::move(*message));
  reply(wire::SnapshotChunkResponse());
}

std::vector<std::string> SnapshotReceiver::files(const raft::SnapshotMeta& meta) const {
  CHECK_F(transfer_ && transfer_->complete && transfer_->meta == meta, "the snapshot at {} is not here", meta.index);
  return transfer_->paths;
}

void SnapshotReceiver::finished() {
  installing_ = false;
  transfer_.reset();
}

}  // namespace meridian
