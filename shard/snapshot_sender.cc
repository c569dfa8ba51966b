#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/fault.h"
#include "base/log.h"
#include "shard/applied_state.h"
#include "shard/snapshot_crc.h"
#include "shard/snapshots.h"
#include "shard/state_machine.h"

namespace meridian {
namespace {

constexpr std::size_t kWindowBytes = 8 << 20;  // on their way at the same time
constexpr int kMaxBreaks = 8;                  // in a row, with nothing stored in between: the receiver is not there

}  // namespace

// Chunks that were shipped and not answered yet. Shared with their answers, which may come when nobody waits any more.
struct SnapshotSender::Window {
  std::size_t bytes = 0;
  int chunks = 0;
  std::optional<Error> error;
  Callback wake;

  void answered(std::size_t size, const Result<wire::SnapshotChunkResponse>& answer) {
    bytes -= size;
    --chunks;
    if (!answer && !error) error = answer.error();
    if (wake) std::exchange(wake, nullptr)();
  }
};

void SnapshotSender::send(ReplicaId to) {
  if (!sending_.emplace(to, Sending()).second) return;
  spawn(deps_.runtime, run(to, deps_.core.term(), lifetime_.token()));
}

std::optional<LogIndex> SnapshotSender::on_its_way(ReplicaId to) const {
  const auto found = sending_.find(to);
  return found == sending_.end() ? std::nullopt : found->second.as_of;
}

std::string SnapshotSender::trouble() const {
  for (const auto& [to, error] : troubles_) {
    if (sending_.contains(to))
      return fmt::format("replica {} needs a snapshot and has not taken it: {}", to, error.to_string());
  }
  return "";
}

Result<> SnapshotSender::may_go_on(const std::weak_ptr<char>& alive, const raft::Core& core, Term term) {
  if (alive.expired()) return fail(ErrorCode::kCancelled, "the replica is gone");
  if (core.is_leader() && core.term() == term) return {};
  PROBE("snapshot.leadership_lost");
  return fail(ErrorCode::kNotLeader, "leadership was lost while a snapshot was sent");
}

// It may have caught up from the log, or be no member any more.
bool SnapshotSender::still_wanted(ReplicaId to) const {
  return std::ranges::any_of(deps_.core.status().followers,
                             [to](const raft::FollowerStatus& f) { return f.id == to && f.snapshotting; });
}

Duration SnapshotSender::pause_after(int failures) {
  const Duration pause = deps_.options.election_timeout / 2 * (1 << std::min(failures, 5));  // up to 16 T
  return pause / 2 +
         Duration(static_cast<std::int64_t>(deps_.runtime.random_below(static_cast<std::uint64_t>(pause.count() / 2))));
}

Task<void> SnapshotSender::run(ReplicaId to, Term term, std::weak_ptr<char> alive) {
  Runtime& runtime = deps_.runtime;
  LogIndex index;
  const Result<> sent = co_await try_once(to, term, alive, index);
  if (alive.expired()) co_return;
  if (sent) {
    failures_.erase(to);
    troubles_.erase(to);
    LOG_INFO("a snapshot was sent", {{"to_replica", to.value()}, {"index", index.value()}});
  } else if (sent.error().code() != ErrorCode::kNotLeader) {
    const Duration pause = pause_after(failures_[to]++);
    troubles_.insert_or_assign(to, sent.error());
    LOG_WARNING(
        "a snapshot was not sent",
        {{"to_replica", to.value()}, {"error", sent.error().to_string()}, {"next_in_ms", pause.count() / 1000}});
    PROBE("snapshot.pause_after_failure");
    sending_[to].as_of.reset();
    co_await sleep_for(runtime, pause);
    if (alive.expired()) co_return;
  }
  sending_.erase(to);
  deps_.core.snapshot_sent(runtime.now(), to, index, sent.has_value());
  deps_.wake();
}

Task<Result<>> SnapshotSender::try_once(ReplicaId to, Term term, std::weak_ptr<char> alive, LogIndex& sent) {
  Runtime& runtime = deps_.runtime;
  FileSystem& fs = deps_.fs;
  const raft::Core& core = deps_.core;
  const std::uint64_t id = runtime.random() | 1;
  const Result<Position> welcome = co_await ask(to, id, deps_.engine.stats().disk_bytes);
  if (!welcome) co_return fail(welcome.error());
  CO_RETURN_IF_ERROR(may_go_on(alive, core, term));
  Result<Made> made = co_await make(to);
  if (!made) co_return fail(std::move(made).error());
  if (!alive.expired()) sending_[to].as_of = sent = made->meta.index;
  const Result<> result = co_await transfer(to, term, id, *made, alive);
  // Where this replica is gone, the next start clears it.
  if (!alive.expired())
    (void)co_await offload(runtime, [&fs, directory = made->directory] { return fs.remove_all(directory); });
  co_return result;
}

Task<Result<SnapshotSender::Position>> SnapshotSender::ask(ReplicaId to, std::uint64_t transfer, std::uint64_t bytes) {
  wire::SnapshotChunk question;
  question.set_ask(true);
  question.set_transfer(transfer);
  question.set_bytes(bytes);
  const auto answer = co_await suspend<Result<wire::SnapshotChunkResponse>>(
      deps_.runtime, [this, to, question = std::move(question)](auto done) mutable {
        deps_.ship(to, std::move(question), std::move(done));
      });
  if (!answer) co_return fail(answer.error());
  co_return Position{answer->file(), answer->offset()};
}

Task<Result<SnapshotSender::Made>> SnapshotSender::make(ReplicaId to) {
  // What the engine holds now is consistent by itself: the applied state is part of it. The log is kept from here on.
  sending_[to].as_of = deps_.core.applied_index();
  std::shared_ptr<EngineSnapshot> snapshot = deps_.engine.snapshot();
  const std::string directory = fmt::format("{}/{}", deps_.directory, next_directory_++);
  co_return co_await offload(deps_.runtime,
                             [&engine = deps_.engine, &fs = deps_.fs, options = deps_.options, snapshot, directory] {
                               return export_now(engine, fs, options, *snapshot, directory);
                             });
}

Result<SnapshotSender::Made> SnapshotSender::export_now(Engine& engine, FileSystem& fs, const ReplicaOptions& options,
                                                        const EngineSnapshot& snapshot, const std::string& directory) {
  RETURN_IF_ERROR(fs.remove_all(directory));
  RETURN_IF_ERROR(fs.create_directories(directory));
  ASSIGN_OR_RETURN(const auto state, load_applied_state(engine, options.shard, {.snapshot = &snapshot}));
  PROBE("snapshot.exported");
  if (!state) return fail(ErrorCode::kFailedPrecondition, "there is nothing to send yet");
  Made made{{state->index, state->term, state->membership}, {}, directory};
  ASSIGN_OR_RETURN(made.files,
                   engine.export_ranges(shard_ranges(options.shard, options.keyspace), snapshot, directory));
  return made;
}

Task<Result<>> SnapshotSender::transfer(ReplicaId to, Term term, std::uint64_t id, const Made& made,
                                        std::weak_ptr<char> alive) {
  Runtime& runtime = deps_.runtime;
  const raft::Core& core = deps_.core;
  Position at, stored;
  for (int breaks = 0;;) {
    const Result<> streamed = co_await stream(to, term, id, made, at, alive);
    if (streamed) co_return streamed;
    CO_RETURN_IF_ERROR(may_go_on(alive, core, term));
    if (streamed.error().code() == ErrorCode::kCorruption || streamed.error().code() == ErrorCode::kDiskFull)
      co_return streamed;
    co_await sleep_for(runtime, pause_after(breaks));
    CO_RETURN_IF_ERROR(may_go_on(alive, core, term));
    if (!still_wanted(to)) co_return Result<>();
    const Result<Position> position = co_await ask(to, id, made.files.bytes);
    CO_RETURN_IF_ERROR(may_go_on(alive, core, term));
    if (position && *position > stored) {
      PROBE("snapshot.resumed");
      breaks = 0;
      stored = *position;
    } else if (++breaks > kMaxBreaks) {
      co_return streamed;
    }
    if (position) at = *position;
  }
}

wire::SnapshotChunk SnapshotSender::chunk_of(ReplicaId to, Term term, const Made& made, Position at, std::string data,
                                             bool end) const {
  wire::SnapshotChunk chunk;
  chunk.set_file(at.file);
  chunk.set_offset(at.offset);
  chunk.set_crc32c(chunk_crc(data));
  chunk.set_data(std::move(data));
  chunk.set_end_of_file(end);
  if (!end || at.file + 1 < made.files.paths.size()) return chunk;
  chunk.set_last(true);
  raft::Message message;
  message.type = raft::MessageType::kSnapshot;
  message.from = deps_.options.replica;
  message.to = to;
  message.term = term;
  message.snapshot = made.meta;
  wire::to_wire(message, chunk.mutable_message());
  return chunk;
}

// Everything from a position on; several chunks are on their way, so that a long line is not waited for after each.
Task<Result<>> SnapshotSender::stream(ReplicaId to, Term term, std::uint64_t id, const Made& made, Position& at,
                                      std::weak_ptr<char> alive) {
  Runtime& runtime = deps_.runtime;
  FileSystem& fs = deps_.fs;
  const raft::Core& core = deps_.core;
  auto window = std::make_shared<Window>();
  const auto has_room = [&](std::size_t bytes) { return window->chunks == 0 || window->bytes + bytes <= kWindowBytes; };
  for (; at.file < made.files.paths.size() && !window->error; at = {at.file + 1, 0}) {
    auto opened = co_await offload(
        runtime, [&fs, path = made.files.paths[at.file]] { return fs.open(path, FileSystem::Open::kExisting); });
    if (!opened) co_return fail(std::move(opened).error());
    std::shared_ptr<File> file = std::move(*opened);
    for (bool end = false; !end && !window->error;) {
      const std::size_t chunk_bytes = BUGGIFY("snapshot.tiny_chunks") ? 100 : deps_.options.snapshot_chunk_bytes;
      auto data = co_await offload(runtime,
                                   [file, offset = at.offset, chunk_bytes] { return file->read(offset, chunk_bytes); });
      if (!data) co_return fail(std::move(data).error());
      CO_RETURN_IF_ERROR(may_go_on(alive, core, term));
      const std::size_t size = data->size();
      end = size < chunk_bytes;
      wire::SnapshotChunk chunk = chunk_of(to, term, made, at, std::move(*data), end);
      chunk.set_transfer(id);
      at.offset += size;
      window->bytes += size;
      ++window->chunks;
      deps_.ship(to, std::move(chunk),
                 [window, size](const Result<wire::SnapshotChunkResponse>& answer) { window->answered(size, answer); });
      while (!has_room(chunk_bytes) && !window->error) {
        co_await suspend<bool>(
            runtime, [window](auto done) { window->wake = [done = std::move(done)]() mutable { done(true); }; });
      }
      CO_RETURN_IF_ERROR(may_go_on(alive, core, term));
    }
  }
  // Also after an error: what is on its way would be taken for an answer of the next attempt.
  while (window->chunks > 0) {
    co_await suspend<bool>(runtime,
                           [window](auto done) { window->wake = [done = std::move(done)]() mutable { done(true); }; });
  }
  if (window->error) co_return fail(*window->error);
  co_return Result<>();
}

}  // namespace meridian
