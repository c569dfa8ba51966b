#include "raft/membership.h"

#include <fmt/format.h>

#include <iterator>

#include "base/bytes.h"
#include "base/check.h"

namespace meridian::raft {
namespace {

constexpr char kFormat = 1;

bool sorted_unique(const std::vector<ReplicaId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end() &&
         (ids.empty() || ids.front() != ReplicaId());
}

bool has(const std::vector<ReplicaId>& ids, ReplicaId id) { return std::binary_search(ids.begin(), ids.end(), id); }

bool disjoint(const std::vector<ReplicaId>& a, const std::vector<ReplicaId>& b) {
  return std::none_of(a.begin(), a.end(), [&](ReplicaId id) { return has(b, id); });
}

}  // namespace

bool Membership::is_voter(ReplicaId id) const { return has(voters, id) || has(outgoing, id); }
bool Membership::is_learner(ReplicaId id) const { return has(learners, id); }

std::string encode(const Membership& membership) {
  std::string out(1, kFormat);
  for (const auto* ids : {&membership.voters, &membership.outgoing, &membership.learners, &membership.learners_next}) {
    put_varint(out, ids->size());
    for (const ReplicaId id : *ids) put_varint(out, id.value());
  }
  return out;
}

Result<Membership> decode_membership(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::string_view format = reader.bytes(1);
  if (!reader.ok() || format[0] != kFormat) return fail(ErrorCode::kCorruption, "membership: unknown format");
  Membership out;
  for (auto* ids : {&out.voters, &out.outgoing, &out.learners, &out.learners_next}) {
    const std::uint64_t n = reader.varint();
    if (!reader.ok() || n > kMaxReplicas) {
      return fail(ErrorCode::kCorruption, fmt::format("membership: {} replicas; the limit is {}", n, kMaxReplicas));
    }
    ids->reserve(n);
    for (std::uint64_t i = 0; i < n; ++i) ids->push_back(ReplicaId(reader.varint()));
  }
  if (!reader.ok() || !reader.at_end()) return fail(ErrorCode::kCorruption, "membership: cut short or too long");
  if (!well_formed(out)) return fail(ErrorCode::kCorruption, "membership: " + describe(out) + " is not well formed");
  return out;
}

bool well_formed(const Membership& m) {
  if (!sorted_unique(m.voters) || !sorted_unique(m.outgoing)) return false;
  if (!sorted_unique(m.learners) || !sorted_unique(m.learners_next)) return false;
  if (!disjoint(m.learners, m.voters) || !disjoint(m.learners, m.outgoing)) return false;
  if (!disjoint(m.learners_next, m.voters)) return false;
  if (m.voters.empty() && (!m.outgoing.empty() || !m.learners.empty())) return false;
  return std::includes(m.outgoing.begin(), m.outgoing.end(), m.learners_next.begin(), m.learners_next.end());
}

std::vector<ReplicaId> members(const Membership& m) {
  std::vector<ReplicaId> voters, out;
  std::set_union(m.voters.begin(), m.voters.end(), m.outgoing.begin(), m.outgoing.end(), std::back_inserter(voters));
  std::set_union(voters.begin(), voters.end(), m.learners.begin(), m.learners.end(), std::back_inserter(out));
  return out;
}

Membership membership_towards(const Membership& now, std::vector<ReplicaId> voters, std::vector<ReplicaId> learners) {
  CHECK(!now.joint());
  Membership next;
  if (voters == now.voters) {
    next.voters = std::move(voters);
    next.learners = std::move(learners);
  } else {
    // An outgoing voter that is to stay as a learner still votes in the old half until the joint phase ends.
    next.outgoing = now.voters;
    for (const ReplicaId id : learners) (has(next.outgoing, id) ? next.learners_next : next.learners).push_back(id);
    next.voters = std::move(voters);
  }
  CHECK(well_formed(next));
  return next;
}

Membership leave_joint(const Membership& joint) {
  CHECK(joint.joint());
  Membership next;
  next.voters = joint.voters;
  std::set_union(joint.learners.begin(), joint.learners.end(), joint.learners_next.begin(), joint.learners_next.end(),
                 std::back_inserter(next.learners));
  CHECK(well_formed(next));
  return next;
}

std::string describe(const Membership& m) {
  std::string out;
  const auto add = [&](std::string_view name, const std::vector<ReplicaId>& ids) {
    if (ids.empty()) return;
    if (!out.empty()) out += ' ';
    out += name;
    for (const ReplicaId id : ids) out += fmt::format(" {}", id);
  };
  add("voters", m.voters);
  add("outgoing", m.outgoing);
  add("learners", m.learners);
  add("learners_next", m.learners_next);
  return out.empty() ? "nobody" : out;
}

}  // namespace meridian::raft
