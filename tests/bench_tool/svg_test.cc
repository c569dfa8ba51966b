#include "tools/bench/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/bench/axis.h"

namespace meridian::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

std::vector<Second> make_series(std::uint64_t seconds) {
  std::vector<Second> series(seconds);
  for (std::uint64_t i = 0; i < seconds; ++i) {
    series[i] = {.second = i, .ops = 1'000 + i, .p50_ns = 1'000'000, .p99_ns = 5'000'000, .p999_ns = 9'000'000};
  }
  return series;
}

TEST(Svg, HasTwoPanelsWithUnitsAndACurveForEachPercentile) {
  const std::string svg = render_svg("a & <b>", make_series(10));
  EXPECT_THAT(svg, testing::StartsWith("<svg xmlns="));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  EXPECT_THAT(svg, HasSubstr("a &amp; &lt;b&gt;"));
  EXPECT_THAT(svg, HasSubstr("operations per second"));
  EXPECT_THAT(svg, HasSubstr("latency in ms"));
  EXPECT_THAT(svg, HasSubstr("time in seconds"));
  EXPECT_EQ(count(svg, "class=\"curve\""), 4u);  // answered; p50, p99, p99.9
  EXPECT_THAT(svg, Not(HasSubstr(">failed<")));
  EXPECT_EQ(count(svg, "<g "), count(svg, "</g>"));
}

TEST(Svg, ShowsErrorsAndDroppedRequestsIfThereAreAny) {
  auto series = make_series(10);
  series[3].errors = 5;
  series[4].dropped = 6;
  const std::string svg = render_svg("t", series);
  EXPECT_THAT(svg, HasSubstr(">failed<"));
  EXPECT_THAT(svg, HasSubstr(">not sent<"));
  EXPECT_EQ(count(svg, "class=\"curve\""), 6u);
}

TEST(Svg, AnOutageInterruptsTheLatenciesButNotTheThroughput) {
  auto series = make_series(10);
  series[5] = {.second = 5};
  const std::string svg = render_svg("t", series);
  // Each latency begins anew behind the gap; the throughput falls to zero in one line.
  std::size_t moves = 0;
  for (std::size_t at = svg.find("d=\""); at != std::string::npos; at = svg.find("d=\"", at + 1)) {
    const std::string path = svg.substr(at + 3, svg.find('"', at + 3) - at - 3);
    moves += count(path, "M");
  }
  EXPECT_EQ(moves, 1u + 3 * 2);
}

TEST(Svg, NothingToShowIsAPictureToo) {
  for (const auto& series : {std::vector<Second>(), std::vector<Second>{{.second = 0}}}) {
    const std::string svg = render_svg("t", series);
    EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(Axis, LinearMarksAreRoundAndReachAboveTheGreatest) {
  EXPECT_THAT(linear_axis(9.3, 5).marks, ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(linear_axis(1'000, 5).marks, ElementsAre(0, 200, 400, 600, 800, 1'000));
  EXPECT_EQ(linear_axis(0, 5).low, 0);
  EXPECT_GT(linear_axis(0, 5).high, 0);
  EXPECT_DOUBLE_EQ(linear_axis(10, 5).position(5), 0.5);
}

TEST(Axis, LogarithmicMarksCoverWholeDecades) {
  EXPECT_THAT(log_axis(2, 30).marks, ElementsAre(1, 2, 5, 10, 20, 50, 100));
  EXPECT_THAT(log_axis(1, 1).marks, ElementsAre(1, 2, 5, 10));
  EXPECT_EQ(log_axis(0.02, 900).marks.size(), 6u);
  EXPECT_DOUBLE_EQ(log_axis(1, 100).position(10), 0.5);
}

TEST(Axis, MarksAreShort) {
  EXPECT_EQ(format_mark(0), "0");
  EXPECT_EQ(format_mark(0.05), "0.05");
  EXPECT_EQ(format_mark(2'500), "2,500");
  EXPECT_EQ(format_mark(1'005), "1,005");
  EXPECT_EQ(format_mark(20'000), "20k");
  EXPECT_EQ(format_mark(1'500'000), "1.5M");
}

}  // namespace
}  // namespace meridian::bench
