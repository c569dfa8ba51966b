// base/grpc: a batch of frames as a connection carries it, and the error that a frame may hold.
#include "base/grpc/frame.h"
#include "tests/fuzz/fuzz.h"

namespace meridian::fuzz {
namespace {

using namespace link;

constexpr MonoTime kNow(1'000'000'000'000);

void frames(std::string_view bytes) {
  const auto first = parse_frames(bytes);
  if (!first) return;
  std::string encoded;
  std::size_t bound = 0;
  for (const InFrame& frame : *first) {
    OutFrame out{.id = frame.id, .method = frame.method, .kind = frame.kind};
    out.trace = frame.trace;
    out.payload = frame.payload;
    // A deadline is sent as what remains; one beyond the clock's range is none.
    if (frame.remaining_us != 0 && frame.remaining_us < (std::uint64_t{1} << 62)) {
      out.deadline = kNow + Duration(static_cast<std::int64_t>(frame.remaining_us));
    }
    bound += out.size();
    append_frame(encoded, out, kNow);
  }
  CHECK(encoded.size() <= bound);
  const auto second = parse_frames(encoded);
  CHECK(second && second->size() == first->size());
  for (std::size_t i = 0; i < first->size(); ++i) {
    const InFrame &a = (*first)[i], &b = (*second)[i];
    CHECK(a.id == b.id && a.method == b.method && a.kind == b.kind && a.trace == b.trace && a.payload == b.payload);
  }
}

void error(std::string_view bytes) {
  const Error error = decode_error(bytes);
  const std::string once = encode_error(error);
  const Error again = decode_error(once);
  CHECK(again.code() == error.code() && again.message() == error.message() &&
        again.retry_after_ms() == error.retry_after_ms());
  CHECK(encode_error(again) == once);
}

constexpr Decoder kDecoders[] = {frames, error};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
