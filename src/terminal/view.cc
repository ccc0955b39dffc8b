#include "terminal/view.h"

#include <fmt/format.h>

#include <algorithm>

#include "terminal/width.h"

namespace hearth::terminal {
namespace {

class Rows {
 public:
  explicit Rows(int columns) : columns_(std::max(columns, 4)) { rows_.emplace_back(); }

  void put(std::string_view cluster, int width) {
    if (column_ + width > columns_) next_row();
    rows_.back() += cluster;
    column_ += width;
  }
  void next_row() {
    rows_.emplace_back();
    column_ = 0;
  }
  // Where the next character will stand: a full row leaves no room for a cursor behind it.
  void make_room() {
    if (column_ >= columns_) next_row();
  }
  size_t row() const { return rows_.size() - 1; }
  int column() const { return column_; }
  std::vector<std::string> take() { return std::move(rows_); }

 private:
  int columns_, column_ = 0;
  std::vector<std::string> rows_;
};

void put_text(Rows& rows, std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = next_cluster(text, at);
    const std::string_view cluster = text.substr(at, end - at);
    rows.put(cluster, width_of(cluster));
    at = end;
  }
}

// A long word breaks where the row ends, so what is shown for a cluster may break too.
void put_cluster(Rows& rows, std::string_view cluster, const ViewOptions& options) {
  if (cluster == "\t") return put_text(rows, "    ");
  const std::string other = options.shown_as ? options.shown_as(cluster) : std::string();
  if (!other.empty()) return put_text(rows, other);
  rows.put(cluster, width_of(cluster));
}

void keep_rows_around_cursor(View& view, int rows_max) {
  const auto most = static_cast<size_t>(std::max(rows_max, 1));
  if (view.rows.size() <= most) return;
  size_t first = view.cursor_row >= most ? view.cursor_row - most + 1 : 0;
  first = std::min(first, view.rows.size() - most);
  view.rows = {view.rows.begin() + static_cast<ptrdiff_t>(first),
               view.rows.begin() + static_cast<ptrdiff_t>(first + most)};
  view.cursor_row -= first;
}

}  // namespace

View layout(std::string_view text, size_t cursor, const ViewOptions& options) {
  Rows rows(options.columns);
  put_text(rows, options.prompt);
  View view;
  const auto note_cursor = [&](size_t at) {
    if (at != cursor) return;
    rows.make_room();
    view.cursor_row = rows.row();
    view.cursor_column = rows.column();
  };
  for (size_t at = 0; at < text.size();) {
    note_cursor(at);
    const size_t end = next_cluster(text, at);
    const std::string_view cluster = text.substr(at, end - at);
    if (cluster == "\n" || cluster == "\r\n") {
      rows.next_row();
      put_text(rows, options.continuation);
    } else {
      put_cluster(rows, cluster, options);
    }
    at = end;
  }
  note_cursor(text.size());
  view.rows = rows.take();
  keep_rows_around_cursor(view, options.rows_max);
  return view;
}

std::string Screen::draw(const View& view) {
  std::string out = "\x1b[?25l";  // no cursor while it jumps
  if (cursor_row_ > 0) out += fmt::format("\x1b[{}A", cursor_row_);
  out += "\r\x1b[J";
  for (size_t row = 0; row < view.rows.size(); ++row) {
    if (row > 0) out += "\r\n";
    out += view.rows[row];
  }
  widths_.clear();
  for (const std::string& row : view.rows) widths_.push_back(width_of(row));
  cursor_row_ = view.cursor_row;
  cursor_column_ = view.cursor_column;
  const size_t up = widths_.size() - 1 - cursor_row_;
  if (up > 0) out += fmt::format("\x1b[{}A", up);
  out += "\r";
  if (view.cursor_column > 0) out += fmt::format("\x1b[{}C", view.cursor_column);
  return out + "\x1b[?25h";
}

void Screen::resized(int columns) {
  if (widths_.empty() || columns < 1) return;
  size_t row = static_cast<size_t>(cursor_column_ / columns);
  for (size_t i = 0; i < cursor_row_; ++i)
    row += static_cast<size_t>(std::max(1, (widths_[i] + columns - 1) / columns));
  cursor_row_ = row;
}

std::string Screen::leave() {
  std::string out;
  if (widths_.size() > cursor_row_ + 1)
    out += fmt::format("\x1b[{}B", widths_.size() - 1 - cursor_row_);
  forget();
  return out + "\r\n";
}

}  // namespace hearth::terminal
