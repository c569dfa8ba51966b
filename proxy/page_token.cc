#include "proxy/page_token.h"

#include <xxhash.h>

#include "base/bytes.h"

namespace meridian::proxy {

namespace {

constexpr char kFormat = 1;

std::uint64_t hash(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::uint64_t fingerprint(const v1::ScanRequest& request) {
  std::string bytes;
  put_string(bytes, request.keyspace());
  put_string(bytes, request.start());
  put_string(bytes, request.end());
  put_string(bytes, request.prefix());
  put_varint(bytes, (request.reverse() ? 1u : 0u) | (request.keys_only() ? 2u : 0u));
  put_varint(bytes, static_cast<std::uint64_t>(request.options().consistency()));
  put_varint(bytes, request.options().at_timestamp());
  return hash(bytes);
}

}  // namespace

std::string encode_page_token(const PageToken& token, const v1::ScanRequest& request) {
  std::string out(1, kFormat);
  put_big_endian(out, fingerprint(request));
  put_big_endian(out, token.timestamp);
  put_string(out, token.start);
  put_string(out, token.end);
  put_big_endian(out, hash(out));
  return out;
}

Result<PageToken> decode_page_token(const v1::ScanRequest& request) {
  const std::string_view bytes = request.page_token();
  constexpr std::size_t kHashBytes = sizeof(std::uint64_t);
  const auto malformed = [] {
    return fail(ErrorCode::kInvalidArgument, "the page token is not one that a scan answered");
  };
  if (bytes.size() < kHashBytes + 1 || bytes.front() != kFormat) return malformed();
  const std::string_view body = bytes.substr(0, bytes.size() - kHashBytes);
  ByteReader tail(bytes.substr(body.size()));
  if (tail.big_endian<std::uint64_t>() != hash(body)) return malformed();
  ByteReader reader(body.substr(1));
  const auto of_request = reader.big_endian<std::uint64_t>();
  PageToken token;
  token.timestamp = reader.big_endian<std::uint64_t>();
  token.start = std::string(reader.string());
  token.end = std::string(reader.string());
  if (!reader.ok() || !reader.at_end() || token.timestamp == 0) return malformed();
  if (of_request != fingerprint(request)) {
    return fail(ErrorCode::kInvalidArgument,
                "the page token belongs to another scan; all but the limit stays as it was");
  }
  return token;
}

}  // namespace meridian::proxy
