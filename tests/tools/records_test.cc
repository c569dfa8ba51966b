#include "tools/ctl/records.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian::ctl {
namespace {

using testing::HasSubstr;

struct All {
  std::optional<std::string> wrong;  // with the line of column names
  std::vector<Record> records;
  std::vector<BadRecord> bad;
};

All read_all(const std::string& text, RecordReader::Options options) {
  std::istringstream in(text);
  RecordReader reader(in, std::move(options));
  All all;
  all.wrong = reader.read_header();
  if (all.wrong) return all;
  for (;;) {
    auto next = reader.next();
    if (auto* record = std::get_if<Record>(&next)) {
      all.records.push_back(std::move(*record));
    } else if (auto* bad = std::get_if<BadRecord>(&next)) {
      all.bad.push_back(std::move(*bad));
    } else {
      return all;
    }
  }
}

RecordReader::Options key_value(RecordFormat format) { return {format, "key", "value"}; }

TEST(Csv, QuotesCommasLineBreaksAndCrLf) {
  const std::string text =
      "\xef\xbb\xbfvalue,key\r\n"
      "\"a, \"\"quoted\"\"\r\nand more\",k1\r\n"
      "\r\n"
      ",k2\n"
      "last without newline,k3";
  const All all = read_all(text, key_value(RecordFormat::kCsv));
  ASSERT_FALSE(all.wrong) << *all.wrong;
  ASSERT_EQ(all.records.size(), 3u);
  EXPECT_EQ(all.records[0].value, "a, \"quoted\"\r\nand more");
  EXPECT_EQ(all.records[0].line, 2u);
  EXPECT_EQ(all.records[1].key, "k2");
  EXPECT_EQ(all.records[1].value, "");
  EXPECT_EQ(all.records[1].line, 5u);
  EXPECT_EQ(all.records[2].value, "last without newline");
  EXPECT_EQ(all.records[2].end_offset, text.size());
}

TEST(Csv, BadRecordsAreNamedByLineAndReadingGoesOn) {
  const All all = read_all(
      "key,value\n"
      "one\n"
      "a\"b,x\n"
      "\"a\"b,x\n"
      ",empty key\n"
      "good,x\n"
      "\"no end,x\n",
      key_value(RecordFormat::kCsv));
  ASSERT_EQ(all.records.size(), 1u);
  EXPECT_EQ(all.records[0].key, "good");
  ASSERT_EQ(all.bad.size(), 5u);
  EXPECT_EQ(all.bad[0].line, 2u);
  EXPECT_THAT(all.bad[0].why, HasSubstr("1 field, the line of column names 2"));
  EXPECT_EQ(all.bad[1].line, 3u);
  EXPECT_EQ(all.bad[2].line, 4u);
  EXPECT_THAT(all.bad[3].why, HasSubstr("key is empty"));
  EXPECT_EQ(all.bad[4].line, 7u);
  EXPECT_THAT(all.bad[4].why, HasSubstr("does not end"));
}

TEST(Csv, WithoutAValueColumnTheRecordIsStoredAsJson) {
  const All all = read_all("id,name\n7,\"Ada \"\"L\"\"\"\n8,\xff\n", {RecordFormat::kCsv, "id", ""});
  ASSERT_EQ(all.records.size(), 1u);
  EXPECT_EQ(all.records[0].key, "7");
  EXPECT_EQ(all.records[0].value, R"({"id":"7","name":"Ada \"L\""})");
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_THAT(all.bad[0].why, HasSubstr("\"name\" is not UTF-8"));
}

TEST(Csv, NamesTheColumnsThereAre) {
  EXPECT_THAT(read_all("id,name\n", {RecordFormat::kCsv, "key", ""}).wrong.value_or(""),
              HasSubstr("there are: id, name"));
  EXPECT_THAT(read_all("", {RecordFormat::kCsv, "key", ""}).wrong.value_or(""), HasSubstr("empty"));
  EXPECT_THAT(read_all("a,a\n", {RecordFormat::kCsv, "a", ""}).wrong.value_or(""), HasSubstr("two columns"));
}

