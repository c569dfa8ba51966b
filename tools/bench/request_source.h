// The stream of requests of one worker. Pure, given its seed and what the others insert meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/bench/insert_sequence.h"
#include "tools/bench/key_choice.h"
#include "tools/bench/random.h"
#include "tools/bench/workload.h"

namespace meridian::bench {

struct Request {
  OpKind kind = OpKind::kGet;
  std::uint64_t key = 0;
  std::uint64_t scan_length = 0;         // of kScan
  std::vector<std::uint64_t> more_keys;  // of kBatch, all different
};

// "key000000000042", as the other stores' load generators make them. They sort by number.
std::string key_name(std::uint64_t number);
// The first key behind all of ours.
inline constexpr const char* kBehindAllKeys = "key:";

class RequestSource {
 public:
  // zipf: from zipf_table_for(). Requires: keys > 0, and as many as a batch has; inserts started at them, or at more.
  RequestSource(const Workload& workload, std::uint64_t keys, const ZipfTable& zipf,
                std::shared_ptr<InsertSequence> inserts, std::uint64_t seed);
  // Of a kInsert, inserts.end() has to be called.
  Request next();

 private:
  void add_keys(Request& request);

  Mix mix_;
  ScanLength scan_length_;
  std::uint64_t batch_keys_;
  std::shared_ptr<InsertSequence> inserts_;
  Random random_;
  KeyChoice keys_;
};

}  // namespace meridian::bench
