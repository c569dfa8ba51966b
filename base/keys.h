// Order-preserving key encoding: the bytewise order of the encodings is the order of the tuples they
// were made from, so that engine keys can be compounds (kind, keyspace, user key, timestamp, ...).
// Pure functions. What kinds of engine keys there are is told elsewhere (txn/).
//
// A byte string is written with 0x00 as 0x00 0xFF, and ends with 0x00 0x01: no encoding is a prefix of
// another one, and a string sorts before every longer one that it is a prefix of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace meridian {

void append_ordered(std::string& out, std::string_view bytes);
// How many bytes append_ordered writes.
std::size_t ordered_size(std::string_view bytes);
// Big-endian.
void append_u16(std::string& out, std::uint16_t value);
void append_u32(std::string& out, std::uint32_t value);
void append_u64(std::string& out, std::uint64_t value);
// Larger values sort first: the newest version of a key is met first.
void append_u64_inverted(std::string& out, std::uint64_t value);

// Each takes its value from the front of `in`. False: too short or not an encoding; then nothing was
// taken and `out` is unchanged.
[[nodiscard]] bool consume_ordered(std::string_view& in, std::string& out);
[[nodiscard]] bool consume_u16(std::string_view& in, std::uint16_t& out);
[[nodiscard]] bool consume_u32(std::string_view& in, std::uint32_t& out);
[[nodiscard]] bool consume_u64(std::string_view& in, std::uint64_t& out);
[[nodiscard]] bool consume_u64_inverted(std::string_view& in, std::uint64_t& out);

// The length of the encoded byte string at the front of `in`, its end mark included, without decoding
// it; 0 if there is no end mark. What follows a 0x00 is not judged.
std::size_t ordered_length(std::string_view in);

// The smallest key greater than every key that starts with prefix. Empty, i.e. "to the end of all
// keys", if the prefix is empty or all 0xFF.
std::string prefix_end(std::string prefix);

// The smallest key greater than this one.
inline std::string key_after(std::string_view key) {
  std::string out;
  out.reserve(key.size() + 1);
  out.append(key);
  out.push_back('\0');
  return out;
}

}  // namespace meridian