TEST(Csv, ARecordWithoutEndIsFoundBeforeMemoryIs) {
  RecordReader::Options options = key_value(RecordFormat::kCsv);
  options.max_record_bytes = 100;
  const All all = read_all("key,value\nk,\"" + std::string(1000, 'x') + "\n" + "good,x\n", options);
  ASSERT_EQ(all.bad.size(), 1u);
  EXPECT_THAT(all.bad[0].why, HasSubstr("too long"));
  EXPECT_EQ(all.records.size(), 1u);
}

TEST(Tsv, EscapesAndBadOnes) {
  const All all =
      read_all("key\tvalue\nk\\t1\ta\\nb\\\\\r\nbad\\q\tx\nonly\ncut\\\nk2\tx\n", key_value(RecordFormat::kTsv));
  ASSERT_EQ(all.records.size(), 2u);
  EXPECT_EQ(all.records[0].key, "k\t1");
  EXPECT_EQ(all.records[0].value, "a\nb\\");
  EXPECT_EQ(all.records[1].key, "k2");
  ASSERT_EQ(all.bad.size(), 3u);
  EXPECT_EQ(all.bad[2].line, 5u);
}

TEST(JsonLines, MembersNumbersAndBase64) {
  const All all = read_all(
      "{\"key\":\"a\",\"value\":\"x\"}\r\n"
      "{\"key\":7,\"value\":{\"n\":1}}\n"
      "{\"key_base64\":\"/w==\",\"value\":true}\n",
      key_value(RecordFormat::kJsonLines));
  ASSERT_EQ(all.bad.size(), 0u);
  ASSERT_EQ(all.records.size(), 3u);
  EXPECT_EQ(all.records[1].key, "7");
  EXPECT_EQ(all.records[1].value, "{\"n\":1}");
  EXPECT_EQ(all.records[2].key, "\xff");
  EXPECT_EQ(all.records[2].value, "true");
}

TEST(JsonLines, BadRecordsSayWhy) {
  const All all = read_all(
      "nonsense\n[1]\n{\"value\":1}\n{\"key\":null,\"value\":1}\n{\"key\":\"\",\"value\":1}\n"
      "{\"key_base64\":\"*\",\"value\":1}\n{\"key\":\"k\"}\n",
      key_value(RecordFormat::kJsonLines));
  EXPECT_EQ(all.records.size(), 0u);
  ASSERT_EQ(all.bad.size(), 7u);
  EXPECT_THAT(all.bad[0].why, HasSubstr("not JSON"));
  EXPECT_THAT(all.bad[1].why, HasSubstr("not a JSON object"));
  EXPECT_THAT(all.bad[2].why, HasSubstr("no \"key\""));
  EXPECT_EQ(all.bad[6].line, 7u);
}

TEST(JsonLines, WithoutAValueMemberTheLineIsTheValue) {
  const All all = read_all("{\"id\": \"a\",  \"x\":1}\r\n", {RecordFormat::kJsonLines, "id", ""});
  ASSERT_EQ(all.records.size(), 1u);
  EXPECT_EQ(all.records[0].value, "{\"id\": \"a\",  \"x\":1}");
}

TEST(JsonLines, NumbersKeepTheirBytes) {
  const All all = read_all(
      "{\"key\":12345678901234567890123,\"value\":1.10}\n"
      "{\"key\":12345678901234567890124,\"value\":1E400}\n"
      "{\"key\":-0.0,\"value\":19.99}\n"
      "{\"key\":\"o\",\"value\": {\"a\": 1.10,\t\"b\":[1e5, -0] } }\n",
      key_value(RecordFormat::kJsonLines));
  ASSERT_EQ(all.bad.size(), 0u) << all.bad[0].why;
  ASSERT_EQ(all.records.size(), 4u);
  EXPECT_EQ(all.records[0].key, "12345678901234567890123");
  EXPECT_EQ(all.records[0].value, "1.10");
  EXPECT_EQ(all.records[1].key, "12345678901234567890124");
  EXPECT_EQ(all.records[1].value, "1E400");
  EXPECT_EQ(all.records[2].key, "-0.0");
  EXPECT_EQ(all.records[2].value, "19.99");
  EXPECT_EQ(all.records[3].value, "{\"a\": 1.10,\t\"b\":[1e5, -0] }");
}

