// The way of a read: linearizable to the leader; any replica to the nearest that answers.

#include "proxy/parts.h"
#include "proxy/validate.h"

namespace meridian::proxy {

namespace {

Error wrong_count(int items, int keys) {
  return Error(ErrorCode::kInternal, fmt::format("a node answered {} items for {} keys", items, keys));
}

template <class Request, class Answer>
void serve_read(Parts& parts, Request&& request, Meta meta, Reply reply, Answer answer) {
  Result<Shard> shard = parts.topology.locate(request.keyspace());
  if (!shard) return reply(fail(std::move(shard).error()));
  Result<api::ReadRequest> read = to_read(std::move(request), *shard, parts.options.limits);
  if (!read) return reply(fail(std::move(read).error()));
  const Target target = read->consistency() == api::ANY_REPLICA ? Target::kNearest : Target::kLeader;
  auto call = make_call(api::kRead, std::move(*read), answer, std::move(reply));
  call->target = target;
  call->deadline = meta.deadline;
  call->attempt_timeout = parts.options.attempt_timeout;
  call->trace = std::move(meta.trace);
  parts.router.start(std::move(call));
}

}  // namespace

void serve(Parts& parts, v1::GetRequest request, Meta meta, Reply reply) {
  serve_read(parts, std::move(request), std::move(meta), std::move(reply),
             [](api::ReadResponse&& from) -> Result<std::string> {
               if (from.items_size() != 1) return fail(wrong_count(from.items_size(), 1));
               v1::GetResponse to;
               api::ReadItem& item = *from.mutable_items(0);
               to.set_found(item.found());
               to.set_value(std::move(*item.mutable_value()));
               to.set_version(item.version());
               to_public(std::move(*from.mutable_info()), to.mutable_info());
               return v1::encode(to);
             });
}

void serve(Parts& parts, v1::MultiGetRequest request, Meta meta, Reply reply) {
  const int keys = request.keys_size();
  serve_read(parts, std::move(request), std::move(meta), std::move(reply),
             [keys](api::ReadResponse&& from) -> Result<std::string> {
               const int answered = from.items_size();
               if (answered == 0 || answered > keys) return fail(wrong_count(answered, keys));
               v1::MultiGetResponse to;
               to.set_rest(static_cast<std::uint32_t>(keys - answered));
               to.mutable_items()->Reserve(answered);
               for (api::ReadItem& item : *from.mutable_items()) {
                 v1::MultiGetResponse::Item& out = *to.add_items();
                 out.set_found(item.found());
                 out.set_value(std::move(*item.mutable_value()));
                 out.set_version(item.version());
               }
               to_public(std::move(*from.mutable_info()), to.mutable_info());
               return v1::encode(to);
             });
}

}  // namespace meridian::proxy
