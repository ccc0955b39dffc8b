#include "cli/chat/answer_view.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/terminal.h"
#include "terminal/line_editor.h"

namespace hearth {
namespace {

constexpr std::string_view kDim = "\x1b[2m", kReset = "\x1b[0m";
constexpr std::chrono::milliseconds kStatusAfter{400};

int columns_now() { return terminal::size_of_terminal(STDOUT_FILENO).columns; }

}  // namespace

AnswerView::AnswerView(bool styled, bool thinking)
    : styled_(styled), splitter_(thinking), markdown_(columns_now), reasoning_(columns_now) {}

void AnswerView::prompt(int64_t done, int64_t total) {
  if (!styled_ || !stderr_is_terminal() || total <= 0) return;
  if (std::chrono::steady_clock::now() - start_ < kStatusAfter) return;
  status_shown_ = true;
  write_err(fmt::format("\r\x1b[2K{}reading the prompt: {} of {} tokens, {} %{}", kDim, done, total,
                        done * 100 / total, kReset));
}

void AnswerView::clear_status() {
  if (status_shown_) write_err("\r\x1b[2K");
  status_shown_ = false;
}

// Reasoning is dimmed words in lines; a blank line parts it from the answer.
std::string AnswerView::shown(std::string_view piece, bool thinking) {
  std::string out;
  if (thinking != was_thinking_) {
    if (was_thinking_) {
      reasoning_.end_word();
      out += reasoning_.take() + std::string(kReset) + "\n\n";
    } else {
      out += markdown_.finish();
    }
    was_thinking_ = thinking;
    at_answer_start_ = true;
    reasoning_ = terminal::Wrapper(columns_now);
    if (thinking) out += kDim;
  }
  // The newlines that models write around their tags are not part of what they say.
  while (at_answer_start_ && !piece.empty() && piece.front() == '\n') piece.remove_prefix(1);
  if (piece.empty()) return out;
  at_answer_start_ = false;
  if (!thinking) return out + markdown_.push(piece);
  while (!piece.empty()) {
    const size_t newline = std::min(piece.find('\n'), piece.size());
    reasoning_.text(piece.substr(0, newline));
    if (newline < piece.size()) reasoning_.newline();
    piece.remove_prefix(std::min(newline + 1, piece.size()));
  }
  return out + reasoning_.take();
}

Result<void> AnswerView::text(std::string_view piece) {
  clear_status();
  if (piece.empty()) return {};
  if (!styled_) {
    last_ = piece.back();
    return write_out(stdout_is_terminal() ? printable(piece) : std::string(piece));
  }
  std::string out;
  splitter_.push(printable(piece),
                 [&](std::string_view part, bool thinking) { out += shown(part, thinking); });
  if (out.empty()) return {};
  last_ = out.back();
  return write_out(out);
}

Result<void> AnswerView::finish() {
  clear_status();
  if (!styled_) return last_ == '\n' ? Result<void>{} : write_out("\n");
  std::string out;
  splitter_.finish([&](std::string_view part, bool thinking) { out += shown(part, thinking); });
  if (was_thinking_) {
    reasoning_.end_word();
    out += reasoning_.take() + std::string(kReset);
  } else {
    out += markdown_.finish();
  }
  const bool ends_line = out.empty() ? last_ == '\n' : out.ends_with('\n');
  return write_out(ends_line ? out : out + "\n");
}

}  // namespace hearth
