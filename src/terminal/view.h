// How an edited text stands on the screen: rows of at most `columns` columns, broken by us and not
// by the terminal, so that wide characters at the margin and a new width have one meaning.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::terminal {

struct View {
  std::vector<std::string> rows;
  size_t cursor_row = 0;
  int cursor_column = 0;
};

struct ViewOptions {
  std::string_view prompt;        // before the first line
  std::string_view continuation;  // before each further line of the text
  int columns = 80;
  int rows_max = 24;  // where the text has more, those around the cursor are shown
  // What a cluster is shown as; empty for itself. (Pastes stand in the text as one character.)
  std::function<std::string(std::string_view cluster)> shown_as;
};

View layout(std::string_view text, size_t cursor, const ViewOptions& options);

// Draws views one over the other: keeps where the last one stood.
class Screen {
 public:
  // What to send to the terminal so that it shows `view` where the last one was.
  std::string draw(const View& view);
  // Leaves what is shown, and goes to the start of the row below it.
  std::string leave();
  // The terminal has another width now, and has broken the rows that were wider than that.
  void resized(int columns);
  // The terminal was cleared, or something else was printed below.
  void forget() { widths_.clear(), cursor_row_ = 0; }

 private:
  std::vector<int> widths_;  // of the rows that are shown
  size_t cursor_row_ = 0;
  int cursor_column_ = 0;
};

}  // namespace hearth::terminal
