// Places where the simulator and scripts interfere. All three cost one branch on a null pointer in production.
//   if (BUGGIFY("snapshot.every_10_entries")) ...   simulation only: now and then do the legal but rare thing
//   FAILPOINT("log.before_sync");                    a script may stop, delay, fail or kill here (test builds)
//   PROBE("raft.vote_refused_by_promise");           this rare path was taken; soak runs report those never hit
// Also the deliberate bugs by which checkers are proven: if (DELIBERATE_BUG("ack_before_fsync")) ...
#pragma once

#include <string_view>

namespace meridian {

class FaultHooks {
 public:
  virtual ~FaultHooks() = default;
  virtual bool buggify(std::string_view point) = 0;
  virtual void failpoint(std::string_view point) = 0;
  virtual void probe(std::string_view point) = 0;
  virtual bool deliberate_bug(std::string_view name) = 0;
};

// Null in production. Set once, before anything runs (the simulator is single-threaded and sets it per run).
extern FaultHooks* g_fault_hooks;

}  // namespace meridian

#define BUGGIFY(point) (::meridian::g_fault_hooks != nullptr && ::meridian::g_fault_hooks->buggify(point))
#define FAILPOINT(point) \
  do { if (::meridian::g_fault_hooks != nullptr) ::meridian::g_fault_hooks->failpoint(point); } while (false)
#define PROBE(point) \
  do { if (::meridian::g_fault_hooks != nullptr) ::meridian::g_fault_hooks->probe(point); } while (false)
#ifdef MERIDIAN_DELIBERATE_BUGS
#define DELIBERATE_BUG(name) (::meridian::g_fault_hooks != nullptr && ::meridian::g_fault_hooks->deliberate_bug(name))
#else
#define DELIBERATE_BUG(name) false
#endif
