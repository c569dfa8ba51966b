// Reads a package catalogue (tools/quickstart imports this machine's under "package/NAME"): how many
// entries there are in each section, and a few of them. Pages are fetched as they are needed, all as of one timestamp.
//   ./catalogue [host:port]
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meridian/client.h>

namespace {

// "Section: games" of an entry in Debian's format.
std::string field(const std::string& entry, const std::string& name) {
  const std::string start = "\n" + name + ": ";
  const std::size_t at = entry.find(start);
  if (at == std::string::npos) return "none";
  const std::size_t from = at + start.size();
  return entry.substr(from, entry.find('\n', from) - from);
}

void print_line(const std::string& left, const std::string& right) {
  std::cout << "  " << left << std::string(left.size() < 20 ? 20 - left.size() : 1, ' ') << right << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  auto client = meridian::Client::connect({argc > 1 ? argv[1] : "127.0.0.1:7400"});
  if (!client) {
    std::cerr << client.error().to_string() << "\n";
    return 1;
  }

  std::map<std::string, std::uint64_t> sections;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  auto scan = client->scan(meridian::ScanRange::prefix("package/"));
  for (const meridian::Entry& entry : scan) {
    ++entries;
    bytes += entry.value.size();
    ++sections[field(entry.value, "Section")];
  }
  if (auto status = scan.status(); !status) {
    std::cerr << status.error().to_string() << "\n";
    return 1;
  }
  if (entries == 0) {
    std::cerr << "there are no packages\n";
    return 1;
  }
  std::cout << entries << " packages, " << bytes / 1'000'000 << " MB. The largest of " << sections.size()
            << " sections:\n";
  std::vector<std::pair<std::uint64_t, std::string>> largest;
  for (const auto& [section, count] : sections) largest.emplace_back(count, section);
  std::sort(largest.rbegin(), largest.rend());
  for (std::size_t i = 0; i < largest.size() && i < 5; ++i) {
    print_line(largest[i].second, std::to_string(largest[i].first));
  }

  // One page, from the last key backwards.
  std::cout << "The last ones:\n";
  auto last = client->scan(meridian::ScanRange::prefix("package/"), meridian::ScanOptions().reverse().limit(3));
  for (const meridian::Entry& entry : last) print_line(entry.key.substr(8), field(entry.value, "Description"));

  // One key, from whichever replica is near: as of a moment that may be past, and that the answer names.
  auto read = client->get("package/clang-19", meridian::CallOptions().any_replica());
  if (read && read->found) {
    std::cout << "From node " << read->info.node_id << " in " << read->info.region << " (" << to_string(read->info.role)
              << "):\n";
    print_line("clang-19", field(read->value, "Description"));
  }
}
