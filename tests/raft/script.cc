#include "tests/raft/script.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/check.h"
#include "raft/membership.h"

namespace meridian::raft::testing {
namespace {

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> out;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, by);) {
    if (!part.empty()) out.push_back(part);
  }
  return out;
}

std::vector<ReplicaId> to_ids(const std::string& text) {
  std::vector<ReplicaId> out;
  for (const std::string& part : split(text, ',')) out.emplace_back(std::stoull(part));
  return out;
}

std::string error_text(const Error& error) { return fmt::format("{}: {}", to_string(error.code()), error.message()); }

}  // namespace

ReplicaId Script::Arguments::id(std::size_t at) const { return ReplicaId(number(at)); }
std::uint64_t Script::Arguments::number(std::size_t at) const {
  CHECK_F(at < words.size(), "'{}' needs an argument", words[0]);
  return std::stoull(words[at]);
}
std::string Script::Arguments::get(const std::string& name, const std::string& otherwise) const {
  const auto it = named.find(name);
  return it == named.end() ? otherwise : it->second;
}
std::vector<ReplicaId> Script::Arguments::ids(const std::string& name) const { return to_ids(get(name)); }

Script::Script() {
  g_fault_hooks = this;
  group_.log = [this](std::string what) {
    if (show_applies_ || what.find(" applies ") == std::string::npos)
      print(fmt::format("[{}] {}", group_.true_time.us() / 1000, what));
  };
}

void Script::probe(std::string_view point) {
  if (watched_.contains(point)) print(fmt::format("[{}] {}", group_.true_time.us() / 1000, point));
}

Script::~Script() { g_fault_hooks = nullptr; }

