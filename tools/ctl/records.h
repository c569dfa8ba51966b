// Reads the records of a CSV (RFC 4180), TSV or JSON-lines file one by one, and knows of each where it
// ends, so that reading can go on from there. One thread; no clock.
//
// CSV and TSV begin with a line of column names. CSV: fields may be quoted and then hold commas, quotes
// (doubled) and line breaks. TSV: \t, \n, \r and \\ are written so. Lines end with \n or \r\n; empty ones
// are passed over; a byte order mark before the first is too.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace meridian::ctl {

enum class RecordFormat : std::uint8_t { kCsv, kTsv, kJsonLines };
// "csv", "tsv", "jsonl"
std::optional<RecordFormat> parse_format(std::string_view name);

struct Record {
  std::string key;
  std::string value;
  std::uint64_t line = 0;        // where it begins, from 1
  std::uint64_t end_offset = 0;  // bytes from the start of the file
};

// A record that cannot be used; reading goes on behind it.
struct BadRecord {
  std::uint64_t line = 0;
  std::uint64_t end_offset = 0;
  std::string why;
};

struct RecordsEnd {};

class RecordReader {
 public:
  struct Options {
    RecordFormat format = RecordFormat::kCsv;
    std::string key_column;
    // Empty: the value is the whole record, as a JSON object (of JSON lines: the line as it is).
    std::string value_column;
    std::size_t max_record_bytes = std::size_t{16} << 20;
  };
  // in must outlive it.
  RecordReader(std::istream& in, Options options);

  // Reads the line of column names (of JSON lines: nothing). Answers what is wrong with it. Call it first.
  std::optional<std::string> read_header();

  // Goes on behind an end_offset of an earlier run. Answers false where the file ends before.
  // Requires: read_header() was called, and no record was read.
  bool skip_to(std::uint64_t offset, std::uint64_t line);

  std::variant<Record, BadRecord, RecordsEnd> next();

  std::uint64_t offset() const { return offset_; }
  std::uint64_t line() const { return line_; }
  // The medium failed; next() then answers RecordsEnd.
  bool failed() const;

 private:
  static constexpr int kEnd = -1;
  int peek();
  int take();
  bool at_line_end();
  void take_line_end();
  void skip_line();
  // One CSV or TSV record, or one line of text. Answers what is wrong.
  std::optional<std::string> read_fields(std::vector<std::string>& fields);
  std::optional<std::string> read_csv_field(std::string& field);
  std::optional<std::string> read_tsv_field(std::string& field);
  std::optional<std::string> read_line(std::string& line);
  std::optional<std::string> make_record(std::vector<std::string>& fields, Record& record) const;
  std::optional<std::string> make_record_of_json(std::string line, Record& record) const;

  std::istream& in_;
  Options options_;
  std::vector<std::string> columns_;
  std::size_t key_index_ = 0;
  std::size_t value_index_ = 0;
  std::string buffer_;
  std::size_t position_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t line_ = 1;
  std::size_t record_bytes_ = 0;
};

// One record with the columns key and value; read back it gives the same bytes.
std::string render_record_header(RecordFormat format);
std::string render_record(RecordFormat format, std::string_view key, std::string_view value);

}  // namespace meridian::ctl
