#include "tools/ctl/records.h"

#include <algorithm>
#include <istream>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "tools/ctl/json_line.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;

// JSON holds text only; other bytes of a CSV field become U+FFFD there, so they are refused instead.
std::optional<std::string> record_as_json(const std::vector<std::string>& columns,
                                          const std::vector<std::string>& fields, std::string& out) {
  boost::json::object object;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!is_utf8(fields[i])) {
      return fmt::format("column \"{}\" is not UTF-8, and the whole record is stored as JSON: name one with --value",
                         columns[i]);
    }
    object[columns[i]] = fields[i];
  }
  out = boost::json::serialize(object);
  return std::nullopt;
}

// The bytes of a member: what a string says, of all else what stands in the file; NAME_base64 decoded.
std::optional<std::string> member_bytes(const std::vector<JsonMember>& members, const std::string& name,
                                        std::string& out) {
  const auto find = [&](const std::string& wanted) -> const JsonMember* {
    const auto found = std::ranges::find(members, wanted, &JsonMember::name);
    return found == members.end() ? nullptr : &*found;
  };
  const JsonMember* member = find(name);
  const JsonMember* encoded = find(name + "_base64");
  if (member == nullptr && encoded == nullptr) return fmt::format("it has no \"{}\"", name);
  if (member != nullptr && encoded != nullptr) return fmt::format("it has both \"{0}\" and \"{0}_base64\"", name);
  if (member != nullptr) {
    if (member->kind == JsonKind::kNull) return fmt::format("\"{}\" is null", name);
    out = member->kind == JsonKind::kString ? member->text : std::string(member->raw);
    return std::nullopt;
  }
  auto bytes = encoded->kind == JsonKind::kString ? from_base64(encoded->text) : std::nullopt;
  if (!bytes) return fmt::format("\"{}_base64\" is not base64", name);
  out = std::move(*bytes);
  return std::nullopt;
}

// Objects and lists are written in many ways that mean the same: as keys they would be different ones.
std::optional<std::string> check_key_member(const std::vector<JsonMember>& members, const std::string& name) {
  const auto found = std::ranges::find(members, name, &JsonMember::name);
  if (found == members.end()) return std::nullopt;
  if (found->kind == JsonKind::kObject) return fmt::format("\"{}\" is an object, which is no key", name);
  if (found->kind == JsonKind::kArray) return fmt::format("\"{}\" is a list, which is no key", name);
  return std::nullopt;
}

void append_csv(std::string& out, std::string_view field) {
  // An empty field is quoted so that a record of one never looks like an empty line.
  if (!field.empty() && field.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += field;
    return;
  }
  out += '"';
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_tsv(std::string& out, std::string_view field) {
  for (const char c : field) {
    switch (c) {
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\\': out += "\\\\"; break;
      default: out += c;
    }
  }
}

}  // namespace

std::optional<RecordFormat> parse_format(std::string_view name) {
  if (name == "csv") return RecordFormat::kCsv;
  if (name == "tsv") return RecordFormat::kTsv;
  if (name == "jsonl") return RecordFormat::kJsonLines;
  return std::nullopt;
}

RecordReader::RecordReader(std::istream& in, Options options) : in_(in), options_(std::move(options)) {}

bool RecordReader::failed() const { return in_.bad(); }

int RecordReader::peek() {
  if (position_ == buffer_.size()) {
    buffer_.resize(kChunk);
    in_.read(buffer_.data(), static_cast<std::streamsize>(kChunk));
    buffer_.resize(static_cast<std::size_t>(std::max<std::streamsize>(in_.gcount(), 0)));
    position_ = 0;
    if (buffer_.empty()) return kEnd;
  }
  return static_cast<unsigned char>(buffer_[position_]);
}

int RecordReader::take() {
  const int c = peek();
  if (c == kEnd) return kEnd;
  ++position_;
  ++offset_;
  ++record_bytes_;
  if (c == '\n') ++line_;
  return c;
}

// A \r that no \n follows is content in quoted fields only; elsewhere it ends a line too.
bool RecordReader::at_line_end() {
  const int c = peek();
  return c == '\n' || c == '\r' || c == kEnd;
}

void RecordReader::take_line_end() {
  if (peek() == '\r') take();
  if (peek() == '\n') take();
}

void RecordReader::skip_line() {
  while (peek() != '\n' && peek() != kEnd) take();
  take();
}

std::optional<std::string> RecordReader::read_csv_field(std::string& field) {
  if (peek() != '"') {
    while (!at_line_end() && peek() != ',') {
      if (peek() == '"') return "a quote inside a field that does not begin with one";
      field += static_cast<char>(take());
      if (record_bytes_ > options_.max_record_bytes) return "the record is too long";
    }
    return std::nullopt;
  }
  take();
  for (;;) {
    const int c = take();
    if (c == kEnd) return "a quoted field does not end";
    if (record_bytes_ > options_.max_record_bytes) return "the record is too long: does a quoted field not end?";
    if (c != '"') {
      field += static_cast<char>(c);
    } else if (peek() == '"') {
      take();
      field += '"';
    } else {
      break;
    }
  }
  if (!at_line_end() && peek() != ',') return "text behind the closing quote of a field";
  return std::nullopt;
}

std::optional<std::string> RecordReader::read_tsv_field(std::string& field) {
  while (!at_line_end() && peek() != '\t') {
    char c = static_cast<char>(take());
    if (c == '\\') {
      switch (take()) {
        case 't': c = '\t'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case '\\': c = '\\'; break;
        default: return "a backslash that begins none of \\t, \\n, \\r and \\\\";
      }
    }
    field += c;
    if (record_bytes_ > options_.max_record_bytes) return "the record is too long";
  }
  return std::nullopt;
}

