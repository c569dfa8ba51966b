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

// "250ms", "10s", "2m", "1h", or a number of seconds; at least 1 ms, at most a day.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// Without empty items: "a,b," is a and b.
std::vector<std::string> split(std::string_view text, char separator);

// The first key after every key that starts with this prefix; empty: there is none.
std::string prefix_end(std::string prefix);

}  // namespace meridian::ctl
