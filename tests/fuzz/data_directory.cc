// shard/node/data_directory: files that an operator, another version or a failing disk may have changed.
#include "shard/node/data_directory.h"
#include "tests/fuzz/messages.h"
#include "tests/sim/sim_file.h"

FUZZ_TARGET(bytes) {
  using namespace meridian;
  fuzz::Input in(bytes);
  std::uint64_t random = 1;
  SimFileSystem fs([&random] { return random++; });
  CHECK(fs.create_directories("/data").has_value());
  const std::uint8_t which = in.byte();
  if (which % 4 == 1) {
    CHECK(write_file_atomically(fs, "/data/JOIN", in.string()).has_value());
    CHECK(write_file_atomically(fs, "/data/BOOTSTRAP", in.string()).has_value());
  }
  if (which % 4 != 2) CHECK(write_file_atomically(fs, "/data/IDENTITY", in.rest()).has_value());
  wire::Identity first;
  {
    const auto directory = DataDirectory::open(fs, "/data");
    if (!directory) return;
    first = (*directory)->identity();
    if (const auto join = (*directory)->load_join(); join && *join) CHECK((*directory)->store_join(**join).has_value());
    if (const auto plan = (*directory)->load_plan(); plan && *plan) CHECK((*directory)->store_plan(**plan).has_value());
  }
  const auto again = DataDirectory::open(fs, "/data");
  CHECK(again.has_value());
  wire::Identity expected = first;
  expected.set_incarnation(first.incarnation() + 1);
  CHECK((*again)->identity().SerializeAsString() == expected.SerializeAsString());
}
