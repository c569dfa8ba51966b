// The way of a scan: one page per call, every page as of the first one's timestamp, which the token carries.

#include "proxy/page_token.h"
#include "proxy/parts.h"
#include "proxy/validate.h"

namespace meridian::proxy {

void serve(Parts& parts, v1::ScanRequest request, Meta meta, Reply reply) {
  Result<Shard> shard = parts.topology.locate(request.keyspace());
  if (!shard) return reply(fail(std::move(shard).error()));
  Result<api::ScanRequest> scan = to_scan(request, *shard, parts.options.limits);
  if (!scan) return reply(fail(std::move(scan).error()));
  if (!request.page_token().empty()) {
    Result<PageToken> token = decode_page_token(request);
    if (!token) return reply(fail(std::move(token).error()));
    scan->set_start(std::move(token->start));
    scan->set_end(std::move(token->end));
    scan->set_at_timestamp(token->timestamp);
    request.clear_page_token();
  }
  const Target target = scan->consistency() == api::ANY_REPLICA ? Target::kNearest : Target::kLeader;
  auto answer = [request = std::move(request)](api::ScanResponse&& from) -> Result<std::string> {
    v1::ScanResponse to;
    to.mutable_entries()->Reserve(from.entries_size());
    for (api::ScanResponse::Entry& entry : *from.mutable_entries()) {
      v1::ScanResponse::Entry& out = *to.add_entries();
      out.set_key(std::move(*entry.mutable_key()));
      out.set_value(std::move(*entry.mutable_value()));
      out.set_version(entry.version());
    }
    if (from.more()) {
      to.set_next_page_token(encode_page_token({from.info().timestamp(), from.rest_start(), from.rest_end()}, request));
    }
    to_public(std::move(*from.mutable_info()), to.mutable_info());
    return v1::encode(to);
  };
  auto call = make_call(api::kScan, std::move(*scan), std::move(answer), std::move(reply));
  call->target = target;
  call->deadline = meta.deadline;
  call->attempt_timeout = parts.options.scan_attempt_timeout;
  call->trace = std::move(meta.trace);
  parts.router.start(std::move(call));
}

}  // namespace meridian::proxy
