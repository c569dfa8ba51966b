// server/config and server/latency: files that people write. A file that is taken leads to settings that, written
// out, are taken again and lead to the same.
#include "server/config.h"
#include "server/latency.h"
#include "tests/fuzz/fuzz.h"

namespace meridian::fuzz {
namespace {

// Defaults need not be what a file may say ("no directory").
std::string shown(const Settings& settings) {
  std::string out;
  for (const Settings::Description& d : settings.describe()) {
    if (d.origin == Settings::Origin::kFile) out += d.key + " = " + d.value + "\n";
  }
  return out;
}

template <class Config>
void load(std::string_view toml) {
  Config config;
  Settings settings;
  config.declare(settings);
  if (!settings.load_toml(toml, "fuzz.toml")) return;
  (void)config.check();
  const std::string once = shown(settings);
  Config again;
  Settings other;
  again.declare(other);
  const Result<> taken = other.load_toml(once, "again.toml");
  CHECK_F(taken.has_value(), "{}\n{}", taken.error().to_string(), once);
  CHECK(shown(other) == once);
}

void latency(std::string_view toml) { (void)server::LatencyTable::parse(toml, "fuzz.toml", {"us-east", "eu-west"}); }

void flags(std::string_view bytes) {
  Input in(bytes);
  server::NodeConfig config;
  Settings settings;
  config.declare(settings);
  const auto known = settings.describe();
  (void)settings.set(known[in.byte() % known.size()].key, std::string(in.string()));
  (void)server::parse_peer_regions({std::string(in.string())});
  (void)Settings::peek_string(in.rest(), "fuzz.toml", "role");
}

constexpr Decoder kDecoders[] = {load<server::NodeConfig>, load<server::ProxyConfig>, load<server::LocalConfig>,
                                 latency, flags};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
