// Bytes, times and sizes as people and JSON see them. Pure functions.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meridian::ctl {

// Well-formed UTF-8: what a JSON string can hold.
bool is_utf8(std::string_view bytes);
// UTF-8 without control characters (with keep_newlines: but for tab and newline).
bool is_printable(std::string_view bytes, bool keep_newlines = false);

// Printable text stays as it is, but for backslashes; else \n, \t, \r, \\ and \xNN. unescape() takes it back;
// nullopt for a backslash that starts none of these.
std::string escape(std::string_view bytes, bool keep_newlines = false);
std::optional<std::string> unescape(std::string_view text);

std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

// In characters, taking every code point as one.
std::size_t display_width(std::string_view utf8);
// At most that many characters, the last one "…" where something was cut off.
std::string shorten(std::string_view utf8, std::size_t width);

// "512 B", "1.5 MiB".
std::string format_bytes(std::uint64_t bytes);
// "3.2 s", "4 min 10 s", "2 h 5 min".
std::string format_duration(std::chrono::milliseconds duration);
// "2026-11-24T10:05:00.123456Z".
std::string format_time(std::uint64_t us_since_1970);

// A text of the cluster with its timestamps, "1764000000123456.7", as everything else here shows them:
// "2025-11-24T16:00:00.123456Z (7225344000505675783)".
std::string with_shown_times(std::string_view text);
// As format_time() writes it, with up to 6 digits behind the point or none; nullopt for anything else.
std::optional<std::uint64_t> parse_time(std::string_view text);

// Decimal digits without sign and without zeros in front: what other programs take for octal or hexadecimal, or
// wrap around, is nullopt, never another number.
std::optional<std::uint64_t> parse_decimal(std::string_view text);

// 1234567 is "1,234,567".
std::string format_count(std::uint64_t count);
// "1 entry", "2,000 entries".
std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

// "250ms", "10s", "2m", "1h", or a number of seconds; at least 1 ms, at most a day.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// Without empty items: "a,b," is a and b.
std::vector<std::string> split(std::string_view text, char separator);

// The first key after every key that starts with this prefix; empty: there is none.
std::string prefix_end(std::string prefix);

}  // namespace meridian::ctl
