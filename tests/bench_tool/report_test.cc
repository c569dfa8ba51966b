#include "tools/bench/report.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace meridian::bench {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

constexpr TimePoint kStart = TimePoint(std::chrono::hours(5));

// 1,000 gets of 10 us to 10 ms, then two busy puts and one of unknown outcome, in two seconds of which the second has
// no answer.
Measured make_measured() {
  Measured measured;
  measured.options.workload = *ycsb_workload("a");
  Recorder recorder(kStart);
  for (int i = 1; i <= 1'000; ++i) {
    recorder.ended(OpKind::kGet, kStart, kStart + std::chrono::microseconds(10 * i), {.not_found = i == 1});
  }
  const sdk::Error busy(sdk::ErrorCode::kBusy, "full");
  const sdk::Error unknown(sdk::ErrorCode::kUnknownOutcome, "cut off");
  for (const sdk::Error* error : {&busy, &busy, &unknown}) {
    recorder.ended(OpKind::kPut, kStart, kStart + milliseconds(1'500), {.error = error});
  }
  measured.result = recorder.finish(kStart + milliseconds(2'000), kStart);
  return measured;
}

boost::json::object parse_line(const std::string& line) {
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line";
  return boost::json::parse(line).as_object();
}

TEST(ReportJson, IsOneLineWithTheFieldsOfTheOtherGenerators) {
  Measured measured = make_measured();
  measured.options.workload = *simple_workload("get", 0.5);
  const auto line = parse_line(render_json(measured, false));
  EXPECT_EQ(line.at("peer").as_string(), "meridian");
  EXPECT_EQ(line.at("op").as_string(), "get");
  EXPECT_EQ(line.at("clients").as_int64(), 64);
  EXPECT_EQ(line.at("seconds").as_double(), 2);
  EXPECT_EQ(line.at("ops_per_s").as_double(), 500);
  EXPECT_NEAR(line.at("p50_ms").as_double(), 5, 0.05);
  EXPECT_NEAR(line.at("p99_ms").as_double(), 9.9, 0.1);
  EXPECT_NEAR(line.at("p999_ms").as_double(), 9.99, 0.1);
  EXPECT_EQ(line.at("max_ms").as_double(), 10);
  EXPECT_EQ(line.at("errors").as_int64(), 3);
  EXPECT_FALSE(line.contains("series"));
  EXPECT_FALSE(line.contains("read_ratio"));
  EXPECT_FALSE(line.contains("dropped"));
}

TEST(ReportJson, SaysMoreAboutKindsAndErrors) {
  const auto line = parse_line(render_json(make_measured(), false));
  EXPECT_EQ(line.at("op").as_string(), "ycsb-a");
  EXPECT_EQ(line.at("distribution").as_string(), "zipf");
  EXPECT_EQ(line.at("loop").as_string(), "closed");
  EXPECT_NEAR(line.at("p90_ms").as_double(), 9, 0.08);
  EXPECT_NEAR(line.at("p9999_ms").as_double(), 10, 0.08);
  EXPECT_EQ(line.at("ops").as_int64(), 1'000);
  EXPECT_EQ(line.at("busy").as_int64(), 2);
  EXPECT_EQ(line.at("errors_by_code").at("busy").as_int64(), 2);
  EXPECT_EQ(line.at("errors_by_code").at("unknown_outcome").as_int64(), 1);
  EXPECT_EQ(line.at("not_found").as_int64(), 1);
  const auto& kinds = line.at("kinds").as_object();
  EXPECT_EQ(kinds.size(), 2u);
  EXPECT_EQ(kinds.at("get").at("ops").as_int64(), 1'000);
  EXPECT_EQ(kinds.at("get").at("max_ms").as_double(), 10);
  EXPECT_EQ(kinds.at("put").at("ops").as_int64(), 0);
  EXPECT_EQ(kinds.at("put").at("errors").as_int64(), 3);
}

TEST(ReportJson, AnOpenLoopSaysWhatItDidNotSend) {
  Measured measured = make_measured();
  measured.options.open_loop = {.per_second = 750, .max_in_flight = 9};
  measured.result.dropped = 4;
  measured.result.send_delay_ns.record(2'000'000);
  const auto line = parse_line(render_json(measured, false));
  EXPECT_EQ(line.at("loop").as_string(), "open");
  EXPECT_EQ(line.at("clients").as_int64(), 0);
  EXPECT_EQ(line.at("rate").as_double(), 750);
  EXPECT_EQ(line.at("arrivals").as_string(), "poisson");
  EXPECT_EQ(line.at("max_in_flight").as_int64(), 9);
  EXPECT_EQ(line.at("dropped").as_int64(), 4);
  EXPECT_EQ(line.at("send_delay_max_ms").as_double(), 2);
}

TEST(ReportJson, ASecondWithoutAnswersHasNoLatencies) {
  const auto line = parse_line(render_json(make_measured(), true));
  const auto& series = line.at("series").as_array();
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(series[0].at("second").as_int64(), 0);
  EXPECT_EQ(series[0].at("ops").as_int64(), 1'000);
  EXPECT_NEAR(series[0].at("p50_ms").as_double(), 5, 0.05);
  EXPECT_EQ(series[0].at("max_ms").as_double(), 10);
  EXPECT_EQ(series[1].at("ops").as_int64(), 0);
  EXPECT_EQ(series[1].at("errors").as_int64(), 3);
  EXPECT_EQ(series[1].at("busy").as_int64(), 2);
  EXPECT_TRUE(series[1].at("p50_ms").is_null());
  EXPECT_TRUE(series[1].at("p999_ms").is_null());
}

TEST(ReportJson, ASweepIsOneLineWithARowForEachLoad) {
  std::vector<Measured> rows = {make_measured(), make_measured()};
  rows[1].options.value_bytes = 4'096;
  const auto line = parse_line(render_sweep_json(rows, false));
  const auto& sweep = line.at("sweep").as_array();
  ASSERT_EQ(sweep.size(), 2u);
  EXPECT_EQ(sweep[0].at("value_bytes").as_int64(), 256);
  EXPECT_EQ(sweep[1].at("value_bytes").as_int64(), 4'096);
  EXPECT_EQ(sweep[1].at("keys").as_int64(), 100'000);
  EXPECT_EQ(sweep[1].at("ops_per_s").as_double(), 500);
}

TEST(ReportTable, HasARowForEachKindAndANoteForEachCode) {
  const std::string text = render_table(make_measured(), false);
  EXPECT_THAT(text, HasSubstr("P99.99 MS"));
  EXPECT_THAT(text, HasSubstr("\n  get "));
  EXPECT_THAT(text, HasSubstr("\n  put "));
  EXPECT_THAT(text, HasSubstr("errors, busy: 2\n"));
  EXPECT_THAT(text, HasSubstr("errors, unknown outcome: 1\n"));
  EXPECT_THAT(text, HasSubstr("gets that found nothing: 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("SECOND ")));
  EXPECT_THAT(render_table(make_measured(), true), HasSubstr("\nSECOND "));
}

TEST(ReportTable, ASweepHasARowForEachLoad) {
  const std::string text = render_sweep_table({make_measured(), make_measured()});
  EXPECT_EQ(std::ranges::count(text, '\n'), 3);
}

}  // namespace
}  // namespace meridian::bench
