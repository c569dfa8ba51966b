// base/keys: what is decoded was encoded so, nothing else is; and the order of encodings is the order of what they
// stand for (empty, 0x00 and 0xFF keys included).
#include <compare>
#include <tuple>

#include "base/keys.h"
#include "tests/fuzz/fuzz.h"

namespace meridian::fuzz {
namespace {

void decode(std::string_view bytes) {
  std::string_view rest = bytes;
  std::string key;
  if (!consume_ordered(rest, key)) {
    CHECK(rest == bytes && key.empty());
    return;
  }
  std::string again;
  append_ordered(again, key);
  const std::size_t taken = bytes.size() - rest.size();
  CHECK(again == bytes.substr(0, taken) && ordered_size(key) == taken && ordered_length(bytes) == taken);
}

void integers(std::string_view bytes) {
  std::string_view rest = bytes;
  std::uint16_t small = 0;
  std::uint32_t middle = 0;
  std::uint64_t large = 0, inverted = 0;
  if (!consume_u16(rest, small) || !consume_u32(rest, middle) || !consume_u64(rest, large) ||
      !consume_u64_inverted(rest, inverted)) {
    return;
  }
  std::string again;
  append_u16(again, small);
  append_u32(again, middle);
  append_u64(again, large);
  append_u64_inverted(again, inverted);
  CHECK(again == bytes.substr(0, again.size()));
}

void order(std::string_view bytes) {
  Input in(bytes);
  const std::string a(in.string()), b(in.string());
  const std::uint64_t x = in.number(), y = in.number();
  const auto tuple = [](const std::string& key, std::uint64_t version) {
    std::string out;
    append_ordered(out, key);
    append_u64_inverted(out, version);
    return out;
  };
  CHECK((tuple(a, x) <=> tuple(b, y)) == (std::tie(a, y) <=> std::tie(b, x)));
  CHECK(key_after(a) > a && (b <= a || key_after(a) <= b));
  const std::string end = prefix_end(a);
  CHECK(b.starts_with(a) == (b >= a && (end.empty() ? b.starts_with(a) : b < end)));
}

constexpr Decoder kDecoders[] = {decode, integers, order};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
