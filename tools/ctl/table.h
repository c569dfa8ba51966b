// A table of text, columns as wide as their widest cell; columns of numbers stand to the right.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace meridian::ctl {

class Table {
 public:
  explicit Table(std::vector<std::string> headers);
  // Requires: as many cells as headers. Cells are printable text (escape(), text.h).
  void add(std::vector<std::string> cells);
  // Later tables with the same columns can start from these, so that pages of one listing line up.
  void widen(const std::vector<std::size_t>& widths);
  const std::vector<std::size_t>& widths() const { return widths_; }
  // With a newline after each row and no spaces at the ends of lines.
  std::string render(bool with_headers = true) const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

// "NAME   value" lines.
std::string render_fields(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace meridian::ctl
