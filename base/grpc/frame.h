// Frames and their encoding (link.proto describes it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/transport.h"
#include "base/types.h"

namespace meridian::link {

enum class FrameKind : std::uint8_t { kRequest = 0, kOneWay = 1, kAnswer = 2, kError = 3 };

// On its way out.
struct OutFrame {
  std::uint64_t id = 0;
  MonoTime deadline = MonoTime::max();
  MethodId method = 0;
  FrameKind kind = FrameKind::kRequest;
  std::string trace;
  std::string payload;  // of kError: the encoded error

  // An upper bound of what it takes in a batch.
  std::size_t size() const { return kOverhead + trace.size() + payload.size(); }
  static constexpr std::size_t kOverhead = 48;
};

// As it came in; the views point into the batch.
struct InFrame {
  std::uint64_t id = 0;
  std::uint64_t remaining_us = 0;  // 0: no deadline
  MethodId method = 0;
  FrameKind kind = FrameKind::kRequest;
  std::string_view trace;
  std::string_view payload;
};

void append_frame(std::string& out, const OutFrame& frame, MonoTime now);

// Nothing if one of them does not parse.
std::optional<std::vector<InFrame>> parse_frames(std::string_view bytes);

std::string encode_error(const Error& error);
// What does not parse, or has a code from a newer version, is an unknown outcome.
Error decode_error(std::string_view bytes);

}  // namespace meridian::link
