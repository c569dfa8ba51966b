#include "server/latency.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

#include "base/config.h"

namespace meridian::server {

using namespace std::chrono_literals;

namespace {

// Half of typical round trips between such regions.
constexpr std::string_view kWan = R"(
within = "250us"
default = "60ms"
[us-east]
us-west = "32ms"
eu-west = "38ms"
[us-west]
eu-west = "68ms"
)";
constexpr std::string_view kLan = "within = \"100us\"\ndefault = \"250us\"\n";

std::vector<std::string> with_presets(std::vector<std::string> regions) {
  for (const char* region : {"us-east", "us-west", "eu-west"}) {
    if (std::ranges::find(regions, region) == regions.end()) regions.emplace_back(region);
  }
  return regions;
}

}  // namespace

Result<LatencyTable> LatencyTable::load(const std::string& spec, const std::vector<std::string>& regions) {
  if (spec.empty() || spec == "none") return LatencyTable();
  if (spec == "lan") return parse(kLan, "lan", regions);
  if (spec == "wan") return parse(kWan, "wan", with_presets(regions));
  std::ifstream in(spec, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("latency \"{}\" is neither none, lan or wan nor a file that can be read", spec));
  }
  return parse(text.str(), spec, regions);
}

Result<LatencyTable> LatencyTable::parse(std::string_view toml, const std::string& file_name,
                                         const std::vector<std::string>& regions) {
  constexpr Duration kUnset{-1};
  LatencyTable table;
  Settings settings;
  settings.add("within", "inside a region", &table.within_, 0us, 60s);
  settings.add("default", "between regions not named", &table.default_, 0us, 60s);
  std::map<std::pair<std::string, std::string>, Duration> named;
  for (const std::string& from : regions) {
    for (const std::string& to : regions) {
      Duration& delay = named.emplace(std::pair(from, to), kUnset).first->second;
      settings.add(from + "." + to, "one way", &delay, 0us, 60s);
    }
  }
  RETURN_IF_ERROR(settings.load_toml(toml, file_name));
  for (const auto& [pair, delay] : named) {
    if (delay == kUnset) continue;
    table.pairs_[pair] = delay;
    const Duration back = named.at({pair.second, pair.first});
    if (back == kUnset) table.pairs_[{pair.second, pair.first}] = delay;
  }
  return table;
}

Duration LatencyTable::delay(const std::string& from, const std::string& to) const {
  if (from.empty() || to.empty()) return Duration(0);
  if (const auto it = pairs_.find({from, to}); it != pairs_.end()) return it->second;
  return from == to ? within_ : default_;
}

Result<std::vector<PeerRegion>> parse_peer_regions(const std::vector<std::string>& items) {
  std::vector<PeerRegion> out;
  for (const std::string& item : items) {
    const std::size_t equals = item.find('=');
    const std::string address = item.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == item.size() || !check_host_port(address).empty()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("latency_peers: \"{}\" is not host:port=region", item));
    }
    out.push_back({address, item.substr(equals + 1)});
  }
  return out;
}

}  // namespace meridian::server
