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

  // What it takes in memory; an upper bound of what it takes in a batch.
  std::size_t size() const { return kOverhead + trace.size() + payload.size(); }
  static constexpr std::size_t kOverhead = 112;
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

// Walks over the frames of a batch. There is no list of them: a batch of the smallest would make one of fifty times its
// size.
class FrameReader {
 public:
  explicit FrameReader(std::string_view bytes) : rest_(bytes) {}
  // nullopt: there is no more, or what comes does not parse; ok() tells.
  std::optional<InFrame> next();
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Nothing if one of them does not parse.
std::optional<std::vector<InFrame>> parse_frames(std::string_view bytes);

std::string encode_error(const Error& error);
// What does not parse, or has a code from a newer version, is an unknown outcome.
Error decode_error(std::string_view bytes);

}  // namespace meridian::link
