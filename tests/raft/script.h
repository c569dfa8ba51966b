// The language of testdata/*.txt: blocks of commands, a line of dashes, and what they printed.
//
//   group 3 [learners=4] [base=N] [options as below]      voters 1 to 3, started
//   options [priority=0,1,1] [T=500] [max-append=N] [inflight=N] [uncommitted=N]
//   node 4 [term=T vote=V commit=N logs=1,1,4 voters=.. learners=.. outgoing=..]     one more, empty or made by hand
//   run MS            everything works at once, and time passes up to MS (deliveries, disks, ticks)
//   settle            everything works at once until nothing moves; no time passes
//   sleep MS          time passes, nothing else; tick ID: the node's loop wakes
//   campaign ID | propose ID TEXT [term=T] | members ID voters=.. [learners=..] | transfer ID to=ID
//   lease-read ID | read-index ID CONTEXT | compact ID INDEX | crash ID [keep=N] | restart ID
//   stall disk|apply|install|loop ID / resume ...     until resumed it does not finish, or not move at all
//   drop|hold|copy|strip|pass [N] TYPE [FROM>TO]    the next N (default 1; 0: all) such messages are lost, kept,
//                     doubled, robbed of their entries, or just delivered; the first rule that fits decides
//   release           what was kept is delivered now;  clear: no such rules any more
//   cut ID[,ID] [from=ID,..] / heal      messages between these and all others (or `from`) are lost
//   room ID no|yes    its disks have no room (any more), as its driver says
//   backup ID / rollback ID              the disk is copied; the copy takes its place while the node is down
//   unjudged          disks were meddled with: from now on the group may be wrong, and replicas may stop
//   answered ID N     the driver has answered up to N;  hand-over ID: what TimeoutNow said, and still may be believed
//   lead ID           campaign and run until it leads;  quiet | verbose: whether messages are shown
//   hide | show applies;  watch PROBE: say when that is reached
//   status [ID] | log ID | bug NAME | bug
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.h"
#include "tests/raft/group.h"

namespace meridian::raft::testing {

class Script : public FaultHooks {
 public:
  Script();
  ~Script() override;
  // One command; what it printed, lines ending in '\n'.
  std::string run(const std::string& line);

  bool buggify(std::string_view) override { return false; }
  void failpoint(std::string_view) override {}
  void probe(std::string_view point) override;
  bool deliberate_bug(std::string_view name) override { return name == bug_; }

 private:
  struct Arguments {
    std::vector<std::string> words;
    std::map<std::string, std::string> named;
    ReplicaId id(std::size_t at) const;
    std::uint64_t number(std::size_t at) const;
    std::string get(const std::string& name, const std::string& otherwise = "") const;
    std::vector<ReplicaId> ids(const std::string& name) const;
  };
  struct Rule {
    std::string verb;  // drop, hold, copy
    std::string type, route;
    std::uint64_t left;
    bool forever;
  };
  static Arguments parse(const std::string& line);
  bool setup(const Arguments& a);
  bool act(const Arguments& a);
  bool disturb(const Arguments& a);
  bool show(const Arguments& a);
  void set_options(const Arguments& a);
  void make_group(const Arguments& a);
  void make_node(const Arguments& a);
  void print(const std::string& line) { out_ += line + "\n"; }
  void print_hand_over(Node& n);
  void print_status(Node& n);
  void print_log(Node& n);
  template <class T>
  void print_result(const Result<T>& result, const std::string& ok);

  void settle();
  bool work_once();
  void pass(Envelope envelope);
  void run_for(std::int64_t ms, ReplicaId until_leader = ReplicaId());
  Options options_for(ReplicaId id) const;

  Group group_;
  Options defaults_;
  std::vector<std::uint32_t> priorities_;
  std::vector<Rule> rules_;
  std::vector<Envelope> held_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cuts_;
  std::set<std::pair<std::string, std::uint64_t>> stalled_;
  std::set<std::string, std::less<>> watched_;
  std::string out_, bug_;
  bool verbose_ = false;
  bool show_applies_ = true;
};

}  // namespace meridian::raft::testing
