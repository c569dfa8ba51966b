#include "tests/sim/workload_base.h"

#include <fmt/format.h>

namespace meridian::sim {

using check::Event;
using check::Function;

namespace {
constexpr int kModifyRounds = 16;
}

std::string pad(const std::string& text, std::uint64_t longest) {
  std::string out = text + '|';
  if (longest == 0) return out;
  Rng rng(hash_bytes(text));
  out.append(rng.below(longest), static_cast<char>('a' + rng.below(26)));
  return out;
}

std::string WorkloadBase::unpad(const std::string& stored) {
  std::string text = stored.substr(0, stored.find('|'));
  if (padded(text) != stored) recorder_.violated("a damaged value was read: " + stored.substr(0, 100));
  return text;
}

void WorkloadBase::describe(const v1::ReadInfo& info, Event* event) {
  event->timestamp = info.timestamp();
  event->node = info.node_id();
  switch (info.role()) {
    case v1::REPLICA_ROLE_LEADER: event->role = "leader"; break;
    case v1::REPLICA_ROLE_FOLLOWER: event->role = "follower"; break;
    case v1::REPLICA_ROLE_LEARNER: event->role = "learner"; break;
    default: break;
  }
}

v1::ReadOptions WorkloadBase::read_options(ReadHow how) const {
  v1::ReadOptions options;
  options.set_consistency(how.linearizable ? v1::CONSISTENCY_LINEARIZABLE : v1::CONSISTENCY_ANY_REPLICA);
  options.set_at_timestamp(how.at);
  return options;
}

client::Call WorkloadBase::deadline(Slot& slot) { return deadline(slot, *slot.client); }

client::Call WorkloadBase::deadline(Slot& slot, const SimClient& asked) {
  client::Call call;
  const std::int64_t us = slot.rng.chance(0.1) ? slot.rng.between(std::int64_t{1'000}, std::int64_t{200'000})
                                               : slot.rng.between(std::int64_t{500'000}, std::int64_t{5'000'000});
  call.deadline = asked.runtime->now() + Duration(us);
  call.fail_when_busy = us % 5 == 0;  // no draw of its own: seeds stay what they are
  return call;
}

client::Call WorkloadBase::long_deadline(Slot& slot) { return long_deadline(*slot.client); }

client::Call WorkloadBase::long_deadline(const SimClient& asked) {
  client::Call call;
  call.deadline = asked.runtime->now() + Duration(10'000'000);
  return call;
}

Task<> WorkloadBase::pause(Slot& slot, std::int64_t longest_us) {
  return sleep_for(*slot.client->runtime, Duration(slot.rng.between(std::int64_t{0}, longest_us)));
}

Task<Result<v1::RequestId>> WorkloadBase::new_id(Slot& slot) {
  client::Call call = deadline(slot);
  return suspend<Result<v1::RequestId>>(*slot.client->runtime, [&slot, call = std::move(call)](auto done) mutable {
    slot.client->core->new_request_id(std::move(call), std::move(done));
  });
}

Task<WorkloadBase::Modified> WorkloadBase::modify(Slot& slot, std::string key, Change change, Patience patience) {
  Modified out;
  for (int round = 0; round < kModifyRounds; ++round) {
    v1::GetRequest get;
    get.set_key(key);
    const auto found = co_await slot.client->core->get(get, deadline(slot));
    if (!found) {
      out.error = found.error().to_string();
      co_return out;
    }
    out.before = found->found() ? check::Value(unpad(found->value())) : std::nullopt;
    v1::CompareAndSetRequest request;
    request.set_key(key);
    request.set_value(padded(change(out.before)));
    if (!out.before) {
      request.set_expected_absent(true);
    } else if (slot.rng.chance(0.5)) {
      request.set_expected_version(found->version());
    } else {
      request.set_expected_value(found->value());
    }
    const auto set = co_await mutate(slot, v1::kCompareAndSet, std::move(request), patience);
    if (set.done()) {
      out.end = Modified::End::kDone;
      out.version = set.answer->version();
      co_return out;
    }
    if (!set.answer) {
      out.end = set.unknown ? Modified::End::kUnknown : Modified::End::kFailed;
      out.error = set.answer.error().to_string();
      co_return out;
    }
  }
  out.error = "others were always faster";
  co_return out;
}

void WorkloadBase::complete(Slot& slot, Event event, const Modified& modified) {
  event.version = modified.version;
  switch (modified.end) {
    case Modified::End::kDone: return recorder_.ok(slot, std::move(event));
    case Modified::End::kFailed: return recorder_.failed(slot, std::move(event), modified.error);
    case Modified::End::kUnknown: return recorder_.unknown(slot, std::move(event), modified.error);
  }
}

Task<std::optional<Event>> WorkloadBase::read(Slot& slot, Event event, ReadHow how) {
  v1::GetRequest request;
  request.set_key(event.key);
  *request.mutable_options() = read_options(how);
  event.f = Function::kRead;
  event.linearizable = how.linearizable && how.at == 0;  // as of the past it may be stale, whoever is asked
  recorder_.invoke(slot, event);
  const auto answer = co_await slot.client->core->get(request, how.last ? long_deadline(slot) : deadline(slot));
  if (!answer) {
    const std::string error = answer.error().to_string();
    if (how.last) recorder_.violated(fmt::format("the last read of {} failed: {}", event.key, error));
    recorder_.failed(slot, std::move(event), error);
    co_return std::nullopt;
  }
  if (answer->found()) event.value = unpad(answer->value());
  event.version = answer->version();
  describe(answer->info(), &event);
  if (how.at != 0 && event.timestamp != how.at) {
    recorder_.violated(fmt::format("a read as of {} says {}", how.at, event.timestamp));
  }
  recorder_.ok(slot, event);
  co_return event;
}

Task<Result<WorkloadBase::Scanned>> WorkloadBase::scan_pages(Slot& slot, v1::ScanRequest request, bool last,
                                                             std::int64_t pause_us) {
  Scanned out;
  std::string previous;
  SimClient* client = slot.client;
  for (bool first = true;; first = false) {
    auto answer = co_await client->core->scan_page(request, last ? long_deadline(*client) : deadline(slot, *client));
    if (!answer) co_return fail(std::move(answer).error());
    const auto size = static_cast<std::uint32_t>(answer->entries_size());
    if (request.limit() != 0 && size > request.limit()) {
      recorder_.violated(fmt::format("a page of at most {} entries has {}", request.limit(), size));
    }
    for (const auto& entry : answer->entries()) {
      if (!previous.empty() && (request.reverse() ? entry.key() >= previous : entry.key() <= previous)) {
        recorder_.violated(fmt::format("a scan answers {} after {}", entry.key(), previous));
      }
      previous = entry.key();
      out.values[previous] = request.keys_only() ? "" : unpad(entry.value());
      out.versions[previous] = entry.version();
    }
    if (!first && out.info.timestamp() != answer->info().timestamp()) {
      recorder_.violated(
          fmt::format("the pages of a scan are as of {} and of {}", out.info.timestamp(), answer->info().timestamp()));
    }
    out.info = answer->info();
    if (answer->next_page_token().empty()) co_return out;
    request.set_page_token(answer->next_page_token());
    if (pause_us == 0) continue;
    co_await pause(slot, pause_us);
    // A token is good for every client, through every proxy.
    client = &deps_.cluster.client(static_cast<int>(slot.rng.below(static_cast<std::uint64_t>(deps_.options.clients))));
  }
}

Task<std::optional<Event>> WorkloadBase::scan(Slot& slot, v1::ScanRequest request, ReadHow how, std::int64_t pause_us) {
  Event event{.f = Function::kScan, .key = request.start(), .end = request.end()};
  if (!request.prefix().empty()) {
    event.key = event.end = request.prefix();
    ++event.end.back();
  }
  event.linearizable = how.linearizable && how.at == 0;
  *request.mutable_options() = read_options(how);
  recorder_.invoke(slot, event);
  Result<Scanned> found = co_await scan_pages(slot, std::move(request), how.last, pause_us);
  if (!found) {
    const std::string error = found.error().to_string();
    if (how.last) recorder_.violated(fmt::format("the last scan of {} failed: {}", event.key, error));
    recorder_.failed(slot, std::move(event), error);
    co_return std::nullopt;
  }
  event.values = std::move(found->values);
  event.versions = std::move(found->versions);
  describe(found->info, &event);
  recorder_.ok(slot, event);
  co_return event;
}

}  // namespace meridian::sim
