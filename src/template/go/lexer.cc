#include "template/go/lexer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "template/unicode.h"

namespace hearth::gotmpl {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr char32_t kEnd = 0xFFFFFFFF;
constexpr size_t kTrimMarker = 2;  // '-' and the space beside it

bool is_space(char32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_alphanumeric(char32_t c) {
  if (c < 0x80) return c == '_' || std::isalnum(static_cast<int>(c));
  return c != kEnd && (jinja::is_alpha(c) || jinja::is_decimal(c));
}

struct Keyword {
  std::string_view word;
  Tok kind;
};
constexpr Keyword kKeywords[] = {
    {"block", Tok::kBlock},   {"break", Tok::kBreak}, {"continue", Tok::kContinue},
    {"define", Tok::kDefine}, {"else", Tok::kElse},   {"end", Tok::kEnd},
    {"if", Tok::kIf},         {"nil", Tok::kNil},     {"range", Tok::kRange},
    {"template", Tok::kTemplate}, {"with", Tok::kWith}, {"true", Tok::kBool},
    {"false", Tok::kBool},
};

size_t leading_spaces(std::string_view text) {
  return std::min(text.find_first_not_of(kSpaces), text.size());
}

size_t trailing_spaces(std::string_view text) {
  size_t last = text.find_last_not_of(kSpaces);
  return last == std::string_view::npos ? text.size() : text.size() - last - 1;
}

}  // namespace

std::string place(std::string_view source, size_t pos) {
  std::string_view before = source.substr(0, std::min(pos, source.size()));
  size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  size_t newline = before.rfind('\n');
  size_t column = newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
  return fmt::format("line {}, column {}", line, column + 1);
}

Token Lexer::emit(Tok kind) {
  Token token{kind, static_cast<uint32_t>(start_), source_.substr(start_, pos_ - start_)};
  start_ = pos_;
  return token;
}

Token Lexer::error(std::string_view message) {
  message_ = message;
  failed_ = true;
  return {Tok::kError, static_cast<uint32_t>(start_), message_};
}

char32_t Lexer::peek(uint8_t* bytes) const {
  *bytes = 0;
  if (pos_ >= source_.size()) return kEnd;
  Decoded next = decode_utf8(source_, pos_);
  *bytes = next.valid ? next.bytes : 1;
  return next.code;
}

bool Lexer::accept(std::string_view set) {
  if (pos_ >= source_.size() || set.find(source_[pos_]) == std::string_view::npos) return false;
  ++pos_;
  return true;
}

void Lexer::accept_run(std::string_view set) {
  while (accept(set)) {
  }
}

bool Lexer::starts_with(size_t at, std::string_view text) const {
  return at <= source_.size() && source_.substr(at).starts_with(text);
}

bool Lexer::at_right_delim(bool* trims) const {
  *trims = pos_ + 1 < source_.size() && is_space(static_cast<unsigned char>(source_[pos_])) &&
           starts_with(pos_ + 1, "-}}");
  return *trims || starts_with(pos_, "}}");
}

// Whether what follows may end a name.
bool Lexer::at_terminator() const {
  uint8_t bytes;
  char32_t c = peek(&bytes);
  if (c == kEnd || is_space(c)) return true;
  if (c < 0x80 && std::string_view(".,|:)(").find(static_cast<char>(c)) != std::string_view::npos)
    return true;
  return starts_with(pos_, "}}");
}

Token Lexer::next() {
  if (failed_) return {Tok::kError, static_cast<uint32_t>(start_), message_};
  return inside_ ? inside() : text();
}

Token Lexer::text() {
  while (true) {
    size_t open = source_.find("{{", pos_);
    if (open == std::string_view::npos) {
      pos_ = source_.size();
      return pos_ > start_ ? emit(Tok::kText) : emit(Tok::kEof);
    }
    bool trims = open + 3 < source_.size() && source_[open + 2] == '-' &&
                 is_space(static_cast<unsigned char>(source_[open + 3]));
    size_t trimmed = trims ? trailing_spaces(source_.substr(start_, open - start_)) : 0;
    pos_ = open - trimmed;
    if (pos_ > start_) {
      Token token = emit(Tok::kText);
      start_ = pos_ = open;
      return token;
    }
    start_ = pos_ = open;
    size_t inner = open + 2 + (trims ? kTrimMarker : 0);
    if (!starts_with(inner, "/*")) {
      pos_ = open + 2;
      Token token = emit(Tok::kLeftDelim);
      start_ = pos_ = inner;
      inside_ = true;
      parens_ = 0;
      return token;
    }
    pos_ = inner;
    Token failure;
    if (!skip_comment(&failure)) return failure;
  }
}

bool Lexer::skip_comment(Token* failure) {
  start_ = pos_;
  size_t close = source_.find("*/", pos_ + 2);
  if (close == std::string_view::npos) {
    *failure = error("unclosed comment");
    return false;
  }
  pos_ = close + 2;
  bool trims;
  if (!at_right_delim(&trims)) {
    *failure = error("comment ends before closing delimiter");
    return false;
  }
  pos_ += (trims ? kTrimMarker : 0) + 2;
  if (trims) pos_ += leading_spaces(source_.substr(pos_));
  start_ = pos_;
  return true;
}

Token Lexer::right_delim() {
  bool trims;
  at_right_delim(&trims);
  if (trims) start_ = pos_ += kTrimMarker;
  pos_ += 2;
  Token token = emit(Tok::kRightDelim);
  if (trims) start_ = pos_ += leading_spaces(source_.substr(pos_));
  inside_ = false;
  return token;
}

Token Lexer::inside() {
  bool trims;
  if (at_right_delim(&trims)) {
    if (parens_ == 0) return right_delim();
    return error("unclosed left paren");
  }
  uint8_t bytes;
  char32_t c = peek(&bytes);
  if (c == kEnd) return error("unclosed action");
  if (is_space(c)) return space();
  if (is_alphanumeric(c) && !(c >= '0' && c <= '9')) return identifier();
  char32_t after = pos_ + 1 < source_.size() ? static_cast<unsigned char>(source_[pos_ + 1]) : 0;
  bool digit_after = after >= '0' && after <= '9';
  if (c == '+' || c == '-' || (c >= '0' && c <= '9') || (c == '.' && digit_after)) return number();
  pos_ += bytes;
  switch (c) {
    case '=': return emit(Tok::kAssign);
    case ':':
      if (!accept("=")) return error("expected :=");
      return emit(Tok::kDeclare);
    case '|': return emit(Tok::kPipe);
    case '"': return quoted('"', Tok::kString, "unterminated quoted string");
    case '\'': return quoted('\'', Tok::kCharConstant, "unterminated character constant");
    case '`': return raw_string();
    case '$': return field_or_variable(Tok::kVariable);
    case '.':
      if (pos_ < source_.size()) return field_or_variable(Tok::kField);
      --pos_;
      return number();
    case '(': ++parens_; return emit(Tok::kLeftParen);
    case ')':
      if (--parens_ < 0) return error("unexpected right paren");
      return emit(Tok::kRightParen);
    default: break;
  }
  if (c > ' ' && c < 0x7F) return emit(Tok::kChar);
  return error(fmt::format("unrecognized character U+{:04X} in action", static_cast<uint32_t>(c)));
}

// A run of spaces, without the one that belongs to " -}}".
Token Lexer::space() {
  size_t run = leading_spaces(source_.substr(pos_));
  pos_ += run;
  if (starts_with(pos_, "-}}")) {
    --pos_;
    if (run == 1) return right_delim();
  }
  return emit(Tok::kSpace);
}

Token Lexer::identifier() {
  uint8_t bytes;
  while (is_alphanumeric(peek(&bytes))) pos_ += bytes;
  if (!at_terminator()) return error("bad character after a name");
  std::string_view word = source_.substr(start_, pos_ - start_);
  for (const Keyword& row : kKeywords)
    if (row.word == word) return emit(row.kind);
  return emit(Tok::kIdentifier);
}

Token Lexer::field_or_variable(Tok kind) {
  if (at_terminator()) return emit(kind == Tok::kVariable ? Tok::kVariable : Tok::kDot);
  uint8_t bytes;
  while (is_alphanumeric(peek(&bytes))) pos_ += bytes;
  if (!at_terminator()) return error("bad character in a name");
  return emit(kind);
}

Token Lexer::number() {
  bool ok = scan_number();
  bool is_complex = ok && pos_ < source_.size() && (source_[pos_] == '+' || source_[pos_] == '-');
  if (is_complex) ok = scan_number() && source_[pos_ - 1] == 'i';
  if (!ok)
    return error(fmt::format("bad number syntax: {}", source_.substr(start_, pos_ - start_)));
  return emit(is_complex ? Tok::kComplex : Tok::kNumber);
}

// Takes more than numbers: what is none is found when its value is asked for.
bool Lexer::scan_number() {
  accept("+-");
  std::string_view digits = "0123456789_";
  if (accept("0")) {
    if (accept("xX")) digits = "0123456789abcdefABCDEF_";
    else if (accept("oO")) digits = "01234567_";
    else if (accept("bB")) digits = "01_";
  }
  accept_run(digits);
  if (accept(".")) accept_run(digits);
  if ((digits.size() == 11 && accept("eE")) || (digits.size() == 23 && accept("pP"))) {
    accept("+-");
    accept_run("0123456789_");
  }
  accept("i");
  uint8_t bytes;
  if (!is_alphanumeric(peek(&bytes))) return true;
  pos_ += bytes;
  return false;
}

Token Lexer::quoted(char quote, Tok kind, std::string_view message) {
  while (pos_ < source_.size()) {
    char c = source_[pos_++];
    if (c == '\n') return error(message);
    if (c == quote) return emit(kind);
    if (c != '\\') continue;
    if (pos_ >= source_.size() || source_[pos_] == '\n') return error(message);
    ++pos_;
  }
  return error(message);
}

Token Lexer::raw_string() {
  size_t close = source_.find('`', pos_);
  if (close == std::string_view::npos) return error("unterminated raw quoted string");
  pos_ = close + 1;
  return emit(Tok::kRawString);
}

}  // namespace hearth::gotmpl