Script::Arguments Script::parse(const std::string& line) {
  Arguments a;
  for (const std::string& word : split(line, ' ')) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
      a.words.push_back(word);
    else
      a.named[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return a;
}

std::string Script::run(const std::string& line) {
  out_.clear();
  const Arguments a = parse(line);
  CHECK_F(!a.words.empty(), "no command in '{}'", line);
  CHECK_F(setup(a) || act(a) || disturb(a) || show(a), "unknown command '{}'", line);
  return out_;
}

bool Script::setup(const Arguments& a) {
  const std::string& verb = a.words[0];
  if (verb == "group") return make_group(a), true;
  if (verb == "options") return set_options(a), true;
  if (verb == "node") return make_node(a), true;
  if (verb == "quiet" || verb == "verbose") return verbose_ = verb == "verbose", true;
  if (verb == "hide" || verb == "show") return show_applies_ = verb == "show", true;
  if (verb == "watch") return watched_.insert(a.words.at(1)), true;
  if (verb == "bug") return bug_ = a.words.size() > 1 ? a.words[1] : "", true;
  if (verb == "run") return run_for(static_cast<std::int64_t>(a.number(1))), true;
  if (verb == "settle") return settle(), true;
  if (verb == "unjudged") return group_.judge.rest(), group_.forgetful = true;
  if (verb == "sleep") {
    group_.true_time = group_.true_time + Duration(static_cast<std::int64_t>(a.number(1)) * 1000);
    return true;
  }
  return false;
}

Options Script::options_for(ReplicaId id) const {
  Options o = defaults_;
  o.id = id;
  if (id.value() <= priorities_.size()) o.priority = priorities_[id.value() - 1];
  return o;
}

void Script::set_options(const Arguments& a) {
  if (!a.get("T").empty()) defaults_.election_timeout = Duration(std::stoll(a.get("T")) * 1000);
  if (!a.get("max-append").empty()) defaults_.max_append_bytes = std::stoull(a.get("max-append"));
  if (!a.get("inflight").empty()) defaults_.max_inflight_bytes = std::stoull(a.get("inflight"));
  if (!a.get("uncommitted").empty()) defaults_.max_uncommitted_bytes = std::stoull(a.get("uncommitted"));
  for (const std::string& p : split(a.get("priority"), ',')) {
    priorities_.push_back(static_cast<std::uint32_t>(std::stoul(p)));
  }
}

void Script::make_group(const Arguments& a) {
  set_options(a);
  Membership membership;
  membership.learners = a.ids("learners");
  for (std::uint64_t i = 1; i <= a.number(1); ++i) membership.voters.emplace_back(i);
  for (const ReplicaId id : members(membership)) {
    group_.start(group_.add_node(options_for(id), membership, LogIndex(std::stoull(a.get("base", "0")))));
  }
}

void Script::make_node(const Arguments& a) {
  Membership membership;
  membership.voters = a.ids("voters");
  membership.outgoing = a.ids("outgoing");
  membership.learners = a.ids("learners");
  Node& n = group_.add_node(options_for(a.id(1)), membership);
  Persist log;
  for (const std::string& term : split(a.get("logs"), ',')) {
    const Term t(std::stoull(term));
    const LogIndex index(log.entries.size() + 1);
    auto data = std::make_shared<const std::string>(fmt::format("{}.{}", term, index));
    log.entries.push_back({index, t, EntryType::kCommand, std::move(data)});
  }
  if (!a.get("term").empty()) {
    n.fresh = false;
    n.hard_state.term = Term(std::stoull(a.get("term")));
    n.hard_state.vote = ReplicaId(std::stoull(a.get("vote", "0")));
    n.hard_state.commit = LogIndex(std::stoull(a.get("commit", "0")));
  }
  group_.judge.on_persist(n.view, log, false);
  n.entries = log.entries;
  group_.start(n);
}

template <class T>
void Script::print_result(const Result<T>& result, const std::string& ok) {
  print(result ? ok : error_text(result.error()));
}

bool Script::act(const Arguments& a) {
  const std::string& verb = a.words[0];
  const auto node = [&]() -> Node& { return group_.node(a.id(1)); };
  if (verb == "tick") return group_.tick_if_due(node()), true;
  if (verb == "campaign") return group_.act(node(), [](Core& c, MonoTime now) { c.campaign(now); }), true;
  if (verb == "lead") {
    group_.act(node(), [](Core& c, MonoTime now) { c.campaign(now); });
    return run_for(5000, a.id(1)), true;
  }
  if (verb == "propose") {
    const auto text = std::make_shared<const std::string>(a.words.at(2));
    const Term term = a.get("term").empty() ? node().core->term() : Term(std::stoull(a.get("term")));
    const auto r = group_.act(node(), [&](Core& c, MonoTime now) { return c.propose(now, term, text); });
    return print_result(r, fmt::format("entry {}", r.value_or(LogIndex()))), true;
  }
  if (verb == "members") {
    const auto r = group_.act(
        node(), [&](Core& c, MonoTime now) { return c.propose_membership(now, a.ids("voters"), a.ids("learners")); });
    return print_result(r, fmt::format("entry {}", r.value_or(LogIndex()))), true;
  }
  if (verb == "transfer") {
    const ReplicaId to(std::stoull(a.get("to")));
    return print_result(group_.act(node(), [&](Core& c, MonoTime now) { return c.transfer_leadership(now, to); }),
                        "begun"),
           true;
  }
  if (verb == "lease-read") {
    const auto index = node().core->lease_read(group_.clock(node()));
    return print(index ? fmt::format("{} reads as of {}", a.id(1), *index) : fmt::format("{} has no lease", a.id(1))),
           true;
  }
  if (verb == "read-index") {
    node().asked[a.number(2)] = group_.judge.newest_commit();
    const auto r = group_.act(node(), [&](Core& c, MonoTime now) { return c.read_index(now, a.number(2)); });
    return r ? true : (print(error_text(r.error())), true);
  }
  if (verb == "answered") return node().core->answered_up_to(a.number(2)), true;
  if (verb == "compact") return group_.compact(node(), LogIndex(a.number(2))), true;
  if (verb == "crash") return group_.crash(node(), std::stoull(a.get("keep", "0"))), true;
  if (verb == "restart") return group_.restart(node()), true;
  if (verb == "room") return node().core->set_room(a.words.at(2) == "yes"), true;
  if (verb == "backup") return group_.back_up(node()), true;
  if (verb == "rollback") return group_.roll_back(node()), true;
  return false;
}

bool Script::disturb(const Arguments& a) {
  const std::string& verb = a.words[0];
  if (verb == "stall") return stalled_.emplace(a.words.at(1), a.number(2)), true;
  if (verb == "resume") return stalled_.erase({a.words.at(1), a.number(2)}), true;
  if (verb == "drop" || verb == "hold" || verb == "copy" || verb == "pass" || verb == "strip") {
    const bool counted = std::isdigit(static_cast<unsigned char>(a.words.at(1)[0])) != 0;
    const std::uint64_t count = counted ? a.number(1) : 1;
    const std::size_t type = counted ? 2 : 1;
    rules_.push_back({verb, a.words.at(type), a.words.size() > type + 1 ? a.words[type + 1] : "", count, count == 0});
    return true;
  }
  if (verb == "clear") return rules_.clear(), true;
  if (verb == "release") {
    for (Envelope& e : std::exchange(held_, {})) {
      if (verbose_) print("  late: " + describe(e.message));
      group_.deliver(std::move(e));
    }
    return true;
  }
  if (verb == "cut") {
    const std::vector<ReplicaId> others = a.get("from").empty() ? group_.ids() : a.ids("from");
    const std::vector<ReplicaId> ids = to_ids(a.words.at(1));
    for (const ReplicaId id : ids) {
      for (const ReplicaId other : others) {
        if (std::find(ids.begin(), ids.end(), other) != ids.end()) continue;
        cuts_.insert({id.value(), other.value()});
        cuts_.insert({other.value(), id.value()});
      }
    }
    return true;
  }
  if (verb == "heal") return cuts_.clear(), true;
  return false;
}

bool Script::show(const Arguments& a) {
  const std::string& verb = a.words[0];
  if (verb == "hand-over") return print_hand_over(group_.node(a.id(1))), true;
  if (verb != "status" && verb != "log") return false;
  for (const ReplicaId id : a.words.size() > 1 ? std::vector{a.id(1)} : group_.ids()) {
    Node& n = group_.node(id);
    if (verb == "log")
      print_log(n);
    else
      print_status(n);
  }
  return true;
}

void Script::print_hand_over(Node& n) {
  const auto sent = n.core->handed_over();
  const auto received = n.core->inherited();
  print(fmt::format(
      "{} {}, {}", n.id,
      sent ? fmt::format("answers up to {} before an entry behind {} is committed", sent->answered, sent->index)
           : "answers anything",
      received ? fmt::format("starts above {}", *received) : "starts above the ceiling"));
}

void Script::print_status(Node& n) {
  if (!n.core) return print(fmt::format("{} is down", n.id));
  const Status s = n.core->status();
  print(fmt::format("{} {} term={} leader={} last={} stable={} commit={} applied={}{}{}{} of {}", n.id, name_of(s.role),
                    s.term, s.leader, s.last_index, s.stable, s.commit, s.applied,
                    n.core->lease_read(group_.clock(n)) ? " lease" : "", n.removed ? " removed" : "", n.stopped ? " stopped" : "",
                    raft::describe(s.membership)));
}

void Script::print_log(Node& n) {
  std::string terms;
  for (const LogView::Item& item : n.view.items) terms += fmt::format(" {}", item.term);
  print(fmt::format("{} log after {}:{}", n.id, n.view.base, terms));
}

void Script::pass(Envelope e) {
  const Message& m = e.message;
  if (cuts_.contains({m.from.value(), m.to.value()})) return group_.drop(e);
  const std::string route = fmt::format("{}>{}", m.from, m.to);
  for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) {
    if (rule->type != name_of(m.type) || (!rule->route.empty() && rule->route != route)) continue;
    const std::string verb = rule->verb;
    if (!rule->forever && --rule->left == 0) rules_.erase(rule);
    if (verb == "pass") break;
    if (verb == "strip") {
      e.message.entries.clear();
      break;
    }
    if (verb != "copy") {
      if (verbose_) print(fmt::format("  {}: {}", verb == "drop" ? "lost" : "held", describe(m)));
      if (verb == "drop") return group_.drop(e);
      return held_.push_back(std::move(e));
    }
    if (verbose_) print("  " + describe(m));
    group_.deliver(e);
    break;
  }
  if (verbose_) print("  " + describe(m));
  group_.deliver(std::move(e));
}

