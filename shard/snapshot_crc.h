// The checksum of a chunk of a snapshot.
#pragma once

#include <isa-l.h>

#include <cstdint>
#include <string_view>

namespace meridian {

inline std::uint32_t chunk_crc(std::string_view bytes) {
  return crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())), static_cast<int>(bytes.size()),
                     0xffffffffu);
}

}  // namespace meridian
