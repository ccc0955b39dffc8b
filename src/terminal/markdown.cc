#include "terminal/markdown.h"

#include <fmt/format.h>

#include <algorithm>

#include "terminal/width.h"

namespace hearth::terminal {
namespace {

constexpr std::string_view kReset = "\x1b[0m", kBold = "\x1b[1m", kDim = "\x1b[2m";
constexpr std::string_view kItalic = "\x1b[3m", kCode = "\x1b[36m";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }
bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}
bool is_word(char c) { return !is_space(c) && !is_punctuation(c); }

size_t run_of(std::string_view text, char c) {
  const size_t end = text.find_first_not_of(c);
  return end == std::string_view::npos ? text.size() : end;
}

// Whether a line of only these characters may still become a rule, a list or bold text.
bool only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

bool is_rule(std::string_view line) {
  for (const char c : {'-', '*', '_'}) {
    const std::string set = {c, ' '};
    if (only(line, set) && std::count(line.begin(), line.end(), c) >= 3) return true;
  }
  return false;
}

}  // namespace

MarkdownPrinter::MarkdownPrinter(std::function<int()> columns)
    : columns_(columns), wrapper_(std::move(columns)) {}

std::string MarkdownPrinter::push(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    line_ += text.substr(0, newline);
    const bool whole = newline != std::string_view::npos;
    line_piece(whole);
    if (whole) end_line();
    out += wrapper_.take();
    text.remove_prefix(whole ? newline + 1 : text.size());
  }
  return out;
}

std::string MarkdownPrinter::finish() {
  if (!line_.empty() || block_ != Block::kUndecided) {
    line_piece(true);
    if (block_ == Block::kTableRow) end_line();
  }
  flush_table();
  wrapper_.end_word();
  const bool styled =
      bold_ || italic_ || code_ticks_ > 0 || !fence_.empty() || !base_style_.empty();
  std::string out = wrapper_.take();
  if (styled) out += kReset;
  *this = MarkdownPrinter(columns_);
  return out;
}

// Shows what is certain of the line at hand; all of it when it is whole.
void MarkdownPrinter::line_piece(bool whole) {
  if (block_ == Block::kUndecided && !decide(whole)) return;
  if (block_ == Block::kCode) code_line(whole);
  if (block_ == Block::kText) inline_text(whole);
}

// What kind of line this is; false while that is open.
bool MarkdownPrinter::decide(bool whole) {
  const size_t indent = std::min(line_.find_first_not_of(' '), line_.size());
  const std::string_view rest = std::string_view(line_).substr(indent);
  if (!fence_.empty()) {
    if (!whole && only(rest, fence_.substr(0, 1) + " ")) return false;  // it may close the code
    block_ = Block::kCode;
    return true;
  }
  if (rest.empty() && !whole) return false;
  if (rest.starts_with('|')) {
    block_ = Block::kTableRow;
    return true;
  }
  flush_table();
  if (rest.starts_with("`") || rest.starts_with("~")) return open_fence(rest, indent, whole);
  return open_marker(indent, whole);
}

bool MarkdownPrinter::open_fence(std::string_view rest, size_t indent, bool whole) {
  const size_t ticks = run_of(rest, rest[0]);
  if (ticks < 3) {
    if (ticks == rest.size() && !whole) return false;
    block_ = Block::kText;
    return true;
  }
  if (!whole) return false;
  const std::string_view info = rest.substr(ticks);
  if (info.find('`') != std::string_view::npos) {  // a code span that begins with many ticks
    block_ = Block::kText;
    return true;
  }
  fence_.assign(ticks, rest[0]);
  const size_t from = info.find_first_not_of(' ');
  const std::string_view language = from == std::string_view::npos ? "code" : info.substr(from);
  wrapper_.style(kDim);
  wrapper_.text(fmt::format("{}── {}", std::string(indent, ' '), language));
  wrapper_.style(kReset);
  block_ = Block::kShown;
  line_.clear();
  return true;
}

// Headings, lists, quotes and rules; anything else is text.
bool MarkdownPrinter::open_marker(size_t indent, bool whole) {
  const std::string_view rest = std::string_view(line_).substr(indent);
  constexpr size_t kMarkerMax = 12;  // of a number, its stop and what follows
  if (!whole && (only(rest, "-*_ ") || only(rest, "#") || rest == ">" || rest == "+" ||
                 (rest.size() < kMarkerMax && only(rest, "0123456789.)"))))
    return false;
  block_ = Block::kText;
  if (is_rule(rest)) {
    wrapper_.style(kDim);
    wrapper_.text(std::string("────────────────"));
    wrapper_.style(kReset);
    line_.clear();
    return true;
  }
  const size_t hashes = run_of(rest, '#');
  if (hashes >= 1 && hashes <= 6 && (rest.size() == hashes || rest[hashes] == ' ')) {
    line_.erase(0, indent + std::min(hashes + 1, rest.size()));
    base_style_ = kBold;
    set_style();
    return true;
  }
  std::string marker;
  size_t taken = 0;
  const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (rest.size() > 1 && (rest[0] == '-' || rest[0] == '*' || rest[0] == '+') && rest[1] == ' ') {
    marker = "• ", taken = 2;
  } else if (rest.starts_with('>')) {
    marker = "│ ", taken = rest.starts_with("> ") ? 2 : 1;
    base_style_ = kDim;
    set_style();
  } else if (digits >= 1 && digits <= 9 && rest.size() > digits + 1 &&
             (rest[digits] == '.' || rest[digits] == ')') && rest[digits + 1] == ' ') {
    marker = std::string(rest.substr(0, digits + 2)), taken = digits + 2;
  }
  if (taken == 0) return true;
  line_.erase(0, indent + taken);
  // Deep lists on a narrow terminal keep room for their text.
  const size_t shown = std::min(indent, static_cast<size_t>(std::max(columns_(), 16)) / 3);
  wrapper_.text(std::string(shown, ' ') + marker);
  wrapper_.hang(static_cast<int>(shown) + width_of(marker));
  after_space_ = true;
  return true;
}

