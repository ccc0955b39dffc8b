// Markdown tables in columns that fit the terminal.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "terminal/markdown.h"
#include "terminal/width.h"

namespace hearth::terminal {
namespace {

using Cells = std::vector<std::string>;

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// "| a | b \| c |" -> {"a", "b | c"}; marks of bold and code go, a cell shows words.
Cells cells_of(std::string_view row) {
  Cells cells;
  std::string cell;
  row.remove_prefix(std::min(row.find('|'), row.size() - 1) + 1);
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] == '\\' && i + 1 < row.size() && row[i + 1] == '|') {
      cell += row[++i];
    } else if (row[i] == '|') {
      cells.push_back(trimmed(cell));
      cell.clear();
    } else if (row.substr(i).starts_with("**")) {
      ++i;
    } else if (row[i] != '`') {
      cell += row[i];
    }
  }
  if (std::string last = trimmed(cell); !last.empty()) cells.push_back(std::move(last));
  return cells;
}

bool is_separator(const Cells& cells) {
  return !cells.empty() && std::all_of(cells.begin(), cells.end(), [](const std::string& cell) {
    return !cell.empty() && cell.find_first_not_of("-:") == std::string::npos &&
           cell.find('-') != std::string::npos;
  });
}

// Takes columns from the widest until all fit.
std::vector<int> fitting_widths(const std::vector<Cells>& rows, size_t count, int columns) {
  std::vector<int> widths(count, 1);
  for (const Cells& row : rows)
    for (size_t i = 0; i < std::min(count, row.size()); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  const int room = columns - 3 * (static_cast<int>(count) - 1);
  while (std::accumulate(widths.begin(), widths.end(), 0) > room)
    --*std::max_element(widths.begin(), widths.end());
  return widths;
}

void append_row(std::string& out, const Cells& row, const std::vector<int>& widths, bool bold) {
  std::vector<std::vector<std::string>> cells;
  size_t height = 1;
  for (size_t i = 0; i < widths.size(); ++i) {
    cells.push_back(wrapped_lines(i < row.size() ? row[i] : "", widths[i]));
    height = std::max(height, cells.back().size());
  }
  for (size_t line = 0; line < height; ++line) {
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string text = line < cells[i].size() ? cells[i][line] : "";
      out += bold ? fmt::format("\x1b[1m{}\x1b[0m", text) : text;
      if (i + 1 == widths.size()) break;
      out.append(static_cast<size_t>(std::max(widths[i] - width_of(text), 0)), ' ');
      out += " │ ";
    }
    out += '\n';
  }
}

}  // namespace

std::string format_table(const std::vector<std::string>& rows, int columns) {
  constexpr int kNarrowest = 8;  // the wrapper's own least width
  std::vector<Cells> cells;
  for (const std::string& row : rows) cells.push_back(cells_of(row));
  if (cells.size() < 2 || !is_separator(cells[1])) return {};
  cells.erase(cells.begin() + 1);
  size_t count = 0;
  for (const Cells& row : cells) count = std::max(count, row.size());
  if (count == 0 || static_cast<int>(count) * (kNarrowest + 3) > columns + 3) return {};
  const std::vector<int> widths = fitting_widths(cells, count, columns);
  std::string out;
  append_row(out, cells.front(), widths, true);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += "─┼─";
    for (int dash = 0; dash < widths[i]; ++dash) out += "─";
  }
  out += '\n';
  for (size_t i = 1; i < cells.size(); ++i) append_row(out, cells[i], widths, false);
  return out;
}

}  // namespace hearth::terminal
