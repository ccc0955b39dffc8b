// MarkdownPrinter: Markdown as it comes from a model, made readable on a terminal while it comes:
// headings and bold, lists with their indentation, quotes, code with its language, tables in
// columns. A reader of streams: it shows what is certain and never takes back what it showed. What
// it does not know (links, HTML) stays as it was written.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "terminal/wrapper.h"

namespace hearth::terminal {

class MarkdownPrinter {
 public:
  // `columns` is asked at every word, so that a terminal may change its size in mid-answer.
  explicit MarkdownPrinter(std::function<int()> columns);

  // What to show after these characters (whole ones). Newlines are "\n".
  std::string push(std::string_view text);
  // What still waits, and the end of all styles. The printer is as new afterwards.
  std::string finish();

 private:
  enum class Block : uint8_t { kUndecided, kText, kCode, kTableRow, kShown };

  void line_piece(bool whole);
  bool decide(bool whole);
  bool open_fence(std::string_view line, size_t indent, bool whole);
  bool open_marker(size_t indent, bool whole);
  void code_line(bool whole);
  void end_line();
  void inline_text(bool whole);
  size_t inline_step(std::string_view rest, bool whole);
  size_t emphasis(std::string_view rest, bool whole);
  size_t code_span(std::string_view rest, bool whole);
  void set_style();
  void flush_table();

  std::function<int()> columns_;
  Wrapper wrapper_;
  std::string line_;  // of the line at hand, what has not been shown
  Block block_ = Block::kUndecided;
  std::string fence_;  // the fence that will close the code, empty outside of code
  std::vector<std::string> table_;
  std::string base_style_;
  size_t code_ticks_ = 0;  // inside a code span: the ticks that close it
  bool bold_ = false, italic_ = false;
  bool after_space_ = true;  // the character before was none of a word
};

// The rows of a Markdown table (with its "|---|" row) in columns of at most `columns` in all; empty
// where they are no table. Every line ends with a newline.
std::string format_table(const std::vector<std::string>& rows, int columns);

}  // namespace hearth::terminal
