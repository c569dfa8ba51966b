// Writes unique values and notes each acknowledged one in a file; later reads every one of them back.
// Between the two, kill what you like: nothing acknowledged may be missing.
//   ./ledger write FILE SECONDS [host:port]
//   ./ledger verify FILE [host:port]
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <meridian/client.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Totals {
  std::mutex mutex;
  std::ofstream acknowledged;
  std::uint64_t writes = 0;
  std::uint64_t unknown = 0;  // may or may not have been written: neither is a loss
  std::uint64_t refused = 0;  // certainly not written
  std::chrono::milliseconds longest{0};
};

void write_until(meridian::Client client, std::string run, int writer, Clock::time_point end, Totals& totals) {
  for (std::uint64_t i = 0; Clock::now() < end; ++i) {
    const std::string key = "ledger/" + run + "/" + std::to_string(writer) + "/" + std::to_string(i);
    const auto began = Clock::now();
    auto written = client.put(key, "value of " + key);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    std::lock_guard lock(totals.mutex);
    totals.longest = std::max(totals.longest, took);
    if (written) {
      totals.acknowledged << key << "\n";
      ++totals.writes;
    } else if (written.error().is_definite()) {
      ++totals.refused;
      std::cerr << "refused: " << written.error().to_string() << "\n";
    } else {
      ++totals.unknown;
    }
  }
}

int write(meridian::Client client, const std::string& path, double seconds) {
  Totals totals;
  totals.acknowledged.open(path);
  if (!totals.acknowledged) {
    std::cerr << path << " cannot be written\n";
    return 1;
  }
  const std::string run = std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  const auto end = Clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  std::vector<std::thread> writers;
  for (int i = 0; i < 16; ++i) writers.emplace_back([&, i] { write_until(client, run, i, end, totals); });
  for (auto& writer : writers) writer.join();
  std::cout << totals.writes << " writes acknowledged, " << totals.unknown << " of unknown outcome, " << totals.refused
            << " refused; the longest took " << totals.longest.count() << " ms\n";
  return totals.acknowledged.flush() ? 0 : 1;
}

int verify(meridian::Client client, const std::string& path) {
  std::ifstream acknowledged(path);
  std::vector<std::string> keys;
  for (std::string key; std::getline(acknowledged, key);) keys.push_back(key);
  std::uint64_t missing = 0;
  for (std::size_t first = 0; first < keys.size(); first += 500) {
    const std::vector<std::string> some(keys.begin() + static_cast<std::ptrdiff_t>(first),
                                        keys.begin() + static_cast<std::ptrdiff_t>(std::min(first + 500, keys.size())));
    auto read = client.multi_get(some);
    if (!read) {
      std::cerr << read.error().to_string() << "\n";
      return 1;
    }
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (read->items[i].found && read->items[i].value == "value of " + some[i]) continue;
      ++missing;
      std::cerr << "missing: " << some[i] << "\n";
    }
  }
  std::cout << keys.size() << " acknowledged writes read back, " << missing << " missing\n";
  return missing == 0 && !keys.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int fixed = what == "write" ? 4 : 3;
  if ((what != "write" && what != "verify") || argc < fixed) {
    std::cerr << "usage: ledger write FILE SECONDS [host:port]\n       ledger verify FILE [host:port]\n";
    return 2;
  }
  auto client = meridian::Client::connect({argc > fixed ? argv[fixed] : "127.0.0.1:7400"});
  if (!client) {
    std::cerr << client.error().to_string() << "\n";
    return 1;
  }
  return what == "write" ? write(*client, argv[2], std::atof(argv[3])) : verify(*client, argv[2]);
}