void MarkdownPrinter::code_line(bool whole) {
  const size_t indent = std::min(line_.find_first_not_of(' '), line_.size());
  const std::string_view rest = std::string_view(line_).substr(indent);
  const bool shown = !base_style_.empty();  // some of this line
  if (whole && !shown && rest.starts_with(fence_) && only(rest, fence_.substr(0, 1) + " ")) {
    fence_.clear();
    wrapper_.style(kDim);
    wrapper_.text("──");
    wrapper_.style(kReset);
    line_.clear();
    return;
  }
  // Code is not wrapped: the terminal breaks it, and what is copied from there stays whole.
  if (!shown) wrapper_.style(base_style_ = kCode);
  wrapper_.style(line_);
  wrapper_.end_word();
  line_.clear();
}

void MarkdownPrinter::end_line() {
  if (block_ == Block::kTableRow && !line_.empty()) {
    table_.push_back(std::move(line_));
  } else {
    const bool styled = bold_ || italic_ || code_ticks_ > 0 || !base_style_.empty();
    bold_ = italic_ = false;
    code_ticks_ = 0;
    base_style_.clear();
    if (styled) wrapper_.style(kReset);
    wrapper_.newline();
  }
  line_.clear();
  block_ = Block::kUndecided;
  after_space_ = true;
}

void MarkdownPrinter::inline_text(bool whole) {
  size_t at = 0;
  while (at < line_.size()) {
    const size_t step = inline_step(std::string_view(line_).substr(at), whole);
    if (step == 0) break;
    at += step;
  }
  line_.erase(0, at);
}

// Shows the first piece of `rest` and returns its bytes; 0 while more must be seen.
size_t MarkdownPrinter::inline_step(std::string_view rest, bool whole) {
  const char c = rest[0];
  if (c == '`') return code_span(rest, whole);
  if (code_ticks_ == 0 && (c == '*' || c == '_')) return emphasis(rest, whole);
  if (code_ticks_ == 0 && c == '\\') {
    if (rest.size() == 1 && !whole) return 0;
    if (rest.size() > 1 && is_punctuation(rest[1])) {
      wrapper_.text(rest.substr(1, 1));
      after_space_ = false;
      return 2;
    }
  }
  size_t end = rest.find_first_of(code_ticks_ > 0 ? "`" : "`*_\\", 1);
  if (end == std::string_view::npos) end = rest.size();
  wrapper_.text(rest.substr(0, end));
  after_space_ = is_space(rest[end - 1]);
  return end;
}

size_t MarkdownPrinter::code_span(std::string_view rest, bool whole) {
  const size_t ticks = run_of(rest, '`');
  if (ticks == rest.size() && !whole) return 0;
  if (code_ticks_ == 0) code_ticks_ = ticks;
  else if (code_ticks_ == ticks) code_ticks_ = 0;
  else wrapper_.text(rest.substr(0, ticks));
  set_style();
  after_space_ = false;
  return ticks;
}

// Emphasis opens before a word and closes behind one; "_" only at the borders of words, so that
// snake_case stays what it is.
size_t MarkdownPrinter::emphasis(std::string_view rest, bool whole) {
  const char c = rest[0];
  const size_t marks = run_of(rest, c);
  if (marks == rest.size() && !whole) return 0;
  const char next = marks < rest.size() ? rest[marks] : ' ';
  const bool open = !is_space(next) && (c == '*' || after_space_);
  const bool close = !after_space_ && (c == '*' || !is_word(next));
  bool used = false;
  if (marks == 2 || marks == 3) {
    if (bold_ ? close : open) bold_ = !bold_, used = true;
  }
  if (marks == 1 || marks == 3) {
    if (italic_ ? close : open) italic_ = !italic_, used = true;
  }
  if (used) set_style();
  else wrapper_.text(rest.substr(0, marks));
  after_space_ = after_space_ && used;
  return marks;
}

void MarkdownPrinter::set_style() {
  std::string style(kReset);
  style += base_style_;
  if (bold_) style += kBold;
  if (italic_) style += kItalic;
  if (code_ticks_ > 0) style += kCode;
  wrapper_.style(style);
}

void MarkdownPrinter::flush_table() {
  if (table_.empty()) return;
  std::string text = format_table(table_, columns_());
  if (text.empty())
    for (const std::string& row : table_) text += row + "\n";
  table_.clear();
  wrapper_.style(text);
  wrapper_.end_word();
}

}  // namespace hearth::terminal
