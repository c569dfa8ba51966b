// What the workloads share: calls with deadlines that are sometimes too short, mutations that are repeated under
// their id while their outcome is unknown, paged scans that are checked while they go, values that show damage.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "tests/sim/workload.h"

namespace meridian::sim {

// A name and, after it, bytes that follow from the name, so that a damaged value is noticed.
std::string pad(const std::string& text, std::uint64_t longest);

inline bool is_condition(const v1::CompareAndSetResponse& answer) { return !answer.succeeded(); }
inline bool is_condition(const v1::WriteResponse&) { return false; }

class WorkloadBase : public Workload {
 protected:
  explicit WorkloadBase(const WorkloadDeps& deps) : deps_(deps), recorder_(deps.recorder) {}

  // How a mutation ended.
  template <class Response>
  struct Mutated {
    Result<Response> answer;
    bool unknown = false;  // there is no answer, and it may have happened or yet happen
    v1::RequestId id;
    bool done() const { return answer.has_value() && !is_condition(*answer); }
  };
  // Repeated under one id while its outcome is unknown: with this chance, and at most this often.
  struct Patience {
    double chance = 0.6;
    int times = 20;
  };
  template <class Request, class Response>
  Task<Mutated<Response>> mutate(Slot& slot, const Method<Request, Response>& method, Request request,
                                 Patience patience);
  // The same, and written down: event says what was asked.
  template <class Request, class Response>
  Task<Mutated<Response>> record(Slot& slot, const Method<Request, Response>& method, Request request,
                                 check::Event event, Patience patience);

  // Reads the key and replaces its value by compare-and-set, again if another came in between, until it has taken
  // effect once, or certainly not at all, or nobody knows. Nothing is recorded. change: from what is there.
  struct Modified {
    enum class End { kDone, kFailed, kUnknown } end = End::kFailed;
    std::string error;
    check::Value before;  // kDone
    std::uint64_t version = 0;
  };
  using Change = std::function<std::string(const check::Value& before)>;
  Task<Modified> modify(Slot& slot, std::string key, Change change, Patience patience);
  // Records event as what modify() ended with.
  void complete(Slot& slot, check::Event event, const Modified& modified);

  struct ReadHow {
    bool linearizable = true;
    std::uint64_t at = 0;
    bool last = false;  // one of the last reads, which must not fail
  };
  // Recorded; event names the key. Its completion, or nullopt.
  Task<std::optional<check::Event>> read(Slot& slot, check::Event event, ReadHow how);

  struct Scanned {
    std::map<std::string, check::Value> values;
    std::map<std::string, std::uint64_t> versions;
    v1::ReadInfo info;
  };
  // All pages of a range, not recorded. Order, page sizes and the one timestamp are checked. pause_us: at most,
  // between two pages, which then may be asked for by other clients.
  Task<Result<Scanned>> scan_pages(Slot& slot, v1::ScanRequest request, bool last, std::int64_t pause_us = 0);
  // Recorded as a scan of the request's range or prefix.
  Task<std::optional<check::Event>> scan(Slot& slot, v1::ScanRequest request, ReadHow how, std::int64_t pause_us = 0);

  // Mostly long, now and then too short. On the clock of the client that is asked: the slot's own, where none is named.
  client::Call deadline(Slot& slot);
  client::Call deadline(Slot& slot, const SimClient& asked);
  client::Call long_deadline(Slot& slot);
  client::Call long_deadline(const SimClient& asked);
  Task<> pause(Slot& slot, std::int64_t longest_us);
  v1::ReadOptions read_options(ReadHow how) const;
  std::string padded(const std::string& text) const { return pad(text, deps_.options.value_bytes); }
  std::string unpad(const std::string& stored);
  static void describe(const v1::ReadInfo& info, check::Event* event);

  const WorkloadDeps deps_;
  Recorder& recorder_;

 private:
  Task<Result<v1::RequestId>> new_id(Slot& slot);
};

template <class Request, class Response>
Task<WorkloadBase::Mutated<Response>> WorkloadBase::mutate(Slot& slot, const Method<Request, Response>& method,
                                                           Request request, Patience patience) {
  Result<v1::RequestId> id = co_await new_id(slot);
  if (!id) co_return Mutated<Response>{fail(std::move(id).error())};
  *request.mutable_id() = *id;
  Mutated<Response> out{co_await slot.client->core->call(method, request, deadline(slot))};
  out.id = *std::move(id);
  // Once unknown, no later error makes it known; only an answer does.
  out.unknown = !out.answer && !is_definite(out.answer.error());
  while (!out.answer && out.unknown && patience.times-- > 0 && slot.rng.chance(patience.chance)) {
    co_await pause(slot, 500'000);
    out.answer = co_await slot.client->core->call(method, request, deadline(slot));
  }
  out.unknown = out.unknown && !out.answer;
  co_return out;
}

template <class Request, class Response>
Task<WorkloadBase::Mutated<Response>> WorkloadBase::record(Slot& slot, const Method<Request, Response>& method,
                                                           Request request, check::Event event, Patience patience) {
  recorder_.invoke(slot, event);
  Mutated<Response> out = co_await mutate(slot, method, std::move(request), patience);
  if (!out.answer) {
    const std::string error = out.answer.error().to_string();
    out.unknown ? recorder_.unknown(slot, std::move(event), error) : recorder_.failed(slot, std::move(event), error);
    co_return out;
  }
  event.version = out.answer->version();
  if (out.done()) {
    recorder_.ok(slot, std::move(event));
  } else {
    recorder_.failed(slot, std::move(event), "condition");
  }
  co_return out;
}

}  // namespace meridian::sim
