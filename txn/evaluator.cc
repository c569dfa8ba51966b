#include "txn/evaluator.h"

#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/fault.h"
#include "txn/mvcc.h"

namespace meridian::txn {

std::string Evaluator::overlay_key(KeyspaceId keyspace, const std::string& key) {
  std::string out;
  out.reserve(4 + key.size());
  put_big_endian(out, keyspace.value());
  out.append(key);
  return out;
}

Result<> Evaluator::check_id(const RequestId& id, WallTime wall) const {
  const auto time = static_cast<std::int64_t>(id.time_us);
  if (time < 0 || WallTime(time) > wall + options_.max_clock_offset) {
    return fail(ErrorCode::kOutOfRange,
                fmt::format("request id {} is {} us ahead of this server's clock; the limit is {} us", id.to_string(),
                            time < 0 ? INT64_MAX : time - wall.us(), options_.max_clock_offset.count()));
  }
  if (WallTime(time) < wall - options_.request_window) {
    return fail(ErrorCode::kUnknownOutcome,
                fmt::format("request id {} is older than the window of {} s in which outcomes are kept", id.to_string(),
                            options_.request_window.count() / 1'000'000));
  }
  return {};
}

// The request may have been applied under an earlier leader, or forgotten: its versions would say so,
// or the record of its failed condition (R2, R3).
Result<std::optional<WriteOutcome>> Evaluator::search(const WriteRequest& request, std::uint64_t hash, MayBlock may_block) {
  const EngineReadOptions read{.may_block = may_block};
  const Timestamp since = Timestamp::from_wall(WallTime(static_cast<std::int64_t>(request.id.time_us)))
                              .minus(2 * options_.max_clock_offset);
  ASSIGN_OR_RETURN(const auto version,
                   find_by_request(engine_, request.keyspace, request.anchor(), request.id, since, read));
  std::optional<std::pair<std::uint64_t, WriteOutcome>> found;
  if (version) {
    PROBE("txn.retry_found_in_versions");
    found.emplace(version->payload_hash, WriteOutcome{true, version->version});
  } else if (request.condition) {
    ASSIGN_OR_RETURN(const auto outcome, find_outcome(engine_, request.keyspace, request.anchor(), request.id, read));
    if (outcome) {
      PROBE("txn.retry_found_in_outcomes");
      found.emplace(outcome->payload_hash, WriteOutcome{false, outcome->found_version});
    }
  }
  if (!found) return std::nullopt;
  if (found->first != hash) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("request id {} was used before, with another payload", request.id.to_string()));
  }
  memory_.learnt(request.id, hash, found->second);
  return found->second;
}

Result<Evaluator::Current> Evaluator::current(KeyspaceId keyspace, const std::string& key, MayBlock may_block) {
  if (const OverlayValue* pending = overlay_.find(overlay_key(keyspace, key)); pending != nullptr) {
    return Current{pending->value.has_value(), pending->value.value_or(""), pending->version};
  }
  ASSIGN_OR_RETURN(VersionedValue stored,
                   read_version(engine_, keyspace, key, Timestamp::max(), EngineReadOptions{.may_block = may_block}));
  return Current{stored.found, std::move(stored.value), stored.version};
}

Result<Evaluator::Evaluation> Evaluator::evaluate(WriteRequest&& request, WallTime wall, MayBlock may_block) {
  RETURN_IF_ERROR(check_id(request.id, wall));
  const std::uint64_t hash = request.payload_hash();
  const RequestMemory::Lookup known = memory_.find(request.id, hash);
  if (std::holds_alternative<RequestMemory::Pending>(known)) return WaitForPending{};
  if (const auto* outcome = std::get_if<WriteOutcome>(&known)) return *outcome;
  if (std::holds_alternative<RequestMemory::OtherPayload>(known)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("request id {} was used before, with another payload", request.id.to_string()));
  }
  if (memory_.must_search(request.id) && !DELIBERATE_BUG("forget_request_ids")) {
    auto found = search(request, hash, may_block);
    if (!found && found.error().code() == ErrorCode::kWouldBlock) return WouldBlock{};
    if (!found) return fail(std::move(found).error());
    if (*found) return **found;
  }
  WriteOutcome outcome{true, {}};
  if (request.condition) {
    const Condition& condition = *request.condition;
    auto now = current(request.keyspace, condition.key, may_block);
    if (!now && now.error().code() == ErrorCode::kWouldBlock) return WouldBlock{};
    if (!now) return fail(std::move(now).error());
    switch (condition.kind) {
      case Condition::Kind::kAbsent: outcome.applied = !now->found; break;
      case Condition::Kind::kValue: outcome.applied = now->found && now->value == condition.value; break;
      case Condition::Kind::kVersion: outcome.applied = now->found && now->version == condition.version; break;
    }
    if (!outcome.applied) outcome.version = now->found ? now->version : Timestamp();
  }
  Command command;
  command.id = request.id;
  command.payload_hash = hash;
  command.keyspace = request.keyspace;
  command.stamp = hlc_.now(wall);
  if (outcome.applied) {
    outcome.version = command.stamp;
    command.mutations = std::move(request.mutations);
  } else {
    command.anchor = request.anchor();
  }
  command.outcome = outcome;
  return command;
}

void Evaluator::appended(const Command& command) {
  CHECK_F(pending_.empty() || pending_.back().stamp < command.stamp, "stamp {} does not follow {}", command.stamp,
          pending_.back().stamp);
  memory_.appended(command.id, command.payload_hash);
  Pending pending{command.stamp, command.id, command.outcome, {}};
  pending.overlay_keys.reserve(command.mutations.size());
  for (const Mutation& m : command.mutations) {
    pending.overlay_keys.push_back(overlay_key(command.keyspace, m.key));
    overlay_[pending.overlay_keys.back()] = OverlayValue{command.stamp, m.value};
  }
  pending_.push_back(std::move(pending));
}

void Evaluator::oldest_applied(Timestamp stamp) {
  CHECK_F(!pending_.empty() && pending_.front().stamp == stamp, "stamp {} is applied out of order", stamp);
  const Pending& pending = pending_.front();
  memory_.applied(pending.id, pending.outcome);
  for (const std::string& key : pending.overlay_keys) {
    // A newer appended version of the key stays.
    const OverlayValue* value = overlay_.find(key);
    if (value != nullptr && value->version == stamp) overlay_.erase(key);
  }
  pending_.pop_front();
}

void warm_up(Engine& engine, const WriteRequest& request) {
  // What is read does not matter, nor whether it could be: the evaluation that follows reads again.
  (void)read_version(engine, request.keyspace, request.anchor(), Timestamp::max(), {});
  if (!request.condition) return;
  (void)read_version(engine, request.keyspace, request.condition->key, Timestamp::max(), {});
  (void)find_outcome(engine, request.keyspace, request.anchor(), request.id, {});
}

}  // namespace meridian::txn
