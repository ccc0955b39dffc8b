// Wrapper: text that comes piece by piece, broken between words at the width of the terminal.
// Styles (SGR sequences) travel with the words and take no room.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::terminal {

class Wrapper {
 public:
  explicit Wrapper(std::function<int()> columns) : columns_(std::move(columns)) {}

  void text(std::string_view text);      // no newlines in it
  void style(std::string_view sequence) { word_ += sequence; }
  void newline();
  // Lines after a break start with this many spaces, until the next newline().
  void hang(int columns) { hang_ = columns; }

  bool at_line_start() const { return column_ == 0 && word_width_ == 0; }
  int column() const { return column_ + word_width_; }

  // What can be shown by now. A word waits for its end.
  std::string take() { return std::exchange(out_, {}); }
  void end_word();

 private:
  void put(std::string_view cluster, int width);
  void break_line();

  std::function<int()> columns_;
  std::string out_, word_, spaces_;
  int column_ = 0, word_width_ = 0, hang_ = 0;
};

// A text of one line in lines of at most `width` columns, broken between words where that goes.
std::vector<std::string> wrapped_lines(std::string_view text, int width);

}  // namespace hearth::terminal
