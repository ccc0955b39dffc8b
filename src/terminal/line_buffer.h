// LineBuffer: a text that is being edited, of one line or several, and its cursor. Moves by what a
// reader takes for one character. Knows nothing of keys or screens.
#pragma once

#include <string>
#include <string_view>

namespace hearth::terminal {

class LineBuffer {
 public:
  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }  // in bytes, on a border of a cluster
  bool empty() const { return text_.empty(); }

  void set(std::string text);  // with the cursor at its end
  void insert(std::string_view text);

  // Moves, where there is somewhere to go.
  void left();
  void right();
  void word_left();
  void word_right();
  void line_start();
  void line_end();
  bool up();    // to the line above; false on the first
  bool down();  // to the line below; false on the last

  // Deletes. What goes by words and lines can be put back by yank().
  void delete_left();
  void delete_right();
  void delete_word_left();
  void delete_word_right();
  void delete_to_line_start();
  void delete_to_line_end();
  void yank() { insert(killed_); }
  void transpose();  // exchanges the two characters around the cursor

 private:
  size_t line_begin(size_t at) const;
  size_t line_finish(size_t at) const;
  size_t word_begin() const;
  size_t word_finish() const;
  void kill(size_t begin, size_t end);
  void move_to_column(size_t line, int column);
  int column() const;

  std::string text_, killed_;
  size_t cursor_ = 0;
};

}  // namespace hearth::terminal
