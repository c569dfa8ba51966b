// The metadata with which both ends open a stream (link.proto).
#pragma once

namespace meridian::link {

inline constexpr char kZoneKey[] = "meridian-zone";
inline constexpr char kVersionKey[] = "meridian-link";
inline constexpr char kVersion[] = "1";

}  // namespace meridian::link
