#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/fault.h"
#include "shard/snapshot_crc.h"
#include "shard/snapshots.h"

namespace meridian {
namespace {

// Ahead of the disk; a sender keeps to less.
constexpr std::size_t kMaxQueuedBytes = 64 << 20;

}  // namespace

void SnapshotReceiver::receive(wire::SnapshotChunk chunk, Reply reply) {
  if (installing_) return reply(fail(ErrorCode::kBusy, "another snapshot is being installed"));
  if (chunk.ask()) return asked(chunk, std::move(reply));
  if (chunk_crc(chunk.data()) != chunk.crc32c()) {
    return reply(
        fail(ErrorCode::kCorruption, fmt::format("a snapshot chunk at {} fails its checksum", chunk.offset())));
  }
  if (!transfer_ || transfer_->id != chunk.transfer() || transfer_->file != chunk.file() ||
      transfer_->offset != chunk.offset()) {
    return reply(fail(ErrorCode::kConflict, "this chunk does not follow the last one"));
  }
  if (transfer_->queued_bytes > kMaxQueuedBytes) {
    return reply(fail(ErrorCode::kBusy, fmt::format("{} bytes of a snapshot wait for the disk; the limit is {}",
                                                    transfer_->queued_bytes, kMaxQueuedBytes)));
  }
  transfer_->offset += chunk.data().size();
  if (chunk.end_of_file()) {
    ++transfer_->file;
    transfer_->offset = 0;
  }
  transfer_->queued_bytes += chunk.data().size();
  transfer_->queue.push_back({std::make_shared<wire::SnapshotChunk>(std::move(chunk)), std::move(reply)});
  if (!transfer_->writing) write_next();
}

wire::SnapshotChunkResponse SnapshotReceiver::position_of(const Transfer& transfer) {
  wire::SnapshotChunkResponse response;
  response.set_file(transfer.file);
  response.set_offset(transfer.offset);
  return response;
}

void SnapshotReceiver::asked(const wire::SnapshotChunk& chunk, Reply reply) {
  if (transfer_ && transfer_->id == chunk.transfer()) return reply(position_of(*transfer_));
  // Another leader's, or of a sender that has begun anew.
  if (transfer_ && transfer_->writing)
    return reply(fail(ErrorCode::kBusy, "a chunk of another snapshot is being written"));
  begin(chunk, std::move(reply));
}

void SnapshotReceiver::begin(const wire::SnapshotChunk& question, Reply reply) {
  transfer_ = std::make_shared<Transfer>();
  transfer_->id = question.transfer();
  transfer_->writing = true;
  auto result = std::make_shared<Result<>>();
  deps_.runtime.run_blocking(
      [result, bytes = question.bytes(), &fs = deps_.fs, directory = deps_.directory] {
        *result = [&]() -> Result<> {
          RETURN_IF_ERROR(fs.remove_all(directory));
          RETURN_IF_ERROR(fs.create_directories(directory));
          ASSIGN_OR_RETURN(const std::uint64_t free, fs.free_bytes(directory));
          // It is stored, and written once more when it is taken in.
          if (free / 2 >= bytes) return {};
          return fail(
              ErrorCode::kDiskFull,
              fmt::format("a snapshot of {} bytes needs twice that on the disk, where {} are free", bytes, free));
        }();
      },
      lifetime_.guard([this, result, transfer = transfer_, reply = std::move(reply)]() mutable {
        if (transfer != transfer_) return reply(fail(ErrorCode::kConflict, "another snapshot has come"));
        transfer->writing = false;
        if (!*result) {
          transfer_.reset();
          return reply(fail(std::move(*result).error()));
        }
        reply(position_of(*transfer));
        if (transfer == transfer_ && !transfer->queue.empty()) write_next();
      }));
}

void SnapshotReceiver::write_next() {
  Transfer& transfer = *transfer_;
  transfer.writing = true;
  auto next = std::make_shared<Queued>(std::move(transfer.queue.front()));
  transfer.queue.pop_front();
  auto result = std::make_shared<Result<>>();
  deps_.runtime.run_blocking([next, result, transfer = transfer_, &fs = deps_.fs,
                              directory = deps_.directory] { *result = store(fs, directory, *next->chunk, *transfer); },
                             lifetime_.guard([this, next, result] { stored(std::move(*next), std::move(*result)); }));
}

Result<> SnapshotReceiver::store(FileSystem& fs, const std::string& directory, const wire::SnapshotChunk& chunk,
                                 Transfer& transfer) {
  if (chunk.offset() == 0) {
    transfer.paths.push_back(fmt::format("{}/{:06}.part", directory, chunk.file()));
    ASSIGN_OR_RETURN(transfer.open, fs.open(transfer.paths.back(), FileSystem::Open::kCreateNew));
  }
  return transfer.open->append(chunk.data());
}

// What is queued behind a chunk that was not stored has nothing to follow.
void SnapshotReceiver::give_up(Error error) {
  const std::shared_ptr<Transfer> ended = std::exchange(transfer_, nullptr);
  for (Queued& queued : ended->queue) queued.reply(fail(error));
}

void SnapshotReceiver::stored(Queued done, Result<> result) {
  transfer_->writing = false;
  transfer_->queued_bytes -= done.chunk->data().size();
  if (!result) {
    done.reply(fail(result.error()));
    return give_up(std::move(result).error());
  }
  if (done.chunk->last()) return complete(*done.chunk, std::move(done.reply));
  done.reply(position_of(*transfer_));
  if (transfer_ && !transfer_->queue.empty()) write_next();
}

void SnapshotReceiver::complete(wire::SnapshotChunk& chunk, Reply reply) {
  Result<raft::Message> message = wire::from_wire(std::move(*chunk.mutable_message()));
  if (message && message->type != raft::MessageType::kSnapshot) {
    // The core would decide nothing, and no other snapshot would ever be taken.
    message = fail(ErrorCode::kInvalidArgument, "the last chunk of a snapshot comes with another message");
  }
  if (!message) {
    reply(fail(message.error()));
    return give_up(std::move(message).error());
  }
  // Nothing follows the last one.
  for (Queued& queued : std::exchange(transfer_->queue, {})) {
    queued.reply(fail(ErrorCode::kConflict, "this chunk comes after the last one"));
  }
  transfer_->open.reset();
  transfer_->complete = true;
  installing_ = true;  // until the core has decided, and Replica has called finished()
  transfer_->meta = message->snapshot;
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
