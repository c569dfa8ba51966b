#include "tools/bench/parse.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace meridian::bench {

namespace {

constexpr std::uint64_t kMaxScanLength = 1'000'000;
constexpr double kMaxWeight = 1e6;
constexpr std::int64_t kDayMs = 86'400'000;

template <class T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string show(std::chrono::milliseconds time) {
  return time.count() % 1'000 == 0 ? fmt::format("{}s", time.count() / 1'000) : fmt::format("{}ms", time.count());
}

}  // namespace

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> items(1);
  for (const char c : text) {
    if (c == ',') {
      items.emplace_back();
    } else {
      items.back() += c;
    }
  }
  std::erase_if(items, [](const std::string& item) { return item.empty(); });
  return items;
}

Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min, std::uint64_t max) {
  const auto value = number_of<std::uint64_t>(text);
  const bool octal_perhaps = text.size() > 1 && text[0] == '0';  // 010 is 8 to some and 10 to others
  if (!value || octal_perhaps || *value < min || *value > max) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a whole number from {} to {}", text, min, max));
  }
  return *value;
}

Result<double> parse_number(std::string_view text, double min, double max) {
  const auto value = number_of<double>(text);
  if (!value || !(*value >= min && *value <= max)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a number from {} to {}", text, min, max));
  }
  return *value;
}

Result<std::vector<std::uint64_t>> parse_counts(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::vector<std::uint64_t> counts;
  for (const std::string& item : split_at_commas(text)) {
    ASSIGN_OR_RETURN(const std::uint64_t count, parse_count(item, min, max));
    if (std::ranges::find(counts, count) != counts.end()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} stands twice in '{}'", count, text));
    }
    counts.push_back(count);
  }
  if (counts.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no list of whole numbers from {} to {}, with commas between", text, min, max));
  }
  return counts;
}

Result<std::chrono::milliseconds> parse_time(std::string_view text, std::chrono::milliseconds min) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view unit = text.substr(digits);
  const auto value = number_of<double>(text.substr(0, digits));
  const double ms = unit == "ms" ? 1 : unit == "s" || unit.empty() ? 1'000 : unit == "m" ? 60'000 : -1;
  const double time = value.value_or(-1) * ms;
  if (!value || ms < 0 || !(time >= static_cast<double>(min.count()) && time <= static_cast<double>(kDayMs))) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a time from {} to {}s, such as 500ms, 10s or 2m",
                                                         text, show(min), kDayMs / 1000));
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(time));
}

Result<Mix> parse_weights(std::string_view text) {
  Mix mix;
  std::vector<OpKind> given;
  for (const std::string& item : split_at_commas(text)) {
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string_view name = std::string_view(item).substr(0, equals);
    const auto kind = std::ranges::find_if(kAllKinds, [&](OpKind each) { return name_of(each) == name; });
    if (equals == item.size() || kind == kAllKinds.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is not KIND=WEIGHT with get, put, scan, insert, rmw or batch as the kind", item));
    }
    if (std::ranges::find(given, *kind) != given.end()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} stands twice in '{}'", name, text));
    }
    given.push_back(*kind);
    ASSIGN_OR_RETURN(mix.weight(*kind), parse_number(std::string_view(item).substr(equals + 1), 0, kMaxWeight));
  }
  if (mix.kinds() == 0) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' gives no kind of operation a weight above 0", text));
  }
  return mix;
}

Result<ScanLength> parse_scan_length(std::string_view text) {
  const std::size_t dots = text.find("..");
  ScanLength length;
  ASSIGN_OR_RETURN(length.min, parse_count(text.substr(0, dots), 1, kMaxScanLength));
  length.max = length.min;
  if (dots != std::string_view::npos) {
    ASSIGN_OR_RETURN(length.max, parse_count(text.substr(dots + 2), length.min, kMaxScanLength));
  }
  return length;
}

}  // namespace meridian::bench
