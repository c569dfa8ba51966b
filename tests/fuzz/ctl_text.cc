// tools/ctl: keys and values as people type them, base64, and the checkpoint of an import.
#include "tests/fuzz/fuzz.h"
#include "tools/ctl/checkpoint.h"
#include "tools/ctl/text.h"

namespace meridian::fuzz {
namespace {

using namespace ctl;

void text(std::string_view bytes) {
  CHECK(unescape(escape(bytes)) == bytes);
  CHECK(unescape(escape(bytes, true)) == bytes);
  CHECK(is_printable(escape(bytes)));
  CHECK(from_base64(to_base64(bytes)) == bytes);
  if (const auto typed = unescape(bytes)) CHECK(unescape(escape(*typed)) == typed);
  if (const auto decoded = from_base64(bytes)) CHECK(from_base64(to_base64(*decoded)) == decoded);
  if (is_utf8(bytes)) CHECK(display_width(shorten(bytes, 5)) <= 5);
  (void)parse_duration(bytes);
  (void)split(bytes, ',');
}

void checkpoint(std::string_view bytes) {
  const auto first = Checkpoint::from_json(std::string(bytes));
  if (!first) return;
  const std::string once = first->to_json();
  const auto again = Checkpoint::from_json(once);
  CHECK(again && again->to_json() == once);
}

constexpr Decoder kDecoders[] = {text, checkpoint};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
