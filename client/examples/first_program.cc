// The first program: writes, reads, scans, and says what went wrong.
//   ./first_program [host:port]
#include <iostream>
#include <string>

#include <meridian/client.h>

int main(int argc, char** argv) {
  auto client = meridian::Client::connect({argc > 1 ? argv[1] : "127.0.0.1:7400"});
  if (!client) {
    std::cerr << client.error().to_string() << "\n";
    return 1;
  }

  for (const std::string city : {"Lisbon", "Oslo", "Quito"}) {
    auto written = client->put("city/" + city, "visited");
    if (!written) {
      // Definite: it was not written, and will not be. Otherwise it may have been: look, or repeat it
      // under the same request id.
      std::cerr << city << (written.error().is_definite() ? " was not written: " : " may have been written: ")
                << written.error().to_string() << "\n";
      return 1;
    }
  }

  auto read = client->get("city/Oslo");
  if (read && read->found) {
    std::cout << "city/Oslo = " << read->value << ", says node " << read->info.node_id << " in " << read->info.region
              << " (" << to_string(read->info.role) << ")\n";
  }

  auto cities = client->scan(meridian::ScanRange::prefix("city/"));
  for (const meridian::Entry& entry : cities) std::cout << entry.key << " = " << entry.value << "\n";
  if (auto status = cities.status(); !status) {
    std::cerr << status.error().to_string() << "\n";
    return 1;
  }
}
