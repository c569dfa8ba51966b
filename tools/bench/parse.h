// What stands behind the flags: numbers, times, lists, mixes. Pure. Errors are kInvalidArgument and name the value and
// the limit; the flag is the caller's to name.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/bench/workload.h"

namespace meridian::bench {

// Without empty items: "a,b," is a and b.
std::vector<std::string> split_at_commas(std::string_view text);

Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min, std::uint64_t max);
Result<double> parse_number(std::string_view text, double min, double max);
// "64,256": at least one number, none twice.
Result<std::vector<std::uint64_t>> parse_counts(std::string_view text, std::uint64_t min, std::uint64_t max);
// "500ms", "10s", "2m", "10"; at most a day.
Result<std::chrono::milliseconds> parse_time(std::string_view text, std::chrono::milliseconds min);
// "get=95,insert=5".
Result<Mix> parse_weights(std::string_view text);
// "100", or "1..100".
Result<ScanLength> parse_scan_length(std::string_view text);

}  // namespace meridian::bench
