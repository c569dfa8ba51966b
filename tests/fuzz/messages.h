// For targets that decode protobuf messages: their round trip, and no line in the log for each text that is no UTF-8.
#pragma once

#include <google/protobuf/stubs/logging.h>

#include "tests/fuzz/fuzz.h"

namespace meridian::fuzz {

// Encoded, read and encoded again, a message has the same bytes.
template <class M>
void require_stable(const M& message) {
  const std::string once = message.SerializeAsString();
  M again;
  CHECK(again.ParseFromString(once));
  CHECK(again.SerializeAsString() == once);
}

inline const auto kLogBefore = google::protobuf::SetLogHandler(nullptr);

}  // namespace meridian::fuzz
