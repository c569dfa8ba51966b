// Keys of the engine: made for every version written, taken apart for every one read. The argument is the length of
// the user's key.
#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "base/keys.h"
#include "txn/mvcc.h"

namespace meridian {
namespace {

std::string user_key(benchmark::State& state) { return std::string(static_cast<std::size_t>(state.range(0)), 'k'); }

void key_append_ordered(benchmark::State& state) {
  const std::string key = user_key(state);
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_ordered(out, key);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(key_append_ordered)->Arg(15)->Arg(64)->Arg(1024);

// The worst that a key can hold: every byte is written as two.
void key_append_ordered_zeros(benchmark::State& state) {
  const std::string key(static_cast<std::size_t>(state.range(0)), '\0');
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_ordered(out, key);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(key_append_ordered_zeros)->Arg(64);

void key_consume_ordered(benchmark::State& state) {
  std::string encoded;
  append_ordered(encoded, user_key(state));
  std::string out;
  for (auto _ : state) {
    std::string_view in = encoded;
    CHECK(consume_ordered(in, out));
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(key_consume_ordered)->Arg(15)->Arg(64)->Arg(1024);

void version_key(benchmark::State& state) {
  const std::string key = user_key(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(txn::version_key(KeyspaceId(1), key, Timestamp(1'764'000'000'000'000 << 12), RegionId(1)));
  }
}
BENCHMARK(version_key)->Arg(15)->Arg(64);

}  // namespace
}  // namespace meridian
