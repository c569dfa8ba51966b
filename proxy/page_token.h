// A scan's page token: what is left of the range, at which timestamp, and of which request. Opaque to clients; a
// token that was changed, or that belongs to another request, is refused. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "meridian/v1/kv.pb.h"

namespace meridian::proxy {

struct PageToken {
  std::uint64_t timestamp = 0;  // every page is as of the first one's
  std::string start;            // [start, end) is still to be read; an empty end: to the last key
  std::string end;
};

// request: whichever page's; all but token and limit are the same in each.
std::string encode_page_token(const PageToken& token, const v1::ScanRequest& request);
// kInvalidArgument.
Result<PageToken> decode_page_token(const v1::ScanRequest& request);

}  // namespace meridian::proxy
