#include "server/memory.h"

#include <algorithm>

#include <fmt/format.h>

namespace meridian::server {

std::vector<NodeMemory::Part> NodeMemory::parts() const {
  return {{"block_cache", block_cache},
          {"write_buffers", kWriteBuffers * write_buffer},
          {"version_cache", version_cache},
          {"queue", queue},
          // While a flush goes on, as much may come again.
          {"log", 2 * unflushed_log + lagging_log},
          {"remembered_ids", remembered_ids}};
}

std::uint64_t NodeMemory::total() const {
  std::uint64_t sum = 0;
  for (const Part& part : parts()) sum += part.bytes;
  return sum;
}

Result<NodeMemory> divide_memory(const StorageConfig& storage, const LimitsConfig& limits) {
  const std::uint64_t share = storage.memory / 16;
  const auto or_share = [share](std::uint64_t configured) { return configured != 0 ? configured : share; };
  const NodeMemory memory{.block_cache = or_share(storage.block_cache),
                          .write_buffer = or_share(storage.write_buffer),
                          .version_cache = or_share(storage.version_cache),
                          // Never too small for one request of the largest size beside others.
                          .queue = limits.queue != 0 ? limits.queue : std::max(share, 2 * limits.batch),
                          .unflushed_log = share,
                          .lagging_log = share / 4,
                          .remembered_ids = std::min(share, NodeMemory::kBytesPerRememberedId << 20)};
  if (memory.total() <= storage.memory) return memory;
  std::string parts;
  for (const NodeMemory::Part& part : memory.parts()) {
    parts += fmt::format("{}{} {} MiB", parts.empty() ? "" : ", ", part.name, part.bytes >> 20);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("storage.memory = {} MiB is less than its parts may take, {} MiB: {}", storage.memory >> 20,
                          memory.total() >> 20, parts));
}

}  // namespace meridian::server
