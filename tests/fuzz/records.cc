// tools/ctl/records: the files that meridianctl imports. Reading ends, offsets only grow, going on from the end of any
// record gives what reading straight through gives, and what is written reads back.
#include <sstream>
#include <variant>

#include "tests/fuzz/fuzz.h"
#include "tools/ctl/records.h"

namespace meridian::fuzz {
namespace {

using namespace ctl;

struct Item {
  std::string key, value, why;
  std::uint64_t line = 0, end = 0;
  friend bool operator==(const Item&, const Item&) = default;
};

std::optional<Item> next(RecordReader& reader) {
  auto item = reader.next();
  if (const auto* record = std::get_if<Record>(&item)) {
    return Item{record->key, record->value, "", record->line, record->end_offset};
  }
  if (const auto* bad = std::get_if<BadRecord>(&item)) return Item{"", "", bad->why, bad->line, bad->end_offset};
  return std::nullopt;
}

void import(std::string_view bytes) {
  Input in(bytes);
  RecordReader::Options options{.format = static_cast<RecordFormat>(in.byte() % 3), .key_column = "key"};
  const std::uint8_t how = in.byte();
  if (how % 2 == 0) options.value_column = "value";
  options.max_record_bytes = how % 4 < 2 ? 64 : std::size_t{16} << 20;
  const std::string text(in.rest());
  std::istringstream stream(text);
  RecordReader reader(stream, options);
  if (reader.read_header()) return;
  std::vector<Item> items;
  std::vector<std::uint64_t> lines;
  std::uint64_t last = reader.offset();
  while (auto item = next(reader)) {
    CHECK(item->end > last && item->end <= text.size());
    CHECK(item->why.empty() || item->key.empty());
    last = item->end;
    items.push_back(std::move(*item));
    lines.push_back(reader.line());
  }
  if (items.empty()) return;
  const std::size_t from = how % items.size();
  std::istringstream second(text);
  RecordReader resumed(second, options);
  CHECK(!resumed.read_header());
  CHECK(resumed.skip_to(items[from].end, lines[from]));
  for (std::size_t i = from + 1; i < items.size(); ++i) CHECK(next(resumed) == items[i]);
  CHECK(!next(resumed));
}

void export_and_back(std::string_view bytes) {
  Input in(bytes);
  const auto format = static_cast<RecordFormat>(in.byte() % 3);
  const std::string key = "k" + std::string(in.string()), value(in.string());  // an empty one is refused
  std::istringstream stream(render_record_header(format) + render_record(format, key, value));
  RecordReader reader(stream, {.format = format, .key_column = "key", .value_column = "value"});
  CHECK(!reader.read_header());
  const auto item = reader.next();
  const auto* record = std::get_if<Record>(&item);
  CHECK(record != nullptr && record->key == key && record->value == value);
}

constexpr Decoder kDecoders[] = {import, import, import, export_and_back};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
