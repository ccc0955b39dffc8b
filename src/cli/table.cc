#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "terminal/width.h"
#include "cli/terminal.h"

namespace hearth {

std::string Table::text() const {
  std::vector<std::vector<std::string>> cells;
  std::vector<int> widths;
  for (const auto& row : rows_) {
    cells.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      std::string cell = printable(row[i]);
      std::ranges::replace(cell, '\n', ' ');
      std::ranges::replace(cell, '\t', ' ');
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], terminal::width_of(cell));
      cells.back().push_back(std::move(cell));
    }
  }
  std::string out;
  for (const auto& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 == row.size()) break;
      out.append(static_cast<size_t>(widths[i] - terminal::width_of(row[i]) + 4), ' ');
    }
    if (!row.empty()) out += '\n';
  }
  return out;
}

std::string size_text(uint64_t bytes) {
  static constexpr std::string_view kUnits[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) value /= 1000, ++unit;
  if (unit == 0) return fmt::format("{} B", bytes);
  return value < 9.95 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                      : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string count_text(uint64_t count) {
  double value = static_cast<double>(count);
  if (value >= 1e9) return fmt::format("{:.1f}B", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.2f}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.0f}K", value / 1e3);
  return fmt::format("{}", count);
}

std::string span_text(int64_t seconds) {
  struct Unit {
    int64_t seconds;
    std::string_view name;
  };
  static constexpr Unit kUnits[] = {{31557600, "year"}, {2629800, "month"}, {604800, "week"},
                                    {86400, "day"},     {3600, "hour"},     {60, "minute"},
                                    {1, "second"}};
  for (const Unit& unit : kUnits) {
    int64_t count = seconds / unit.seconds;
    if (count < 1 || (unit.seconds >= 604800 && unit.seconds < 31557600 && count < 2)) continue;
    return fmt::format("{} {}{}", count, unit.name, count == 1 ? "" : "s");
  }
  return {};
}

std::string age_text(int64_t seconds) {
  const std::string span = span_text(seconds);
  return span.empty() ? "just now" : span + " ago";
}

}  // namespace hearth
