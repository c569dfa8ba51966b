#include "tests/checkers/drawing.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "tests/checkers/html.h"

namespace meridian::check {

namespace {

constexpr int kLeft = 110, kTop = 40, kRow = 78, kBar = 26, kStep = 26, kLetter = 7;
constexpr std::size_t kLongest = 60;
constexpr std::size_t kMost = 1000;  // more is no picture

// Not within a character.
std::string cut(std::string text) {
  if (text.size() <= kLongest) return text;
  std::size_t end = kLongest - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string_view color(std::string_view kind) {
  if (kind == "ww") return "#1f5fbf";
  if (kind == "wr") return "#1a7f37";
  if (kind == "rw") return "#c0262d";
  return "#666666";
}

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{0}</title><style>
body {{ font: 14px sans-serif; margin: 1.5em; }}
pre {{ background: #f5f5f5; padding: 1em; overflow-x: auto; }}
svg {{ font: 12px monospace; }}
.named {{ stroke-width: 2.5; }}
.bar {{ stroke: #444; }} .ok {{ fill: #d5ecd8; }} .fail {{ fill: #f3d0d0; }} .info {{ fill: #fbeec2; stroke-dasharray: 4 3; }}
.time {{ fill: #777; font-size: 10px; }} .row {{ stroke: #ddd; }}
</style></head><body><h1>{0}</h1>
)";

class Drawing {
 public:
  Drawing(const std::vector<Operation>& operations, const Finding& finding)
      : operations_(operations), named_(finding.operations.begin(), finding.operations.end()) {
    for (const Operation& o : operations_) rows_.try_emplace(o.invoke.process, 0);
    int row = 0;
    for (auto& [process, number] : rows_) number = row++;
    place();
  }

  std::string svg(const std::vector<Reason>& reasons) {
    std::string out = fmt::format("<svg width=\"{}\" height=\"{}\"><defs>\n", right_ + 40,
                                  kTop + kRow * static_cast<int>(rows_.size()) + 20);
    for (const char* kind : {"ww", "wr", "rw", "realtime"}) {
      out += fmt::format(
          "<marker id=\"{0}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" "
          "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"{1}\"/></marker>\n",
          kind, color(kind));
    }
    out += "</defs>\n";
    for (const auto& [process, row] : rows_) {
      const int y = kTop + row * kRow + kBar / 2;
      out += fmt::format(
          "<text x=\"4\" y=\"{}\">process {}</text><line class=\"row\" x1=\"{}\" x2=\"{}\" y1=\"{}\" "
          "y2=\"{}\"/>\n",
          y + 4, process, kLeft - 8, right_ + 20, y, y);
    }
    for (const Operation& o : operations_) out += bar(o);
    for (const Reason& reason : reasons) out += arrow(reason);
    return out + "</svg>\n";
  }

 private:
  static std::string label(const Operation& o) { return cut(fmt::format("#{} {}", o.invoke.index, describe_call(o))); }

  // Events in their order; each bar is as long as its label.
  void place() {
    std::map<std::uint64_t, const Operation*> ends;
    for (const Operation& o : operations_) {
      x_[o.called] = 0;
      if (o.returned == Operation::kNever) continue;
      x_[o.returned] = 0;
      ends[o.returned] = &o;
    }
    int x = kLeft;
    for (auto& [position, at] : x_) {
      const auto it = ends.find(position);
      if (it != ends.end()) x = std::max(x, x_[it->second->called] + width(*it->second));
      at = x;
      x += kStep;
    }
    right_ = x;
    for (const Operation& o : operations_) {
      if (o.returned == Operation::kNever) right_ = std::max(right_, x_[o.called] + width(o));
    }
  }
  static int width(const Operation& o) { return static_cast<int>(label(o).size()) * kLetter + 16; }

  int begin(const Operation& o) const { return x_.at(o.called); }
  int end(const Operation& o) const { return o.returned == Operation::kNever ? right_ : x_.at(o.returned); }
  int top(const Operation& o) const { return kTop + rows_.at(o.invoke.process) * kRow; }

  std::string bar(const Operation& o) const {
    const int y = top(o);
    std::string out = fmt::format(
        "<g><title>{}</title><rect class=\"bar {}{}\" x=\"{}\" y=\"{}\" width=\"{}\" "
        "height=\"{}\" rx=\"4\"/>",
        escape_html(describe(o)), to_string(o.complete.type), named_.contains(o.invoke.index) ? " named" : "", begin(o),
        y, end(o) - begin(o), kBar);
    out += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", begin(o) + 8, y + 17, escape_html(label(o)));
    out += fmt::format("<text class=\"time\" x=\"{}\" y=\"{}\">{:.3f} ms</text>", begin(o), y + kBar + 11,
                       static_cast<double>(o.invoke.time_us) / 1e3);
    if (o.returned != Operation::kNever) {
      out += fmt::format("<text class=\"time\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.3f} ms</text>", end(o),
                         y + kBar + (end(o) - begin(o) < 130 ? 22 : 11), static_cast<double>(o.complete.time_us) / 1e3);
    }
    return out + "</g>\n";
  }

  const Operation* by_index(std::uint64_t index) const {
    const auto it = std::find_if(operations_.begin(), operations_.end(),
                                 [&](const Operation& o) { return o.invoke.index == index; });
    return it == operations_.end() ? nullptr : &*it;
  }

  std::string arrow(const Reason& reason) const {
    const Operation* from = by_index(reason.from);
    const Operation* to = by_index(reason.to);
    if (from == nullptr || to == nullptr) return "";
    const bool time = reason.kind == "realtime" || reason.kind == "process";
    const int x1 = time ? end(*from) : (begin(*from) + end(*from)) / 2;
    const int x2 = time ? begin(*to) : (begin(*to) + end(*to)) / 2;
    const bool same = top(*from) == top(*to);
    const bool down = top(*to) > top(*from);
    const int y1 = top(*from) + (down ? kBar : 0), y2 = top(*to) + (down ? 0 : same ? 0 : kBar);
    // Bowed to one side, so that two opposite arrows stay apart.
    const int bow = same ? -30 : 0, side = down ? 24 : -24;
    const std::string_view marker = time ? "realtime" : std::string_view(reason.kind);
    const int mx = (x1 + x2) / 2 + (same ? 0 : side), my = (y1 + y2) / 2 + bow;
    return fmt::format(
        "<g><title>{}</title><path d=\"M{} {}Q{} {} {} {}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" "
        "marker-end=\"url(#{})\"/><text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text></g>\n",
        escape_html(reason.why), x1, y1, mx, my, x2, y2, color(reason.kind), marker, mx + 3, my, color(reason.kind),
        reason.kind);
  }

  const std::vector<Operation>& operations_;
  const std::set<std::uint64_t> named_;
  std::map<std::uint64_t, int> rows_;  // by process
  std::map<std::uint64_t, int> x_;     // by position in the history
  int right_ = 0;
};

}  // namespace

std::string draw(std::string_view title, const std::vector<Operation>& all, const Finding& finding) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(all.size(), kMost));
  const std::vector<Operation> operations(all.begin(), all.begin() + shown);
  std::string out = fmt::format(kHead, escape_html(title));
  out += Drawing(operations, finding).svg(finding.cycle);
  if (operations.size() < all.size()) {
    out += fmt::format("<p>The first {} of {} operations are shown.</p>\n", operations.size(), all.size());
  }
  out += "<pre>" + escape_html(finding.explanation) + "</pre>\n<pre>";
  for (const Operation& o : operations) out += escape_html(describe(o)) + '\n';
  return out + "</pre></body></html>\n";
}

}  // namespace meridian::check
