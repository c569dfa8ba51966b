#include "server/memory.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/config.h"

namespace meridian::server {

namespace {

// A request of the largest size, and an entry, fit beside others.
std::uint64_t least_queue(const LimitsConfig& limits) { return std::max<std::uint64_t>(2 * limits.batch, 2 << 20); }

Result<> check_least(std::string_view name, std::uint64_t configured, std::uint64_t least) {
  if (configured == 0 || configured >= least) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} = {}: at least {}, or 0 for a share of storage.memory", name, format_bytes(configured),
                          format_bytes(least)));
}

}  // namespace

NodeMemory NodeMemory::staggered(double lot) const {
  const auto less = [part = 1 - lot / 4](std::uint64_t bytes) {
    return static_cast<std::uint64_t>(static_cast<double>(bytes) * part);
  };
  NodeMemory memory = *this;
  memory.write_buffer = less(write_buffer);
  memory.unflushed_log = less(unflushed_log);
  return memory;
}

std::vector<NodeMemory::Part> NodeMemory::parts() const {
  return {{"block_cache", block_cache},
          {"write_buffers", kWriteBuffers * write_buffer},
          {"version_cache", version_cache},
          {"queue", queue},
          {"answers", answers},
          // Twice: what is read back for a follower, too.
          {"log", 2 * recent_log},
          {"remembered_ids", remembered_ids}};
}

std::uint64_t NodeMemory::total() const {
  std::uint64_t sum = 0;
  for (const Part& part : parts()) sum += part.bytes;
  return sum;
}

Result<NodeMemory> divide_memory(const StorageConfig& storage, const LimitsConfig& limits) {
  RETURN_IF_ERROR(check_least("storage.block_cache", storage.block_cache, 1 << 20));
  RETURN_IF_ERROR(check_least("storage.write_buffer", storage.write_buffer, 1 << 20));
  RETURN_IF_ERROR(check_least("limits.queue", limits.queue, least_queue(limits)));
  RETURN_IF_ERROR(check_least("limits.answers", limits.answers, kLeastAnswers));
  const std::uint64_t share = storage.memory / 16;
  const auto or_share = [share](std::uint64_t configured) { return configured != 0 ? configured : share; };
  const NodeMemory memory{.block_cache = or_share(storage.block_cache),
                          .write_buffer = or_share(storage.write_buffer),
                          .version_cache = or_share(storage.version_cache),
                          .queue = limits.queue != 0 ? limits.queue : std::max(share, least_queue(limits)),
                          .answers = limits.answers != 0 ? limits.answers : std::max(share, kLeastAnswers),
                          .unflushed_log = share,
                          .recent_log = share / 4,
                          .remembered_ids = std::min(share, NodeMemory::kBytesPerRememberedId << 20)};
  if (memory.total() <= storage.memory) return memory;
  std::string parts;
  for (const NodeMemory::Part& part : memory.parts()) {
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", part.name, format_bytes(part.bytes));
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("storage.memory = {} is less than its parts may take, {}: {}", format_bytes(storage.memory),
                          format_bytes(memory.total()), parts));
}

}  // namespace meridian::server
