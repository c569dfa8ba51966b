// The way of a write: checked, given an id if it has none, sent to the leader.

#include "proxy/parts.h"
#include "proxy/validate.h"

namespace meridian::proxy {

namespace {

void give_id(Parts& parts, api::WriteRequest& write) {
  while (parts.client_number == 0) parts.client_number = parts.runtime.random();
  const WallTime now = parts.clock.estimate(parts.runtime.now(), parts.runtime.wall_now());
  write.mutable_id()->set_time_us(static_cast<std::uint64_t>(now.us()));
  write.mutable_id()->set_client(parts.client_number);
  write.mutable_id()->set_sequence(++parts.sequence);
}

// answer: Result<std::string>(api::WriteResponse&&)
template <class Request, class Answer>
void serve_write(Parts& parts, Request&& request, Meta meta, Reply reply, Answer answer) {
  Result<Shard> shard = parts.topology.locate(request.keyspace());
  if (!shard) return reply(fail(std::move(shard).error()));
  Result<api::WriteRequest> write = to_write(std::move(request), *shard, parts.options.limits);
  if (!write) return reply(fail(std::move(write).error()));
  if (!write->has_id()) give_id(parts, *write);
  const std::uint64_t id_time_us = write->id().time_us();
  auto call = make_call(api::kWrite, std::move(*write), answer, std::move(reply));
  call->target = Target::kLeader;
  call->repeat = Repeat::kSameId;
  call->deadline = meta.deadline;
  call->attempt_timeout = parts.options.attempt_timeout;
  call->trace = std::move(meta.trace);
  call->id_time_us = id_time_us;
  parts.router.start(std::move(call));
}

Result<std::string> written(api::WriteResponse&& from) {
  v1::WriteResponse to;
  to.set_version(from.version());
  to.set_cluster_time_us(from.cluster_time_us());
  return v1::encode(to);
}

}  // namespace

void serve(Parts& parts, v1::PutRequest request, Meta meta, Reply reply) {
  serve_write(parts, std::move(request), std::move(meta), std::move(reply), written);
}

void serve(Parts& parts, v1::RemoveRequest request, Meta meta, Reply reply) {
  serve_write(parts, std::move(request), std::move(meta), std::move(reply), written);
}

void serve(Parts& parts, v1::WriteBatchRequest request, Meta meta, Reply reply) {
  serve_write(parts, std::move(request), std::move(meta), std::move(reply), written);
}

void serve(Parts& parts, v1::CompareAndSetRequest request, Meta meta, Reply reply) {
  serve_write(parts, std::move(request), std::move(meta), std::move(reply),
              [](api::WriteResponse&& from) -> Result<std::string> {
                v1::CompareAndSetResponse to;
                to.set_succeeded(from.applied());
                to.set_version(from.version());
                to.set_cluster_time_us(from.cluster_time_us());
                return v1::encode(to);
              });
}

}  // namespace meridian::proxy
