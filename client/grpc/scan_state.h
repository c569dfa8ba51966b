// Where a scan stands. Thread-safe: pages arrive on the client's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "client/grpc/connection.h"
#include "meridian/scan.h"

namespace meridian::sdk::detail {

class ScanState : public std::enable_shared_from_this<ScanState> {
 public:
  ScanState(std::shared_ptr<Connection> connection, ScanRange range, ScanOptions scan_options, CallOptions options);

  Future<ScanPage> next_page();
  bool done() const;
  std::uint64_t timestamp() const;
  Result<void> status() const;

 private:
  ScanPage accept(v1::ScanResponse&& response);
  void page_failed(const Error& error);

  const std::shared_ptr<Connection> connection_;
  const CallOptions options_;
  const std::uint64_t limit_;  // 0: none

  mutable std::mutex mutex_;  // guards the rest
  v1::ScanRequest request_;   // of the next page
  std::uint64_t delivered_ = 0;
  std::uint64_t timestamp_ = 0;
  bool page_under_way_ = false;
  bool done_ = false;
  std::optional<Error> error_;  // of the last page asked for
};

}  // namespace meridian::sdk::detail