bool Script::work_once() {
  bool busy = false;
  const auto free = [&](const char* part, ReplicaId id) { return !stalled_.contains({part, id.value()}); };
  for (const ReplicaId id : group_.running()) {
    Node& n = group_.node(id);
    if (!free("loop", id)) continue;
    group_.drain(n);
    while (free("disk", id) && group_.finish_persist(n)) busy = true;
    while (free("read", id) && group_.finish_read(n)) busy = true;
    if (free("install", id)) busy = group_.finish_install(n) || busy;
    group_.drain(n);
    while (free("apply", id) && group_.apply(n, 100)) busy = true;
    group_.drain(n);
  }
  for (Envelope& e : std::exchange(group_.network, {})) {
    if (!free("loop", e.message.to)) {
      group_.network.push_back(std::move(e));  // waits in the socket
      continue;
    }
    busy = true;
    pass(std::move(e));
  }
  return busy;
}

void Script::settle() {
  int rounds = 0;
  while (work_once()) CHECK_F(++rounds < 10'000, "it never settles");
}

void Script::run_for(std::int64_t ms, ReplicaId until_leader) {
  settle();
  for (; ms > 0; --ms) {
    if (until_leader != ReplicaId() && group_.node(until_leader).core->may_evaluate()) return;
    group_.true_time = group_.true_time + Duration(1000);
    for (const ReplicaId id : group_.running()) {
      if (!stalled_.contains({"loop", id.value()})) group_.tick_if_due(group_.node(id));
    }
    settle();
  }
  CHECK_F(until_leader == ReplicaId(), "{} does not come to lead", until_leader);
}

}  // namespace meridian::raft::testing
