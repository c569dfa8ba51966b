#include "tools/ctl/json_line.h"

#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

constexpr std::size_t kMaxDepth = 200;

bool is_digit(int c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  }
}

// Answers of its functions: false, or nothing, where it is no JSON; why_ says why, once.
class Scanner {
 public:
  explicit Scanner(std::string_view line) : line_(line) {}

  std::variant<std::vector<JsonMember>, std::string> run() {
    if (!is_utf8(line_)) return "not JSON: it is not UTF-8";
    skip_space();
    if (peek() != '{') {
      if (!value() || !at_end()) return why_;
      return "not a JSON object";
    }
    std::vector<JsonMember> members;
    if (!object_members(members) || !at_end()) return why_;
    return members;
  }

 private:
  int peek() const { return at_ < line_.size() ? static_cast<unsigned char>(line_[at_]) : -1; }
  bool take(char wanted) {
    if (peek() != static_cast<unsigned char>(wanted)) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }
  bool wrong(std::string_view why) {
    if (why_.empty()) why_ = fmt::format("not JSON: {} at byte {}", why, at_ + 1);
    return false;
  }
  bool at_end() {
    skip_space();
    return at_ == line_.size() || wrong("text behind the end of the object");
  }

  bool object_members(std::vector<JsonMember>& members) {
    take('{');
    skip_space();
    if (take('}')) return true;
    for (;;) {
      JsonMember member;
      if (!string(&member.name) || !colon()) return false;
      if (!names_.insert(member.name).second) {
        why_ = fmt::format("two members are called \"{}\"", escape(member.name));
        return false;
      }
      if (!member_value(member)) return false;
      members.push_back(std::move(member));
      skip_space();
      if (take('}')) return true;
      if (!take(',')) return wrong("neither , nor } behind a member");
      skip_space();
    }
  }

  bool colon() {
    skip_space();
    if (!take(':')) return wrong("no : behind a member's name");
    skip_space();
    return true;
  }

  bool member_value(JsonMember& member) {
    const std::size_t begin = at_;
    switch (peek()) {
      case '"': member.kind = JsonKind::kString; break;
      case '{': member.kind = JsonKind::kObject; break;
      case '[': member.kind = JsonKind::kArray; break;
      case 't':
      case 'f': member.kind = JsonKind::kBool; break;
      case 'n': member.kind = JsonKind::kNull; break;
      default: member.kind = JsonKind::kNumber; break;
    }
    if (member.kind == JsonKind::kString ? !string(&member.text) : !value()) return false;
    member.raw = line_.substr(begin, at_ - begin);
    return true;
  }

  // Any value, with all that is in it. Its own stack: a file must not decide how deep this program's goes.
  bool value() {
    std::string open;  // the brackets around
    for (;;) {
      skip_space();
      if (peek() == '{' || peek() == '[') {
        if (open.size() == kMaxDepth) return wrong(fmt::format("values nested more than {} deep", kMaxDepth));
        open += line_[at_++];
        skip_space();
        if (!take(closing(open.back()))) {
          if (!begin_item(open.back())) return false;
          continue;
        }
        open.pop_back();
      } else if (!scalar()) {
        return false;
      }
      for (;;) {  // behind a value
        if (open.empty()) return true;
        skip_space();
        if (take(',')) {
          skip_space();
          if (!begin_item(open.back())) return false;
          break;
        }
        if (!take(closing(open.back())))
          return wrong(fmt::format("neither , nor {} behind a value", closing(open.back())));
        open.pop_back();
      }
    }
  }

  static char closing(char bracket) { return bracket == '{' ? '}' : ']'; }
  bool begin_item(char bracket) { return bracket == '[' || (string(nullptr) && colon()); }

  bool scalar() {
    if (peek() == '"') return string(nullptr);
    for (const std::string_view word : {"true", "false", "null"}) {
      if (line_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return true;
    }
    return number();
  }

  bool digits() {
    if (!is_digit(peek())) return wrong(at_ == line_.size() ? "it ends in the middle" : "no value that JSON knows");
    while (is_digit(peek())) ++at_;
    return true;
  }

  bool number() {
    take('-');
    if (take('0')) {
      if (is_digit(peek())) return wrong("a number that begins with 0");
    } else if (!digits()) {
      return false;
    }
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  bool string(std::string* out) {
    if (!take('"')) return wrong(at_ == line_.size() ? "it ends in the middle" : "no string where one has to be");
    for (;;) {
      const int c = peek();
      if (c == -1) return wrong("a string does not end");
      if (c < 0x20) return wrong("a control character in a string");
      ++at_;
      if (c == '"') return true;
      if (c == '\\') {
        if (!escaped(out)) return false;
      } else if (out != nullptr) {
        *out += static_cast<char>(c);
      }
    }
  }

  bool escaped(std::string* out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    const int c = peek();
    if (c == 'u') {
      ++at_;
      return code_point(out);
    }
    const std::size_t letter = c == -1 ? std::string_view::npos : kLetters.find(static_cast<char>(c));
    if (letter == std::string_view::npos) return wrong("an escape that JSON does not know");
    ++at_;
    if (out != nullptr) *out += kMeant[letter];
    return true;
  }

  std::optional<std::uint32_t> hex4() {
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) {
      const int c = peek();
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      unit = unit << 4 | static_cast<std::uint32_t>(digit);
      ++at_;
    }
    return unit;
  }

  // Behind \u. Half of a surrogate pair is no character, and has no bytes.
  bool code_point(std::string* out) {
    auto code = hex4();
    if (!code) return wrong("\\u without four hexadecimal digits");
    if (*code >= 0xd800 && *code < 0xdc00) {
      const auto low = take('\\') && take('u') ? hex4() : std::nullopt;
      if (!low || *low < 0xdc00 || *low > 0xdfff) return wrong("half of a surrogate pair");
      code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
    } else if (*code >= 0xdc00 && *code <= 0xdfff) {
      return wrong("half of a surrogate pair");
    }
    if (out != nullptr) append_utf8(*out, *code);
    return true;
  }

  std::string_view line_;
  std::size_t at_ = 0;
  std::unordered_set<std::string> names_;  // of the members so far
  std::string why_;
};

}  // namespace

std::variant<std::vector<JsonMember>, std::string> parse_json_line(std::string_view line) {
  return Scanner(line).run();
}

}  // namespace meridian::ctl
