// AnswerView: an answer on its way to the user. On a terminal: a line of status while the prompt is
// read, reasoning dimmed, Markdown made readable. Into a pipe or file: the text as it is.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "terminal/markdown.h"

namespace hearth {

// Cuts a stream into reasoning (between <think> and </think>, without these) and answer. Reasoning
// comes first or not at all: later tags are text. What may be the beginning of a tag waits.
class ThinkSplitter {
 public:
  explicit ThinkSplitter(bool thinking) : thinking_(thinking) {}

  template <class Sink>  // sink(text, thinking)
  void push(std::string_view text, Sink&& sink) {
    waiting_ += text;
    while (const size_t length = ready()) {
      if (length != std::string::npos) {
        const auto part = std::string_view(waiting_).substr(0, length);
        answering_ |= !thinking_ && part.find_first_not_of(" \n\t") != std::string_view::npos;
        sink(part, thinking_);
        waiting_.erase(0, length);
      } else {
        waiting_.erase(0, tag().size());
        thinking_ = !thinking_;
      }
    }
  }
  template <class Sink>
  void finish(Sink&& sink) {
    if (!waiting_.empty()) sink(std::string_view(waiting_), thinking_);
    waiting_.clear();
  }

 private:
  std::string_view tag() const { return thinking_ ? "</think>" : "<think>"; }
  // Bytes that are no tag and will not become one; npos where the tag stands; 0: wait.
  size_t ready() const;

  std::string waiting_;
  bool thinking_;
  bool answering_ = false;  // some of the answer came
};

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
