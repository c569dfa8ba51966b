#include "tools/ctl/json_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace meridian::ctl {
namespace {

using testing::HasSubstr;

std::string wrong_with(std::string_view line) {
  const auto parsed = parse_json_line(line);
  const auto* wrong = std::get_if<std::string>(&parsed);
  return wrong == nullptr ? "" : *wrong;
}

TEST(JsonLine, TellsMembersApartAndKeepsTheirBytes) {
  const std::string line =
      " { \"s\" : \"a\\u00e4\\ud83d\\ude00\\n\\\"\\/\" ,\"n\":-12.50e+07, \"t\":true,\"f\":false,\"z\":null,"
      "\"o\": { \"x\" : [ ] } ,\"l\":[1, {\"y\":\"]\"} ],\"\":0 } ";
  const auto parsed = parse_json_line(line);
  const auto* members = std::get_if<std::vector<JsonMember>>(&parsed);
  ASSERT_NE(members, nullptr) << std::get<std::string>(parsed);
  const std::vector<std::tuple<std::string, JsonKind, std::string, std::string>> expected = {
      {"s", JsonKind::kString, "\"a\\u00e4\\ud83d\\ude00\\n\\\"\\/\"", "aä\U0001F600\n\"/"},
      {"n", JsonKind::kNumber, "-12.50e+07", ""},
      {"t", JsonKind::kBool, "true", ""},
      {"f", JsonKind::kBool, "false", ""},
      {"z", JsonKind::kNull, "null", ""},
      {"o", JsonKind::kObject, "{ \"x\" : [ ] }", ""},
      {"l", JsonKind::kArray, "[1, {\"y\":\"]\"} ]", ""},
      {"", JsonKind::kNumber, "0", ""}};
  ASSERT_EQ(members->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [name, kind, raw, text] = expected[i];
    EXPECT_EQ((*members)[i].name, name);
    EXPECT_EQ((*members)[i].kind, kind) << name;
    EXPECT_EQ((*members)[i].raw, raw);
    EXPECT_EQ((*members)[i].text, text);
  }
}

TEST(JsonLine, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(wrong_with("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(wrong_with("\xff"), HasSubstr("not UTF-8"));
  EXPECT_THAT(wrong_with("{\"a\":1} x"), HasSubstr("behind the end of the object at byte 9"));
  EXPECT_THAT(wrong_with("{\"a\":01}"), HasSubstr("begins with 0"));
  EXPECT_THAT(wrong_with("{\"a\":\"x"), HasSubstr("does not end"));
  EXPECT_THAT(wrong_with("{\"a\":1,\"a\":1}"), HasSubstr("two members"));
  EXPECT_EQ(wrong_with("{\"a\":{\"b\":1,\"b\":1}}"), "");  // its bytes are kept as they are
}

// What one parser takes for JSON, the other does too.
TEST(JsonLine, AgreesWithAnotherParser) {
  const std::vector<std::string> values = {"0",
                                           "-0",
                                           "-",
                                           "+1",
                                           ".5",
                                           "1.",
                                           "1.5",
                                           "1e5",
                                           "1e",
                                           "1E+",
                                           "1e-7",
                                           "00",
                                           "0x10",
                                           "NaN",
                                           "tru",
                                           "true",
                                           "nul",
                                           "null",
                                           "\"\"",
                                           "\"\\q\"",
                                           "\"\t\"",
                                           "\"\\u12\"",
                                           "\"\\u0000\"",
                                           "[",
                                           "[]",
                                           "[1,]",
                                           "[,1]",
                                           "[1 2]",
                                           "{",
                                           "{}",
                                           "{1:2}",
                                           "{\"a\"}",
                                           "{\"a\":}",
                                           "{\"a\":1,}",
                                           "[{}]",
                                           "[[[[]]]]",
                                           "]",
                                           "\"a\"b",
                                           "",
                                           " 1 ",
                                           "[}",
                                           "{]",
                                           "\"\\ud800\\u0041\"",
                                           "\"\\udc00\"",
                                           "\"\\ud83d\\ude00\""};
  for (const std::string& value : values) {
    const std::string line = "{\"a\":" + value + "}";
    boost::json::error_code error;
    (void)boost::json::parse(line, error);
    EXPECT_EQ(wrong_with(line).empty(), !error) << line << ": " << wrong_with(line);
  }
}

TEST(JsonLine, DepthIsBounded) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(wrong_with(nested(200)), "");
  EXPECT_THAT(wrong_with(nested(201)), HasSubstr("200"));
  EXPECT_THAT(wrong_with(nested(1'000'000)), HasSubstr("200"));
}

}  // namespace
}  // namespace meridian::ctl
