// The register workload: a few keys that several clients read, write, compare and remove, singly, in batches
// and in scans, each value unique. Clients use the SDK's core, repeat what stayed unknown under the same id,
// and now and then repeat what was answered, which must be answered the same. Everything asked and answered
// goes into the history that the checkers judge.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/task.h"
#include "tests/checkers/history.h"
#include "tests/sim/cluster.h"

namespace meridian::sim {

class RegisterWorkload {
 public:
  RegisterWorkload(SimWorld& world, SimCluster& cluster, const RunOptions& options, check::History& history);

  void start();
  // Every slot ends after the operation it is in.
  void stop() { stopping_ = true; }
  bool idle() const { return busy_slots_ == 0; }
  // Reads every key once more, linearizably; idle() again when done.
  void read_all();

  std::uint64_t answered() const { return answered_; }  // ok
  std::uint64_t unknown() const { return unknown_; }
  std::vector<std::string> keys() const;
  // What no checker of histories can see: a repeated request answered differently, a damaged value.
  const std::string& violation() const { return violation_; }

  static std::string pad(const std::string& text, std::uint64_t longest);

 private:
  struct Slot {
    Rng rng;
    SimClient* client;
    std::uint64_t process;
    bool only_reads = false, only_writes = false;
  };
  struct Known {
    check::Value value;
    std::uint64_t version = 0;
  };

  Task<> run(Slot* slot);
  Task<> operate(Slot& slot);
  Task<> read(Slot& slot, bool linearizable, std::uint64_t at);
  Task<> multi_get(Slot& slot);
  Task<> scan(Slot& slot);
  Task<> write(Slot& slot);  // or remove
  Task<> compare(Slot& slot);
  Task<> batch(Slot& slot);
  Task<> read_back(Slot* slot);

  // One mutation with its id: repeated while unknown, recorded, and sometimes repeated once more.
  template <class Request, class Response>
  Task<> mutate(Slot& slot, const Method<Request, Response>& method, Request request, check::Event event);
  template <class Request, class Response>
  Task<> repeat(Slot& slot, const Method<Request, Response>& method, Request request, Response first);

  Task<Result<v1::RequestId>> new_id(Slot& slot);
  client::Call deadline(Slot& slot);
  std::string draw_key(Slot& slot);
  std::string new_value(Slot& slot);
  std::string unpad(const std::string& stored);
  void invoke(Slot& slot, check::Event event);
  void complete(Slot& slot, check::Event event);
  void fail_read(Slot& slot, check::Event event, const Error& error);
  void describe(const v1::ReadInfo& info, check::Event* event);
  void violated(std::string what);

  SimWorld& world_;
  SimCluster& cluster_;
  const RunOptions& options_;
  check::History& history_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::map<std::string, Known> known_;     // what was last seen, by anyone
  std::vector<std::uint64_t> timestamps_;  // to read as of
  std::uint64_t next_process_ = 0;
  std::uint64_t next_value_ = 0;
  std::uint64_t answered_ = 0, unknown_ = 0;
  int busy_slots_ = 0;
  bool stopping_ = false;
  std::string violation_;
};

}  // namespace meridian::sim