TEST(JsonLines, WhatHasNoBytesOfItsOwnIsRefusedByLine) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {R"({"key":{"a":1},"value":1})", "\"key\" is an object"},
      {R"({"key":["a"],"value":1})", "\"key\" is a list"},
      {R"({"key":"a","value":1,"key":"b"})", "two members are called \"key\""},
      {R"({"key":"a","value":1,"\u006bey":"b"})", "two members are called \"key\""},
      {R"({"key":"a","key_base64":"YQ==","value":1})", "both"},
      {R"({"key":"a","value":"\ud800"})", "half of a surrogate pair"}};
  std::string text;
  for (const auto& [line, why] : lines) text += line + "\n";
  const All all = read_all(text, key_value(RecordFormat::kJsonLines));
  EXPECT_EQ(all.records.size(), 0u);
  ASSERT_EQ(all.bad.size(), lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(all.bad[i].line, i + 1);
    EXPECT_THAT(all.bad[i].why, HasSubstr(lines[i].second));
  }
}

class AnyFormat : public testing::TestWithParam<RecordFormat> {};

TEST_P(AnyFormat, WhatIsWrittenReadsBack) {
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
  const std::vector<std::pair<std::string, std::string>> entries = {{"plain", "text"},
                                                                    {"a,b\"c", ""},
                                                                    {"line\r\nbreak\ttab\\", "\n"},
                                                                    {"ä", "\"\""},
                                                                    {"bytes" + all_bytes, all_bytes}};
  std::string text = render_record_header(GetParam());
  for (const auto& [key, value] : entries) text += render_record(GetParam(), key, value);
  const All all = read_all(text, key_value(GetParam()));
  ASSERT_EQ(all.bad.size(), 0u) << all.bad[0].why;
  ASSERT_EQ(all.records.size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(all.records[i].key, entries[i].first);
    EXPECT_EQ(all.records[i].value, entries[i].second);
  }
}

// From every record's end the rest reads the same, lines included.
TEST_P(AnyFormat, GoesOnFromAnyRecordsEnd) {
  std::string text = render_record_header(GetParam());
  for (int i = 0; i < 50; ++i) text += render_record(GetParam(), "key" + std::to_string(i), "a\nb\r\n\"c\"");
  const All whole = read_all(text, key_value(GetParam()));
  ASSERT_EQ(whole.records.size(), 50u);
  for (std::size_t i = 0; i + 1 < whole.records.size(); ++i) {
    std::istringstream in(text);
    RecordReader reader(in, key_value(GetParam()));
    ASSERT_FALSE(reader.read_header());
    ASSERT_TRUE(reader.skip_to(whole.records[i].end_offset, whole.records[i + 1].line));
    const auto next = reader.next();
    const Record* record = std::get_if<Record>(&next);
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->key, whole.records[i + 1].key);
    EXPECT_EQ(record->line, whole.records[i + 1].line);
    EXPECT_EQ(record->end_offset, whole.records[i + 1].end_offset);
  }
}

TEST_P(AnyFormat, LongFilesCrossTheBuffersEnd) {
  std::string text = render_record_header(GetParam());
  for (int i = 0; i < 3'000; ++i)
    text += render_record(GetParam(), std::to_string(i), std::string(static_cast<std::size_t>(i % 331), 'x'));
  const All all = read_all(text, key_value(GetParam()));
  ASSERT_EQ(all.bad.size(), 0u);
  ASSERT_EQ(all.records.size(), 3'000u);
  for (std::size_t i = 0; i < 3'000; ++i) ASSERT_EQ(all.records[i].value.size(), i % 331);
}

TEST_P(AnyFormat, AShorterFileThanBeforeIsNoticed) {
  std::istringstream in(render_record_header(GetParam()) + render_record(GetParam(), "k", "v"));
  RecordReader reader(in, key_value(GetParam()));
  ASSERT_FALSE(reader.read_header());
  EXPECT_FALSE(reader.skip_to(1'000'000, 1));
}

INSTANTIATE_TEST_SUITE_P(Formats, AnyFormat,
                         testing::Values(RecordFormat::kCsv, RecordFormat::kTsv, RecordFormat::kJsonLines));

}  // namespace
}  // namespace meridian::ctl
