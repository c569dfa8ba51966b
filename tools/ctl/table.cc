#include "tools/ctl/table.h"

#include <algorithm>

#include "base/check.h"
#include "tools/ctl/text.h"

namespace meridian::ctl {

namespace {

bool looks_numeric(const std::string& cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789.,%") == std::string::npos;
}

void append_padded(std::string& line, const std::string& cell, std::size_t width, bool right) {
  const std::size_t padding = width - std::min(width, display_width(cell));
  if (right) line.append(padding, ' ');
  line += cell;
  if (!right) line.append(padding, ' ');
}

void end_line(std::string& out, std::string& line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
  line.clear();
}

}  // namespace

Table::Table(std::vector<std::string> headers) : headers_(std::move(headers)) {
  for (const std::string& header : headers_) widths_.push_back(display_width(header));
}

void Table::add(std::vector<std::string> cells) {
  CHECK(cells.size() == headers_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], display_width(cells[i]));
  rows_.push_back(std::move(cells));
}

void Table::widen(const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < std::min(widths.size(), widths_.size()); ++i)
    widths_[i] = std::max(widths_[i], widths[i]);
}

std::string Table::render(bool with_headers) const {
  std::vector<bool> right(headers_.size());
  for (std::size_t i = 0; i < headers_.size(); ++i) {
    right[i] = !rows_.empty() && std::ranges::all_of(rows_, [&](const auto& row) {
      return looks_numeric(row[i]) || row[i] == "-" || row[i].empty();
    });
  }
  std::string out;
  std::string line;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line += "  ";
      append_padded(line, cells[i], widths_[i], right[i]);
    }
    end_line(out, line);
  };
  if (with_headers) add_line(headers_);
  for (const auto& row : rows_) add_line(row);
  return out;
}

std::string render_fields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::size_t width = 0;
  for (const auto& [name, value] : fields) width = std::max(width, display_width(name));
  std::string out;
  std::string line;
  for (const auto& [name, value] : fields) {
    append_padded(line, name, width, false);
    line += "  ";
    line += value;
    end_line(out, line);
  }
  return out;
}

}  // namespace meridian::ctl
