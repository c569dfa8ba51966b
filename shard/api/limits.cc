#include <algorithm>
#include <vector>

#include "shard/api/methods.h"

namespace meridian::api {

Result<> check_key(std::string_view key, const Limits& limits) {
  if (key.empty()) return fail(ErrorCode::kInvalidArgument, "the key is empty; keys have 1 byte or more");
  if (key.size() > limits.max_key_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the key has {} bytes; the limit is {}", key.size(), limits.max_key_bytes));
  }
  return {};
}

Result<> check_value(std::string_view value, const Limits& limits) {
  if (value.size() > limits.max_value_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the value has {} bytes; the limit is {}", value.size(), limits.max_value_bytes));
  }
  return {};
}

Result<> check_write(const WriteRequest& request, const Limits& limits) {
  if (request.mutations().empty()) return fail(ErrorCode::kInvalidArgument, "the batch is empty; it has 1 mutation or more");
  if (static_cast<std::size_t>(request.mutations_size()) > limits.max_batch_keys) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("the batch has {} mutations; the limit is {}",
                                                         request.mutations_size(), limits.max_batch_keys));
  }
  std::size_t bytes = 64;
  std::vector<std::string_view> keys;
  for (const Mutation& m : request.mutations()) {
    RETURN_IF_ERROR(check_key(m.key(), limits));
    RETURN_IF_ERROR(check_value(m.value(), limits));
    bytes += m.key().size() + m.value().size() + 32;
    keys.push_back(m.key());
  }
  if (request.has_condition()) {
    RETURN_IF_ERROR(check_key(request.condition().key(), limits));
    RETURN_IF_ERROR(check_value(request.condition().value(), limits));
  }
  if (bytes > limits.max_request_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the batch has {} bytes; the limit is {}", bytes, limits.max_request_bytes));
  }
  if (keys.size() > 1) {
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) {
      constexpr std::size_t kQuoted = 64;
      return fail(ErrorCode::kInvalidArgument, fmt::format("the batch names the key \"{}\"{} twice", twice->substr(0, kQuoted),
                                                           twice->size() > kQuoted ? "..." : ""));
    }
  }
  return {};
}

Result<> check_read(const ReadRequest& request, const Limits& limits) {
  if (request.keys().empty()) return fail(ErrorCode::kInvalidArgument, "no keys are asked for");
  if (static_cast<std::size_t>(request.keys_size()) > limits.max_read_keys) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} keys are asked for; the limit is {}", request.keys_size(), limits.max_read_keys));
  }
  for (const std::string& key : request.keys()) RETURN_IF_ERROR(check_key(key, limits));
  return {};
}

}  // namespace meridian::api
