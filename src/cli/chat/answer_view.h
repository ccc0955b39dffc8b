// AnswerView: an answer on its way to the user. On a terminal: a line of status while the prompt is
// read, reasoning dimmed, Markdown made readable. Into a pipe or file: the text as it is.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/think_splitter.h"
#include "terminal/markdown.h"

namespace hearth {

class AnswerView {
 public:
  // `styled`: on a terminal that takes escape sequences. `thinking`: the prompt ended within
  // reasoning, so that the answer begins there.
  AnswerView(bool styled, bool thinking);

  // How much of the prompt is read. Shown where reading takes long.
  void prompt(int64_t done, int64_t total);
  // Whole characters; the error of a reader that has gone.
  Result<void> text(std::string_view piece);
  // What still waits, and the end of the line.
  Result<void> finish();

 private:
  void clear_status();
  std::string shown(std::string_view piece, bool thinking);

  bool styled_;
  ThinkSplitter splitter_;
  terminal::MarkdownPrinter markdown_;
  terminal::Wrapper reasoning_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool status_shown_ = false, was_thinking_ = false, at_answer_start_ = true;
  char last_ = '\n';
};

}  // namespace hearth
