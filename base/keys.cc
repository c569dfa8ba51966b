#include "base/keys.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace meridian {

namespace {

constexpr char kEscape = '\x00';
constexpr char kEscapedZero = '\xff';
constexpr char kEnd = '\x01';

template <class T>
bool consume_big_endian(std::string_view& in, T& out) {
  if (in.size() < sizeof(T)) return false;
  ByteReader reader(in);
  out = reader.big_endian<T>();
  in.remove_prefix(sizeof(T));
  return true;
}

}  // namespace

void append_ordered(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + bytes.size() + 2);
  while (true) {
    const std::size_t zero = bytes.find(kEscape);
    out.append(bytes.substr(0, zero));
    if (zero == std::string_view::npos) break;
    out.push_back(kEscape);
    out.push_back(kEscapedZero);
    bytes.remove_prefix(zero + 1);
  }
  out.push_back(kEscape);
  out.push_back(kEnd);
}

std::size_t ordered_size(std::string_view bytes) {
  return bytes.size() + static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), kEscape)) + 2;
}

void append_u16(std::string& out, std::uint16_t value) { put_big_endian(out, value); }
void append_u32(std::string& out, std::uint32_t value) { put_big_endian(out, value); }
void append_u64(std::string& out, std::uint64_t value) { put_big_endian(out, value); }
void append_u64_inverted(std::string& out, std::uint64_t value) { put_big_endian(out, ~value); }

bool consume_ordered(std::string_view& in, std::string& out) {
  std::string decoded;
  std::string_view rest = in;
  while (true) {
    const std::size_t escape = rest.find(kEscape);
    if (escape == std::string_view::npos || escape + 1 >= rest.size()) return false;
    decoded.append(rest.substr(0, escape));
    const char mark = rest[escape + 1];
    rest.remove_prefix(escape + 2);
    if (mark == kEnd) break;
    if (mark != kEscapedZero) return false;
    decoded.push_back(kEscape);
  }
  out = std::move(decoded);
  in = rest;
  return true;
}

bool consume_u16(std::string_view& in, std::uint16_t& out) { return consume_big_endian(in, out); }
bool consume_u32(std::string_view& in, std::uint32_t& out) { return consume_big_endian(in, out); }
bool consume_u64(std::string_view& in, std::uint64_t& out) { return consume_big_endian(in, out); }
bool consume_u64_inverted(std::string_view& in, std::uint64_t& out) {
  if (!consume_big_endian(in, out)) return false;
  out = ~out;
  return true;
}

std::size_t ordered_length(std::string_view in) {
  std::size_t at = 0;
  while (true) {
    at = in.find(kEscape, at);
    if (at == std::string_view::npos || at + 1 >= in.size()) return 0;
    if (in[at + 1] == kEnd) return at + 2;
    at += 2;
  }
}

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace meridian
