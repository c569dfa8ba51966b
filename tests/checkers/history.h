// The history of a run: what clients asked and what they were answered, in the order in which it was seen.
// JSON lines, one event a line; the format is described in docs/testing.md and outlives any program here.
// Knows nothing of Meridian: values, versions and timestamps are what the clients saw.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meridian::check {

// nullopt: the key is absent.
using Value = std::optional<std::string>;

enum class EventType { kInvoke, kOk, kFail, kInfo };
enum class Function {
  kRead,
  kWrite,
  kCas,
  kRemove,
  kBatch,
  kScan,
  kVersions,     // every stored version of a key on one replica, read at the end of a run
  kAdd,          // an element to the set that the key names
  kReadSet,      //
  kIncrement,    // the counter that the key names
  kReadCounter,  //
  kTxn,          // appends to lists and reads of lists, atomically
};

// One step of a transaction over lists.
struct MicroOp {
  bool append = false;  // or a read
  std::string key;
  std::string element;                           // append
  std::optional<std::vector<std::string>> list;  // read (ok): all of it; empty if absent
  friend bool operator==(const MicroOp&, const MicroOp&) = default;
};

struct Event {
  std::uint64_t index = 0;
  std::int64_t time_us = 0;
  std::uint64_t process = 0;  // at most one operation of a process is open
  EventType type = EventType::kInvoke;
  Function f = Function::kRead;
  std::string key;                                      // of a scan: the start
  std::string end;                                      // of a scan: exclusive
  Value value;                                          // read (ok), write, cas: what it becomes
  Value expected;                                       // cas
  std::map<std::string, Value> values;                  // batch; scan (ok)
  std::uint64_t version = 0;                            // 0: none, or absent
  std::map<std::string, std::uint64_t> versions;        // scan (ok)
  std::vector<std::pair<std::uint64_t, Value>> stored;  // versions (ok)
  std::vector<std::string> elements;                    // read-set (ok), in the order answered; repeats are kept
  std::int64_t number = 0;                              // increment: by how much; read-counter (ok)
  std::vector<MicroOp> ops;                             // txn
  std::uint64_t timestamp = 0;                          // reads: true as of
  bool linearizable = true;                             // reads, and transactions that only read: "level"
  std::uint64_t session = 0;                            // 0: none. A session outlives a process
  std::uint64_t node = 0;                               // who served it; of versions: which replica
  std::string role;
  std::string error;  // fail, info; "condition": a cas whose condition did not hold
};

std::string_view to_string(Function f);
std::string_view to_string(EventType type);

std::string to_json(const Event& event);
// Error: a message for people.
std::optional<std::string> parse_json(std::string_view line, Event* event);

struct History {
  std::vector<Event> events;
  // Numbers the event.
  void add(Event event);
};

// Error: a message that names the line.
std::optional<std::string> read_history(std::istream& in, History* history);
void write_history(const History& history, std::ostream& out);

// An invocation and its completion.
struct Operation {
  static constexpr std::uint64_t kNever = UINT64_MAX;
  Event invoke;
  Event complete;            // type kInfo if there is none
  std::uint64_t called = 0;  // positions in the history: the order of real time
  std::uint64_t returned = kNever;

  bool ok() const { return complete.type == EventType::kOk; }
  bool unknown() const { return complete.type == EventType::kInfo; }
};

// Error: a completion without invocation, or two open operations of one process.
std::optional<std::string> pair_operations(const History& history, std::vector<Operation>* operations);

// "#12 process 3 write k1 = v17 [10.002 .. 10.130 ms] ok version 77"
std::string describe(const Operation& operation);
// The same without process, times and outcome.
std::string describe_call(const Operation& operation);
std::string describe(const MicroOp& op);
std::string describe(const Value& value);

}  // namespace meridian::check
