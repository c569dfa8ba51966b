#include "tests/sim/timeline.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/checkers/html.h"

namespace meridian::sim {

namespace {

constexpr int kLeft = 70, kTop = 150, kRow = 46, kLetter = 6;
constexpr double kWidest = 30'000, kPixelsPerUs = 0.002;

std::string_view color(Timeline::Kind kind) {
  switch (kind) {
    case Timeline::Kind::kOneWay: return "#3566b8";
    case Timeline::Kind::kRequest: return "#2c8a4b";
    case Timeline::Kind::kResponse: return "#9bc7a6";
  }
  return "black";
}

std::string_view band_color(std::string_view what) {
  if (what == "down") return "#444444";
  if (what == "paused") return "#b9a0d8";
  if (what == "cut") return "#f3c6c0";
  return "#f0dda6";  // disks
}

}  // namespace

void Timeline::message(std::int64_t sent, std::int64_t arrives, const std::string& from, const std::string& to,
                       Kind kind, std::uint32_t method) {
  if (messages_.size() >= most_) messages_.pop_front();
  messages_.push_back({sent, arrives, from, to, kind, method});
}

void Timeline::begin(std::int64_t now, const std::string& row, const std::string& what) {
  const bool open = std::ranges::any_of(
      bands_, [&](const Band& band) { return band.row == row && band.what == what && band.to == INT64_MAX; });
  if (!open) bands_.push_back({now, INT64_MAX, row, what});
}

void Timeline::end(std::int64_t now, const std::string& row, const std::string& what) {
  for (Band& band : bands_) {
    if (band.row == row && band.what == what && band.to > now) band.to = now;
  }
}

void Timeline::note(std::int64_t now, std::string text) { notes_.push_back({now, std::move(text)}); }

std::string Timeline::html(const std::string& title, const std::string& failure) const {
  if (messages_.empty()) return "<!doctype html><title>nothing was sent</title>";
  std::map<std::string, int> rows;
  std::int64_t first = messages_.front().sent, last = first;
  for (const Message& m : messages_) {
    rows.emplace(m.from, 0);
    rows.emplace(m.to, 0);
    last = std::max({last, m.sent, std::min(m.arrives, m.sent + 10'000'000)});
  }
  int next = 0;
  for (auto& [name, row] : rows) row = next++;
  const double scale = std::min(kPixelsPerUs, kWidest / static_cast<double>(last - first + 1));
  const auto x = [&](std::int64_t t) {
    return kLeft + scale * static_cast<double>(std::clamp(t, first, last) - first);
  };
  const auto y = [&](const std::string& name) { return kTop + kRow * rows.at(name); };
  const int height = kTop + kRow * next;
  std::string svg;
  for (const Band& band : bands_) {
    if (band.to < first || band.from > last || (!band.row.empty() && !rows.contains(band.row))) continue;
    const int top = band.row.empty() ? kTop - 20 : y(band.row) - 9, tall = band.row.empty() ? height - kTop : 18;
    svg += fmt::format(
        R"(<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" fill="{}" opacity="0.6"><title>{}</title></rect>)"
        "\n",
        x(band.from), top, std::max(1.0, x(band.to) - x(band.from)), tall, band_color(band.what),
        check::escape_html(band.what));
  }
  for (const auto& [name, row] : rows) {
    svg += fmt::format(R"(<text x="4" y="{0}">{1}</text><line x1="{2}" y1="{0}" x2="{3:.1f}" y2="{0}" stroke="#bbb"/>)"
                       "\n",
                       y(name), check::escape_html(name), kLeft, x(last));
  }
  for (const Message& m : messages_) {
    const bool lost = m.arrives == kLost;
    const std::int64_t arrives = lost ? m.sent + 2'000 : m.arrives;
    const double from_y = y(m.from), to_y = lost ? from_y + (y(m.to) - from_y) * 0.4 : y(m.to);
    svg += fmt::format(
        R"svg(<line x1="{:.1f}" y1="{:.0f}" x2="{:.1f}" y2="{:.0f}" stroke="{}" marker-end="url(#{})"><title>{:#x} {} to {}, {:.3f} ms{}</title></line>)svg"
        "\n",
        x(m.sent), from_y, x(arrives), to_y, lost ? "#c0392b" : color(m.kind), lost ? "lost" : "arrow", m.method,
        check::escape_html(m.from), check::escape_html(m.to), static_cast<double>(m.sent) / 1e3, lost ? ", lost" : "");
  }
  double free_from[6] = {};
  for (const Note& note : notes_) {
    if (note.at < first || note.at > last) continue;
    // In the first of a few lines that has room.
    int line = 0;
    while (line < 5 && free_from[line] > x(note.at)) ++line;
    free_from[line] = x(note.at) + kLetter * static_cast<double>(note.text.size()) + 8;
    svg += fmt::format(
        R"(<line x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}" stroke="#888" stroke-dasharray="2 3"/><text x="{0:.1f}" y="{1}">{3}</text>)"
        "\n",
        x(note.at), 20 + 18 * line, height, check::escape_html(note.text));
  }
  for (std::int64_t t = first / 100'000 * 100'000 + 100'000; t <= last; t += 100'000) {
    svg += fmt::format(R"(<text x="{:.1f}" y="{}" fill="#888">{:.1f} s</text>)"
                       "\n",
                       x(t), height, static_cast<double>(t) / 1e6);
  }
  return fmt::format(
      R"(<!doctype html><html><head><meta charset="utf-8"><title>{0}</title><style>body{{font:13px sans-serif}}svg{{font:10px monospace}}pre{{white-space:pre-wrap}}</style></head>
<body><h1>{0}</h1><pre>{1}</pre><p>Blue: one-way messages. Green: requests, light: answers. Red: lost. Bands: dark, down; violet, paused; yellow, a sick disk; pink, links are cut. Time runs to the right; hover for more.</p>
<svg xmlns="http://www.w3.org/2000/svg" width="{2:.0f}" height="{3}"><defs>
<marker id="arrow" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="5" markerHeight="5" orient="auto"><path d="M0 0L6 3L0 6z" fill="#555"/></marker>
<marker id="lost" viewBox="0 0 6 6" refX="3" refY="3" markerWidth="6" markerHeight="6"><path d="M0 0L6 6M0 6L6 0" stroke="#c0392b"/></marker></defs>
{4}</svg></body></html>
)",
      check::escape_html(title), check::escape_html(failure), x(last) + 200, height + 20, svg);
}

}  // namespace meridian::sim
