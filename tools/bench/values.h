// The values that are written: bytes that do not compress, another piece of them for each write. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace meridian::bench {

class Values {
 public:
  explicit Values(std::uint64_t bytes);
  std::string next();

 private:
  std::uint64_t bytes_;
  std::string pool_;
  std::atomic<std::uint64_t> written_ = 0;
};

}  // namespace meridian::bench
