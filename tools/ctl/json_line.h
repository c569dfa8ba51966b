// One line of a JSON-lines file: a JSON object (RFC 8259) whose members can be told apart without their values being
// rendered anew. A parser that makes numbers of numbers cannot give their bytes back: 1.10 becomes 1.1E0, and of two
// integers beyond 2^64 one. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace meridian::ctl {

enum class JsonKind : std::uint8_t { kString, kNumber, kBool, kNull, kObject, kArray };

struct JsonMember {
  std::string name;
  JsonKind kind = JsonKind::kNull;
  std::string_view raw;  // of the line, without the white space around
  std::string text;      // of a string: what it says; else empty
};

// The members in their order; or what is wrong with the line. No two have the same name: which of them is meant
// nobody could say. Values inside of values may be nested 200 deep.
std::variant<std::vector<JsonMember>, std::string> parse_json_line(std::string_view line);

}  // namespace meridian::ctl