std::optional<std::string> RecordReader::read_line(std::string& line) {
  while (peek() != '\n' && peek() != kEnd) {
    line += static_cast<char>(take());
    if (record_bytes_ > options_.max_record_bytes) return "the record is too long";
  }
  take();
  if (line.ends_with('\r')) line.pop_back();
  return std::nullopt;
}

std::optional<std::string> RecordReader::read_fields(std::vector<std::string>& fields) {
  if (options_.format == RecordFormat::kJsonLines) {
    fields.emplace_back();
    return read_line(fields.back());
  }
  const char separator = options_.format == RecordFormat::kCsv ? ',' : '\t';
  for (;;) {
    fields.emplace_back();
    auto wrong = separator == ',' ? read_csv_field(fields.back()) : read_tsv_field(fields.back());
    if (wrong) return wrong;
    if (peek() != separator) break;
    take();
  }
  take_line_end();
  return std::nullopt;
}

std::optional<std::string> RecordReader::read_header() {
  if (peek() == 0xef && buffer_.size() >= 3 && buffer_.compare(0, 3, "\xef\xbb\xbf") == 0) {
    for (int i = 0; i < 3; ++i) take();
  }
  if (options_.format == RecordFormat::kJsonLines) return std::nullopt;
  while (peek() != kEnd && at_line_end()) take_line_end();
  if (peek() == kEnd) return "the file is empty: it has no line of column names";
  if (auto wrong = read_fields(columns_)) return "the line of column names: " + *wrong;
  const auto find = [&](const std::string& name, std::size_t& index) -> std::optional<std::string> {
    const auto found = std::ranges::find(columns_, name);
    if (found == columns_.end()) {
      return fmt::format("there is no column \"{}\"; there are: {}", escape(name), [&] {
        std::string all;
        for (const std::string& column : columns_) all += (all.empty() ? "" : ", ") + escape(column);
        return all;
      }());
    }
    index = static_cast<std::size_t>(found - columns_.begin());
    return std::nullopt;
  };
  if (auto wrong = find(options_.key_column, key_index_)) return wrong;
  if (!options_.value_column.empty()) return find(options_.value_column, value_index_);
  for (const std::string& column : columns_) {
    if (!is_utf8(column)) return "a column's name is not UTF-8";
    if (std::ranges::count(columns_, column) > 1) return fmt::format("two columns are called \"{}\"", column);
  }
  return std::nullopt;
}

bool RecordReader::skip_to(std::uint64_t offset, std::uint64_t line) {
  while (offset_ < offset) {
    if (peek() == kEnd) return false;
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size() - position_, offset - offset_));
    position_ += step;
    offset_ += step;
  }
  line_ = line;
  return offset_ == offset;
}

std::variant<Record, BadRecord, RecordsEnd> RecordReader::next() {
  while (peek() == '\n' || peek() == '\r') take_line_end();
  if (peek() == kEnd) return RecordsEnd{};
  record_bytes_ = 0;
  Record record;
  record.line = line_;
  std::vector<std::string> fields;
  auto wrong = read_fields(fields);
  if (wrong) {
    // On with the next line; where the trouble came with its end, that is done already.
    if (offset_ == 0 || position_ == 0 || buffer_[position_ - 1] != '\n') skip_line();
  } else {
    wrong = options_.format == RecordFormat::kJsonLines ? make_record_of_json(std::move(fields[0]), record)
                                                        : make_record(fields, record);
  }
  if (!wrong && record.key.empty()) wrong = "the key is empty";
  if (wrong) return BadRecord{record.line, offset_, std::move(*wrong)};
  record.end_offset = offset_;
  return record;
}

std::optional<std::string> RecordReader::make_record(std::vector<std::string>& fields, Record& record) const {
  if (fields.size() != columns_.size()) {
    return fmt::format("it has {} {}, the line of column names {}", fields.size(),
                       fields.size() == 1 ? "field" : "fields", columns_.size());
  }
  record.key = fields[key_index_];
  if (options_.value_column.empty()) return record_as_json(columns_, fields, record.value);
  record.value = std::move(fields[value_index_]);
  return std::nullopt;
}

std::optional<std::string> RecordReader::make_record_of_json(std::string line, Record& record) const {
  auto parsed = parse_json_line(line);
  if (auto* wrong = std::get_if<std::string>(&parsed)) return std::move(*wrong);
  const auto& members = std::get<std::vector<JsonMember>>(parsed);
  if (auto wrong = check_key_member(members, options_.key_column)) return wrong;
  if (auto wrong = member_bytes(members, options_.key_column, record.key)) return wrong;
  if (!options_.value_column.empty()) return member_bytes(members, options_.value_column, record.value);
  record.value = std::move(line);
  return std::nullopt;
}

std::string render_record_header(RecordFormat format) {
  switch (format) {
    case RecordFormat::kCsv: return "key,value\n";
    case RecordFormat::kTsv: return "key\tvalue\n";
    case RecordFormat::kJsonLines: return {};
  }
  return {};
}

std::string render_record(RecordFormat format, std::string_view key, std::string_view value) {
  std::string out;
  out.reserve(key.size() + value.size() + 32);
  if (format == RecordFormat::kCsv) {
    append_csv(out, key);
    out += ',';
    append_csv(out, value);
  } else if (format == RecordFormat::kTsv) {
    append_tsv(out, key);
    out += '\t';
    append_tsv(out, value);
  } else {
    boost::json::object object;
    const auto put = [&](const char* name, std::string_view bytes) {
      if (is_utf8(bytes)) {
        object[name] = bytes;
      } else {
        object[std::string(name) + "_base64"] = to_base64(bytes);
      }
    };
    put("key", key);
    put("value", value);
    out += boost::json::serialize(object);
  }
  return out + "\n";
}

}  // namespace meridian::ctl
