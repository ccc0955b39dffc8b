#include "terminal/line_buffer.h"

#include <unicode/uchar.h>

#include "base/utf8.h"
#include "terminal/width.h"

namespace hearth::terminal {
namespace {

bool is_word(std::string_view text, size_t at) {
  const auto code = static_cast<UChar32>(decode_utf8(text, at).code);
  return u_isalnum(code) || code == '_' || (U_GET_GC_MASK(code) & U_GC_M_MASK) != 0;
}

}  // namespace

void LineBuffer::set(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
}

// What is inserted may join the character before it (an accent): the cursor goes on to a border.
void LineBuffer::insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
  const size_t before = previous_cluster(text_, cursor_);
  if (const size_t border = next_cluster(text_, before); border > cursor_) cursor_ = border;
}

void LineBuffer::left() { cursor_ = previous_cluster(text_, cursor_); }
void LineBuffer::right() { cursor_ = next_cluster(text_, cursor_); }

size_t LineBuffer::word_begin() const {
  size_t at = cursor_;
  const auto before_is_word = [&] { return is_word(text_, previous_cluster(text_, at)); };
  while (at > 0 && !before_is_word()) at = previous_cluster(text_, at);
  while (at > 0 && before_is_word()) at = previous_cluster(text_, at);
  return at;
}

size_t LineBuffer::word_finish() const {
  size_t at = cursor_;
  while (at < text_.size() && !is_word(text_, at)) at = next_cluster(text_, at);
  while (at < text_.size() && is_word(text_, at)) at = next_cluster(text_, at);
  return at;
}

void LineBuffer::word_left() { cursor_ = word_begin(); }
void LineBuffer::word_right() { cursor_ = word_finish(); }

size_t LineBuffer::line_begin(size_t at) const {
  const size_t newline = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
  return newline == std::string::npos ? 0 : newline + 1;
}

size_t LineBuffer::line_finish(size_t at) const {
  const size_t newline = text_.find('\n', at);
  return newline == std::string::npos ? text_.size() : newline;
}

void LineBuffer::line_start() { cursor_ = line_begin(cursor_); }
void LineBuffer::line_end() { cursor_ = line_finish(cursor_); }

int LineBuffer::column() const {
  const size_t begin = line_begin(cursor_);
  return width_of(std::string_view(text_).substr(begin, cursor_ - begin));
}

void LineBuffer::move_to_column(size_t line, int column) {
  const size_t end = line_finish(line);
  cursor_ = line;
  for (int width = 0; cursor_ < end;) {
    const size_t next = next_cluster(text_, cursor_);
    width += width_of(std::string_view(text_).substr(cursor_, next - cursor_));
    if (width > column) break;
    cursor_ = next;
  }
}

bool LineBuffer::up() {
  const size_t begin = line_begin(cursor_);
  if (begin == 0) return false;
  move_to_column(line_begin(begin - 1), column());
  return true;
}

bool LineBuffer::down() {
  const size_t end = line_finish(cursor_);
  if (end == text_.size()) return false;
  move_to_column(end + 1, column());
  return true;
}

void LineBuffer::delete_left() {
  const size_t begin = previous_cluster(text_, cursor_);
  text_.erase(begin, cursor_ - begin);
  cursor_ = begin;
}

void LineBuffer::delete_right() {
  text_.erase(cursor_, next_cluster(text_, cursor_) - cursor_);
}

void LineBuffer::kill(size_t begin, size_t end) {
  if (begin == end) return;
  killed_ = text_.substr(begin, end - begin);
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

void LineBuffer::delete_word_left() { kill(word_begin(), cursor_); }
void LineBuffer::delete_word_right() { kill(cursor_, word_finish()); }
void LineBuffer::delete_to_line_start() { kill(line_begin(cursor_), cursor_); }

// At the end of a line it takes the newline, so that pressing it again joins lines.
void LineBuffer::delete_to_line_end() {
  const size_t end = line_finish(cursor_);
  if (end == cursor_) delete_right();
  else kill(cursor_, end);
}

void LineBuffer::transpose() {
  if (cursor_ == 0) return;
  if (cursor_ == text_.size() || text_[cursor_] == '\n') left();
  const size_t begin = previous_cluster(text_, cursor_), end = next_cluster(text_, cursor_);
  if (begin == cursor_ || end == cursor_) return;
  const std::string second = text_.substr(cursor_, end - cursor_);
  text_.erase(cursor_, second.size());
  text_.insert(begin, second);
  cursor_ = end;
}

}  // namespace hearth::terminal
