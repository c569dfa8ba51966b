// Writes unique values and notes each acknowledged one in a file; later reads every one of them back.
// Between the two, kill what you like: nothing acknowledged may be missing.
//   ./ledger write FILE SECONDS [host:port]
//   ./ledger verify FILE [host:port]
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <meridian/client.h>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kInFlight = 64;

std::string value_of(const std::string& key) { return "value of " + key; }

int write(meridian::Client client, const std::string& path, double seconds) {
  std::ofstream acknowledged(path);
  auto run = client.new_request_id();  // unlike any other run's
  if (!acknowledged || !run) {
    std::cerr << (run ? path + " cannot be written" : run.error().to_string()) << "\n";
    return 1;
  }
  std::uint64_t writes = 0;
  std::uint64_t unknown = 0;  // may or may not have been written: neither is a loss
  std::uint64_t refused = 0;  // certainly not written
  auto last = Clock::now();
  std::chrono::milliseconds longest{0};
  const auto end = last + std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));

  std::deque<std::pair<std::string, meridian::Future<meridian::WriteResult>>> in_flight;
  for (std::uint64_t i = 0; last < end || !in_flight.empty();) {
    if (last < end && in_flight.size() < kInFlight) {
      std::string key = "ledger/" + run->to_string() + "/" + std::to_string(i++);
      auto future = client.put_async(key, value_of(key));
      in_flight.emplace_back(std::move(key), std::move(future));
      continue;
    }
    auto written = in_flight.front().second.get();
    const auto now = Clock::now();
    longest = std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(now - last));
    last = now;
    if (written) {
      acknowledged << in_flight.front().first << "\n";
      ++writes;
    } else if (written.error().is_definite()) {
      if (refused++ == 0) std::cerr << written.error().to_string() << "\n";
    } else {
      ++unknown;
    }
    in_flight.pop_front();
  }
  std::cout << writes << " writes acknowledged, " << unknown << " of unknown outcome, " << refused
            << " refused; the longest pause between two was " << longest.count() << " ms\n";
  return acknowledged.flush() ? 0 : 1;
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
      if (read->items[i].found && read->items[i].value == value_of(some[i])) continue;
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
