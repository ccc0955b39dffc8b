// What a model thinks before it answers, apart from the answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

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

}  // namespace hearth
