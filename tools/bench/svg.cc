#include "tools/bench/svg.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "tools/bench/axis.h"

namespace meridian::bench {

namespace {

constexpr double kWidth = 960;
constexpr double kHeight = 600;
constexpr double kLeft = 90;
constexpr double kRight = 930;
constexpr std::size_t kDottedUpTo = 60;  // so few seconds are shown as dots as well
// Of a second that the measurement covers less of, the rate would be a guess.
constexpr double kLeastCovered = 0.2;

// Colours that also the colour-blind tell apart (Okabe and Ito).
constexpr std::string_view kBlue = "#0072b2";
constexpr std::string_view kOrange = "#e69f00";
constexpr std::string_view kRed = "#d55e00";
constexpr std::string_view kGreen = "#009e73";

struct Curve {
  std::string_view name;
  std::string_view colour;
  std::function<std::optional<double>(const Second&)> value;  // nullopt: a gap
};

struct Panel {
  double top;
  double bottom;
  std::string_view label;
  Axis axis;
};

std::string escape_xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '&': escaped += "&amp;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

double x_of(const Axis& time, double second) { return kLeft + time.position(second) * (kRight - kLeft); }
double y_of(const Panel& panel, double value) {
  return panel.bottom - std::clamp(panel.axis.position(value), 0.0, 1.0) * (panel.bottom - panel.top);
}

std::string draw_frame(const Panel& panel, const Axis& time) {
  std::string svg;
  for (const double mark : panel.axis.marks) {
    const double y = y_of(panel, mark);
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kLeft, kRight, y, y);
    svg +=
        fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 8, y + 4, format_mark(mark));
  }
  for (const double mark : time.marks) {
    const double x = x_of(time, mark);
    svg += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{}\" y2=\"{}\"/>\n", x, x, panel.top,
                       panel.bottom);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x, panel.bottom + 18,
                       format_mark(mark));
  }
  svg += fmt::format("<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", kLeft, panel.top,
                     kRight - kLeft, panel.bottom - panel.top);
  const double middle = (panel.top + panel.bottom) / 2;
  svg +=
      fmt::format("<text class=\"label\" transform=\"translate(24 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                  middle, panel.label);
  return svg;
}

// Each second is drawn at its middle. Where a value is missing the line is interrupted.
std::string draw_curve(const Panel& panel, const Axis& time, const Curve& curve, const std::vector<Second>& series) {
  std::string path;
  std::string dots;
  bool pen_down = false;
  for (const Second& each : series) {
    const std::optional<double> value = curve.value(each);
    if (value) {
      const double x = x_of(time, static_cast<double>(each.second) + 0.5);
      const double y = y_of(panel, *value);
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x, y);
      if (series.size() <= kDottedUpTo) dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"/>", x, y);
    }
    pen_down = value.has_value();
  }
  return fmt::format("<g fill=\"{0}\" stroke=\"{0}\"><path class=\"curve\" d=\"{1}\"/>{2}</g>\n", curve.colour, path,
                     dots);
}

std::string draw_panel(const Panel& panel, const Axis& time, const std::vector<Curve>& curves,
                       const std::vector<Second>& series) {
  std::string svg = draw_frame(panel, time);
  for (const Curve& curve : curves) svg += draw_curve(panel, time, curve, series);
  // The legend stands above the frame, where no curve can be.
  double x = kRight;
  for (auto curve = curves.rbegin(); curve != curves.rend(); ++curve) {
    x -= 7.5 * static_cast<double>(curve->name.size()) + 40;
    svg += fmt::format("<line x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2}\" y2=\"{2}\" stroke=\"{3}\" stroke-width=\"3\"/>",
                       x, x + 22, panel.top - 12, curve->colour);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\">{}</text>\n", x + 28, panel.top - 8, curve->name);
  }
  return svg;
}

std::vector<Curve> throughput_curves(const std::vector<Second>& series) {
  const auto rate = [](std::uint64_t Second::* count) {
    return [count](const Second& each) -> std::optional<double> {
      if (each.covered < kLeastCovered) return std::nullopt;
      return static_cast<double>(each.*count) / each.covered;
    };
  };
  std::vector<Curve> curves{{"answered", kBlue, rate(&Second::ops)}};
  const auto any = [&](std::uint64_t Second::* count) {
    return std::ranges::any_of(series, [count](const Second& each) { return each.*count > 0; });
  };
  if (any(&Second::errors)) curves.push_back({"failed", kRed, rate(&Second::errors)});
  if (any(&Second::dropped)) curves.push_back({"not sent", kOrange, rate(&Second::dropped)});
  return curves;
}

std::vector<Curve> latency_curves() {
  const auto latency = [](std::uint64_t Second::* ns) {
    return [ns](const Second& each) -> std::optional<double> {
      if (each.ops == 0) return std::nullopt;
      return std::max(1e-6, static_cast<double>(each.*ns) / 1e6);
    };
  };
  return {{"p50", kGreen, latency(&Second::p50_ns)},
          {"p99", kBlue, latency(&Second::p99_ns)},
          {"p99.9", kRed, latency(&Second::p999_ns)}};
}

struct Extent {
  double least = 0;
  double greatest = 0;  // both 0: nothing to draw
};

Extent extent_of(const std::vector<Curve>& curves, const std::vector<Second>& series) {
  Extent extent;
  for (const Curve& curve : curves) {
    for (const Second& each : series) {
      const std::optional<double> value = curve.value(each);
      if (!value) continue;
      extent.least = extent.greatest == 0 ? *value : std::min(extent.least, *value);
      extent.greatest = std::max(extent.greatest, *value);
    }
  }
  return extent;
}

}  // namespace

std::string render_svg(const std::string& title, const std::vector<Second>& series) {
  const std::vector<Curve> rates = throughput_curves(series);
  const std::vector<Curve> latencies = latency_curves();
  const Extent latency = extent_of(latencies, series);
  Axis time = linear_axis(static_cast<double>(std::max<std::size_t>(1, series.size())), 10);
  // Marks between seconds would say nothing, and none stands for what was not measured.
  std::erase_if(time.marks, [&](double mark) {
    return mark != std::floor(mark) || mark > std::max(1.0, static_cast<double>(series.size()));
  });
  time.high = std::max(1.0, static_cast<double>(series.size()));
  const Panel above{.top = 70,
                    .bottom = 280,
                    .label = "operations per second",
                    .axis = linear_axis(extent_of(rates, series).greatest, 5)};
  const Panel below{.top = 340,
                    .bottom = 540,
                    .label = "latency in ms (log scale)",
                    .axis = latency.greatest > 0 ? log_axis(latency.least, latency.greatest) : log_axis(1, 10)};
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
      "<style>.grid{{stroke:#ddd}}.frame{{fill:none;stroke:#888}}.curve{{fill:none;stroke-width:1.8;"
      "stroke-linejoin:round}}.label{{font-size:14px}}</style>\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  svg += fmt::format("<text x=\"{}\" y=\"30\" font-size=\"17\">{}</text>\n", kLeft, escape_xml(title));
  svg += draw_panel(above, time, rates, series);
  svg += draw_panel(below, time, latencies, series);
  svg += fmt::format("<text class=\"label\" x=\"{}\" y=\"582\" text-anchor=\"middle\">time in seconds</text>\n",
                     (kLeft + kRight) / 2);
  return svg + "</svg>\n";
}

}  // namespace meridian::bench
