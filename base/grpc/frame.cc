#include "base/grpc/frame.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/bytes.h"

namespace meridian::link {

namespace {

std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// The innermost causes of an absurdly long chain tell nobody anything.
constexpr std::uint64_t kMaxChain = 16;

ErrorCode known_code(std::uint64_t code) {
  constexpr auto kLast = static_cast<std::uint64_t>(ErrorCode::kInternal);
  return code >= 1 && code <= kLast ? static_cast<ErrorCode>(code) : ErrorCode::kUnknownOutcome;
}

}  // namespace

void append_frame(std::string& out, const OutFrame& frame, MonoTime now) {
  const bool has_id = frame.kind != FrameKind::kOneWay;
  const bool is_call = frame.kind == FrameKind::kRequest || frame.kind == FrameKind::kOneWay;
  const std::uint64_t remaining =
      frame.deadline == MonoTime::max() ? 0 : std::max<std::int64_t>((frame.deadline - now).count(), 1);
  std::size_t length = 1 + frame.payload.size();
  if (has_id) length += varint_size(frame.id);
  if (is_call) {
    length += varint_size(frame.method) + varint_size(remaining) + varint_size(frame.trace.size()) + frame.trace.size();
  }
  put_varint(out, length);
  out.push_back(static_cast<char>(frame.kind));
  if (has_id) put_varint(out, frame.id);
  if (is_call) {
    put_varint(out, frame.method);
    put_varint(out, remaining);
    put_string(out, frame.trace);
  }
  out.append(frame.payload);
}

std::optional<InFrame> FrameReader::next() {
  if (rest_.empty()) return std::nullopt;
  ok_ = false;
  ByteReader batch(rest_);
  ByteReader body(batch.string());
  if (!batch.ok()) return std::nullopt;
  const std::string_view kind = body.bytes(1);
  if (!body.ok() || static_cast<std::uint8_t>(kind[0]) > static_cast<std::uint8_t>(FrameKind::kError)) return std::nullopt;
  InFrame frame;
  frame.kind = static_cast<FrameKind>(kind[0]);
  if (frame.kind != FrameKind::kOneWay) frame.id = body.varint();
  if (frame.kind == FrameKind::kRequest || frame.kind == FrameKind::kOneWay) {
    const std::uint64_t method = body.varint();
    if (method > std::numeric_limits<MethodId>::max()) return std::nullopt;
    frame.method = static_cast<MethodId>(method);
    frame.remaining_us = body.varint();
    frame.trace = body.string();
  }
  if (!body.ok()) return std::nullopt;
  frame.payload = body.rest();
  rest_ = batch.rest();
  ok_ = true;
  return frame;
}

std::optional<std::vector<InFrame>> parse_frames(std::string_view bytes) {
  std::vector<InFrame> frames;
  FrameReader reader(bytes);
  while (std::optional<InFrame> frame = reader.next()) frames.push_back(*frame);
  return reader.ok() ? std::optional(std::move(frames)) : std::nullopt;
}

std::string encode_error(const Error& error) {
  std::uint64_t count = 0;
  for (const Error* link = &error; link != nullptr && count < kMaxChain; link = link->cause()) ++count;
  std::string out;
  put_varint(out, error.retry_after_ms());
  put_varint(out, count);
  const Error* link = &error;
  for (std::uint64_t i = 0; i < count; ++i, link = link->cause()) {
    put_varint(out, static_cast<std::uint64_t>(link->code()));
    put_string(out, link->message());
  }
  return out;
}

Error decode_error(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint64_t retry_after = std::min<std::uint64_t>(reader.varint(), std::numeric_limits<std::uint32_t>::max());
  const std::uint64_t count = reader.varint();
  std::vector<Error> chain;
  for (std::uint64_t i = 0; reader.ok() && i < std::min(count, kMaxChain); ++i) {
    const std::uint64_t code = reader.varint();
    std::string message(reader.string());
    if (i == 0 && known_code(code) == ErrorCode::kUnknownOutcome && code != 8) {
      message = fmt::format("the peer answered error {}, which this version does not know: {}", code, message);
    }
    chain.emplace_back(known_code(code), std::move(message));
  }
  if (!reader.ok() || chain.empty()) return Error(ErrorCode::kUnknownOutcome, "the peer's error cannot be read");
  Error error = std::move(chain.back());
  for (std::size_t i = chain.size() - 1; i-- > 0;) error = std::move(chain[i]).with_cause(std::move(error));
  return std::move(error).with_retry_after(static_cast<std::uint32_t>(retry_after));
}

}  // namespace meridian::link
