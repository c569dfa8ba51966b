// Injected latency between regions, so that a cluster on one machine behaves as if it were spread over
// the world. A process knows its own region and its peers' addresses and regions; the transport delays
// requests by where they go and answers by who asked.
//
// A file names one-way delays; a pair holds in both directions unless the other is named too:
//   within = "250us"            # inside a region; default 0
//   default = "40ms"            # between regions not named; default 0
//   [us-east]
//   us-west = "35ms"
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace meridian::server {

class LatencyTable {
 public:
  // spec: none, lan, wan, or a file's path. Regions that a file may name: those given.
  static Result<LatencyTable> load(const std::string& spec, const std::vector<std::string>& regions);
  static Result<LatencyTable> parse(std::string_view toml, const std::string& file_name,
                                    const std::vector<std::string>& regions);

  bool empty() const { return within_ == Duration(0) && default_ == Duration(0) && pairs_.empty(); }
  // One way. Zero where either is not known.
  Duration delay(const std::string& from, const std::string& to) const;

 private:
  Duration within_{0};
  Duration default_{0};
  std::map<std::pair<std::string, std::string>, Duration> pairs_;
};

// "host:port=region": where peers are.
struct PeerRegion {
  std::string address;
  std::string region;
};
Result<std::vector<PeerRegion>> parse_peer_regions(const std::vector<std::string>& items);

}  // namespace meridian::server
