// proxy/page_token: a token comes back from a client, perhaps changed. It is taken only as it was made, with the
// request that it was made for.
#include "proxy/page_token.h"
#include "tests/fuzz/fuzz.h"

FUZZ_TARGET(bytes) {
  using namespace meridian;
  fuzz::Input in(bytes);
  v1::ScanRequest request;
  request.set_keyspace(std::string(in.string()));
  request.set_start(std::string(in.string()));
  request.set_end(std::string(in.string()));
  request.set_prefix(std::string(in.string()));
  request.set_reverse(in.byte() % 2 == 0);
  request.set_keys_only(in.byte() % 2 == 0);
  request.mutable_options()->set_at_timestamp(in.number());
  request.set_page_token(std::string(in.rest()));
  if (const auto token = proxy::decode_page_token(request)) {
    CHECK(proxy::encode_page_token(*token, request) == request.page_token());
  }

  const proxy::PageToken token{in.number() + 1, std::string(in.string()), std::string(in.string())};
  std::string encoded = proxy::encode_page_token(token, request);
  request.set_page_token(encoded);
  const auto read = proxy::decode_page_token(request);
  CHECK(token.timestamp == 0 ||
        (read && read->timestamp == token.timestamp && read->start == token.start && read->end == token.end));
  v1::ScanRequest other = request;
  other.set_start(request.start() + "x");
  CHECK(!proxy::decode_page_token(other));
  const std::size_t at = in.number() % encoded.size();
  encoded[at] ^= static_cast<char>(in.byte() | 1);
  request.set_page_token(encoded);
  CHECK(!proxy::decode_page_token(request));
}
