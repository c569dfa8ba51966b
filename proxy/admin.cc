// Administration: forming a cluster, changing it. (What it looks like: status.cc.)

#include <algorithm>
#include <set>

#include "proxy/parts.h"
#include "proxy/validate.h"

namespace meridian::proxy {

namespace {

void to_api(const v1::NodeSpec& from, api::NodeSpec* to) {
  to->set_address(from.address());
  to->set_region(from.region());
}

std::string initialised(const api::ClusterState& state) {
  v1::InitClusterResponse response;
  response.set_cluster_id(state.cluster_id());
  for (const api::NodeDescriptor& from : state.nodes()) {
    if (from.state() != api::REMOVED) describe_node(state, from, response.add_nodes());
  }
  return v1::encode(response);
}

// There is a cluster: this very one is answered, another is refused, or this proxy's cluster would have a twin.
Result<std::string> initialised_before(const TopologyCache& topology, const v1::InitClusterRequest& request) {
  std::set<std::pair<std::string, std::string>> asked, standing;
  for (const v1::NodeSpec& spec : request.nodes()) asked.emplace(spec.address(), spec.region());
  for (const TopologyCache::Node& node : topology.nodes()) standing.emplace(node.address, node.region);
  if (asked == standing) return initialised(topology.state());
  return fail(ErrorCode::kAlreadyExists,
              fmt::format("cluster {:016x} of {} nodes exists already; `meridianctl node add` adds to it",
                          topology.state().cluster_id(), standing.size()));
}

void bootstrap(Parts& parts, const v1::InitClusterRequest& request, Meta meta, Reply reply) {
  api::BootstrapRequest forward;
  for (const v1::NodeSpec& spec : request.nodes()) to_api(spec, forward.add_nodes());
  CallOptions options;
  options.deadline = meta.deadline;
  options.trace = std::move(meta.trace);
  const Address first = request.nodes(0).address();
  call(parts.transport, first, api::kBootstrap, forward, std::move(options),
       parts.lifetime.guard([&parts, first, reply = std::move(reply)](Result<api::BootstrapResponse> answer) mutable {
         if (!answer) {
           ErrorCode code = answer.error().code();
           if (code == ErrorCode::kConnectionLost) code = ErrorCode::kUnknownOutcome;
           return reply(fail(
               Error(code, fmt::format("{} did not form the cluster; asking again with the same nodes is safe", first))
                   .with_cause(std::move(answer).error())));
         }
         parts.topology.learn_state(answer->state());
         parts.topology.refresh();
         reply(initialised(answer->state()));
       }));
}

template <class Response, class Answer>
void change(Parts& parts, api::ChangeRequest request, Repeat repeat, Meta meta, Reply reply, Answer answer) {
  const Duration left = meta.deadline - parts.runtime.now();
  auto call = make_call(
      api::kChange, std::move(request),
      [&parts, answer](api::ChangeResponse&& from) -> Result<std::string> {
        parts.topology.refresh();
        Response to;
        answer(from, to);
        return v1::encode(to);
      },
      std::move(reply));
  call->target = Target::kLeader;
  call->repeat = repeat;
  call->deadline = meta.deadline;
  // Who may not ask twice waits.
  call->attempt_timeout = repeat == Repeat::kOnce ? left : std::min(left, 3 * parts.options.attempt_timeout);
  call->trace = std::move(meta.trace);
  parts.router.start(std::move(call));
}

void change_node(Parts& parts, api::ChangeRequest request, Meta meta, Reply reply) {
  change<v1::NodeOperationResponse>(parts, std::move(request), Repeat::kOnce, std::move(meta), std::move(reply),
                                    [](const api::ChangeResponse& from, v1::NodeOperationResponse& to) {
                                      to.set_operation_id(from.operation_id());
                                      to.set_node_id(from.node_id());
                                    });
}

Result<> check_node_id(std::uint64_t id) {
  if (id != 0) return {};
  return fail(ErrorCode::kInvalidArgument, "no node is named; ids are 1 or more, see `meridianctl status`");
}

}  // namespace

void serve(Parts& parts, v1::HelloRequest, Meta, Reply reply) {
  const MonoTime now = parts.runtime.now();
  constexpr Duration kFresh = std::chrono::seconds(5);
  if (!parts.clock.known() || parts.clock.age(now) > kFresh) parts.topology.refresh_if_old();
  v1::HelloResponse response;
  response.set_cluster_time_us(static_cast<std::uint64_t>(parts.clock.estimate(now, parts.runtime.wall_now()).us()));
  response.set_cluster_id(parts.topology.state().cluster_id());
  response.set_region(parts.options.region);
  response.set_version(parts.options.version);
  reply(v1::encode(response));
}

void serve(Parts& parts, v1::InitClusterRequest request, Meta meta, Reply reply) {
  if (Result<> ok = check_nodes(request); !ok) return reply(fail(std::move(ok).error()));
  if (parts.topology.known()) return reply(initialised_before(parts.topology, request));
  const MonoTime deadline = meta.deadline;
  parts.topology.when_all_asked(deadline, [&parts, request = std::move(request), meta = std::move(meta),
                                           reply = std::move(reply)](Result<>) mutable {
    if (parts.topology.known()) return reply(initialised_before(parts.topology, request));
    bootstrap(parts, request, std::move(meta), std::move(reply));
  });
}

void serve(Parts& parts, v1::AddNodeRequest request, Meta meta, Reply reply) {
  if (Result<> ok = check_node_spec(request.node()); !ok) return reply(fail(std::move(ok).error()));
  api::ChangeRequest change;
  to_api(request.node(), change.mutable_add());
  change_node(parts, std::move(change), std::move(meta), std::move(reply));
}

void serve(Parts& parts, v1::RemoveNodeRequest request, Meta meta, Reply reply) {
  if (Result<> ok = check_node_id(request.node_id()); !ok) return reply(fail(std::move(ok).error()));
  api::ChangeRequest change;
  change.set_remove_node_id(request.node_id());
  change.set_force(request.force());
  change_node(parts, std::move(change), std::move(meta), std::move(reply));
}

void serve(Parts& parts, v1::ReplaceNodeRequest request, Meta meta, Reply reply) {
  if (Result<> ok = check_node_id(request.old_node_id()); !ok) return reply(fail(std::move(ok).error()));
  if (Result<> ok = check_node_spec(request.node()); !ok) return reply(fail(std::move(ok).error()));
  api::ChangeRequest change;
  change.set_replace_node_id(request.old_node_id());
  to_api(request.node(), change.mutable_replace_with());
  change_node(parts, std::move(change), std::move(meta), std::move(reply));
}

void serve(Parts& parts, v1::TransferLeaderRequest request, Meta meta, Reply reply) {
  if (Result<> ok = check_node_id(request.node_id()); !ok) return reply(fail(std::move(ok).error()));
  api::ChangeRequest forward;
  forward.set_transfer_to_node_id(request.node_id());
  // A second transfer finds the first one done.
  change<v1::TransferLeaderResponse>(parts, std::move(forward), Repeat::kFreely, std::move(meta), std::move(reply),
                                     [](const api::ChangeResponse&, v1::TransferLeaderResponse&) {});
}

}  // namespace meridian::proxy
