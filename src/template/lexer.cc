#include "template/lexer.h"

#include <unicode/uchar.h>

#include <charconv>

#include "base/utf8.h"
#include "template/ast.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool digit_of(char c, int base) {
  if (base <= 10) return c >= '0' && c < '0' + base;
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The end of digits with single underscores between them, from `at`; `at` where there are none.
size_t digits_end(std::string_view text, size_t at, int base) {
  size_t end = at;
  while (end < text.size() && digit_of(text[end], base)) {
    ++end;
    if (end + 1 < text.size() && text[end] == '_' && digit_of(text[end + 1], base)) ++end;
  }
  return end;
}

class Lexer {
 public:
  Lexer(std::string_view source, const TemplateSettings& settings)
      : source_(source), settings_(settings) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) TRY(root());
    push(TokenKind::kEnd, source_.size(), {});
    return std::move(tokens_);
  }

 private:
  Result<void> root();
  Result<bool> raw(size_t tag, size_t text_end);
  Result<void> comment(size_t tag);
  Result<void> inside(bool block);
  Result<void> token();
  bool number();
  Result<bool> name();
  Result<bool> string();
  Result<void> bracket(char c);
  size_t end_tag(bool block);
  std::string_view trim_data(std::string_view data, char sign, bool variable);

  bool starts(size_t at, std::string_view what) const {
    return source_.substr(std::min(at, source_.size()), what.size()) == what;
  }
  size_t skip_space(size_t at) const {
    return source_.size() - strip_left(source_.substr(at)).size();
  }
  char sign_at(size_t at) const {
    return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : 0;
  }
  void push(TokenKind kind, size_t pos, std::string_view text) {
    tokens_.push_back({kind, static_cast<uint32_t>(pos), text});
  }
  void move_to(size_t at) {
    at_ = at;
    line_starting_ = at > 0 && source_[at - 1] == '\n';
  }
  std::unexpected<Error> error(size_t pos, std::string message) const {
    return syntax_error(source_, static_cast<uint32_t>(pos), std::move(message));
  }

  std::string_view source_;
  const TemplateSettings& settings_;
  size_t at_ = 0;
  bool line_starting_ = true;  // the last tag ended with a newline
  std::string closers_;        // brackets still open inside a tag
  std::vector<Token> tokens_;
};

// What is left of the text before a tag.
std::string_view Lexer::trim_data(std::string_view data, char sign, bool variable) {
  if (sign == '-') return strip_right(data);
  if (sign == '+' || variable || !settings_.lstrip_blocks) return data;
  size_t line = data.rfind('\n') + 1;
  if (line == 0 && !line_starting_) return data;
  return strip_left(data.substr(line)).empty() ? data.substr(0, line) : data;
}

// Text up to the next tag, and that tag.
Result<void> Lexer::root() {
  size_t tag = at_;
  for (;; ++tag) {
    tag = source_.find('{', tag);
    if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
      push(TokenKind::kData, at_, source_.substr(at_));
      at_ = source_.size();
      return {};
    }
    char next = source_[tag + 1];
    if (next == '{' || next == '%' || next == '#') break;
  }
  char kind = source_[tag + 1];
  if (kind == '%' && TRY(raw(tag, tag))) return {};
  char sign = sign_at(tag + 2);
  std::string_view data = trim_data(source_.substr(at_, tag - at_), sign, kind == '{');
  if (!data.empty()) push(TokenKind::kData, at_, data);
  move_to(tag + 2 + (sign ? 1 : 0));
  if (kind == '#') return comment(tag);
  push(kind == '%' ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, tag, {});
  return inside(kind == '%');
}

// {% raw %} up to {% endraw %}; false where the tag is another one.
Result<bool> Lexer::raw(size_t tag, size_t text_end) {
  char sign = sign_at(tag + 2);
  size_t at = skip_space(tag + 2 + (sign ? 1 : 0));
  if (!starts(at, "raw")) return false;
  at = skip_space(at + 3);
  if (starts(at, "-%}")) {
    at = skip_space(at + 3);
  } else if (starts(at, "%}")) {
    at += 2;
  } else {
    return false;
  }
  std::string_view before = trim_data(source_.substr(at_, text_end - at_), sign, false);
  if (!before.empty()) push(TokenKind::kData, at_, before);
  move_to(at);
  for (size_t end = source_.find("{%", at); end != std::string_view::npos;
       end = source_.find("{%", end + 1)) {
    char end_sign = sign_at(end + 2);
    size_t close = skip_space(end + 2 + (end_sign ? 1 : 0));
    if (!starts(close, "endraw")) continue;
    at_ = skip_space(close + 6);
    size_t after = end_tag(true);
    if (after == 0) continue;
    std::string_view body = trim_data(source_.substr(at, end - at), end_sign, false);
    if (!body.empty()) push(TokenKind::kData, at, body);
    move_to(after);
    return true;
  }
  return error(tag, "missing end of raw block");
}

Result<void> Lexer::comment(size_t tag) {
  size_t end = source_.find("#}", at_);
  if (end == std::string_view::npos) return error(tag, "missing end of comment");
  char sign = end > at_ ? source_[end - 1] : 0;
  end += 2;
  if (sign == '-') {
    end = skip_space(end);
  } else if (sign != '+' && settings_.trim_blocks && starts(end, "\n")) {
    ++end;
  }
  move_to(end);
  return {};
}

// Where the text goes on after the end of a tag that starts at at_; 0 where none does.
size_t Lexer::end_tag(bool block) {
  std::string_view close = block ? "%}" : "}}";
  if (starts(at_, close)) {
    size_t end = at_ + 2;
    return block && settings_.trim_blocks && starts(end, "\n") ? end + 1 : end;
  }
  if (!starts(at_ + 1, close)) return 0;
  if (source_[at_] == '-') return skip_space(at_ + 3);
  return block && source_[at_] == '+' ? at_ + 3 : 0;
}

// The tokens of a tag and its end.
Result<void> Lexer::inside(bool block) {
  closers_.clear();
  while (at_ < source_.size()) {
    size_t end = closers_.empty() ? end_tag(block) : 0;
    if (end != 0) {
      push(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, at_, {});
      move_to(end);
      return {};
    }
    TRY(token());
  }
  return {};
}

Result<void> Lexer::token() {
  size_t after = skip_space(at_);
  if (after != at_) {
    at_ = after;
    return {};
  }
  if (number() || TRY(name()) || TRY(string())) return {};
  for (std::string_view op : kOperators) {
    if (!starts(at_, op)) continue;
    if (op.size() == 1) TRY(bracket(op[0]));
    push(TokenKind::kOperator, at_, source_.substr(at_, op.size()));
    at_ += op.size();
    return {};
  }
  return error(at_, "unexpected character");
}

bool Lexer::number() {
  if (!digit_of(source_[at_], 10)) return false;
  size_t end = digits_end(source_, at_, 10);
  bool real = false;
  if (at_ == 0 || source_[at_ - 1] != '.') {
    size_t fraction = end < source_.size() && source_[end] == '.'
                          ? digits_end(source_, end + 1, 10)
                          : end;
    if (fraction > end + 1) {
      end = fraction;
      real = true;
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      size_t digits = end + 1 + (sign_at(end + 1) ? 1 : 0);
      size_t exponent = digits_end(source_, digits, 10);
      if (exponent > digits) {
        end = exponent;
        real = true;
      }
    }
  }
  if (!real && source_[at_] == '0') {
    size_t zeros = at_ + 1;
    char mark = zeros < source_.size() ? static_cast<char>(source_[zeros] | 0x20) : 0;
    int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    size_t digits = at_ + 2 + (starts(at_ + 2, "_") ? 1 : 0);
    size_t based = base ? digits_end(source_, digits, base) : digits;
    if (base && based > digits) {
      end = based;
    } else {  // "007" is three tokens: only zeros may follow a zero
      while (zeros < end && (source_[zeros] == '0' || source_[zeros] == '_')) ++zeros;
      end = zeros;
    }
  }
  push(real ? TokenKind::kFloat : TokenKind::kInteger, at_, source_.substr(at_, end - at_));
  at_ = end;
  return true;
}

Result<bool> Lexer::name() {
  size_t end = at_;
  while (end < source_.size()) {
    Decoded next = decode_utf8(source_, end);
    if (!next.valid || !(is_identifier_part(next.code) || is_alnum(next.code))) break;
    end += next.bytes;
  }
  if (end == at_) return false;
  if (!is_identifier_start(decode_utf8(source_, at_).code)) {
    return error(at_, "invalid character in a name");
  }
  push(TokenKind::kName, at_, source_.substr(at_, end - at_));
  at_ = end;
  return true;
}

Result<bool> Lexer::string() {
  char quote = source_[at_];
  if (quote != '\'' && quote != '"') return false;
  for (size_t end = at_ + 1; end < source_.size(); ++end) {
    if (source_[end] == '\\') {
      ++end;
    } else if (source_[end] == quote) {
      push(TokenKind::kString, at_, source_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      return true;
    }
  }
  return error(at_, "this string does not end");
}

Result<void> Lexer::bracket(char c) {
  if (c == '(' || c == '[' || c == '{') {
    closers_ += c == '(' ? ')' : c == '[' ? ']' : '}';
  } else if (c == ')' || c == ']' || c == '}') {
    if (closers_.empty()) return error(at_, fmt::format("unexpected '{}'", c));
    if (closers_.back() != c) {
      return error(at_, fmt::format("unexpected '{}', expected '{}'", c, closers_.back()));
    }
    closers_.pop_back();
  }
  return {};
}

void append_escaped_code(std::string& out, char32_t code) {
  if (code < 0x100) {
    out += fmt::format("x{:02x}", static_cast<uint32_t>(code));
  } else if (code < 0x10000) {
    out += fmt::format("u{:04x}", static_cast<uint32_t>(code));
  } else {
    out += fmt::format("U{:08x}", static_cast<uint32_t>(code));
  }
}

// \xHH, \uHHHH, \UHHHHHHHH with the letter at body[at]; at moves to the last digit.
Result<char32_t> hex_escape(std::string_view body, size_t& at) {
  size_t digits = body[at] == 'x' ? 2 : body[at] == 'u' ? 4 : 8;
  uint32_t code = 0;
  std::string_view text = body.substr(std::min(at + 1, body.size()), digits);
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), code, 16);
  if (text.size() < digits || end != text.data() + digits || code > 0x10FFFF) {
    return fail(Code::kCorrupt, "truncated \\{} escape in a string", body[at]);
  }
  at += digits;
  return code;
}

// \N{NAME} with the N at body[at].
Result<char32_t> named_escape(std::string_view body, size_t& at) {
  size_t end = body.find('}', at);
  if (at + 1 >= body.size() || body[at + 1] != '{' || end == std::string_view::npos) {
    return fail(Code::kCorrupt, "malformed \\N escape in a string");
  }
  std::string name(body.substr(at + 2, end - at - 2));
  UErrorCode status = U_ZERO_ERROR;
  UChar32 code = u_charFromName(U_UNICODE_CHAR_NAME, name.c_str(), &status);
  if (U_FAILURE(status)) return fail(Code::kCorrupt, "unknown character name in a string");
  at = end;
  return static_cast<char32_t>(code);
}

char32_t octal_escape(std::string_view body, size_t& at) {
  char32_t code = 0;
  size_t end = std::min(at + 3, body.size());
  for (; at < end && digit_of(body[at], 8); ++at) {
    code = code * 8 + static_cast<char32_t>(body[at] - '0');
  }
  --at;
  return code;
}

}  // namespace

std::unexpected<Error> syntax_error(std::string_view source, uint32_t pos, std::string message) {
  return fail(Code::kCorrupt, "{}: {}", position_text(source, pos), message);
}

std::string position_text(std::string_view source, uint32_t offset) {
  std::string_view before = source.substr(0, offset);
  size_t line = 1;
  for (char c : before) line += c == '\n';
  std::string_view row = before.substr(before.rfind('\n') + 1);
  size_t column = 1;
  for (char c : row) column += (c & 0xC0) != 0x80;
  return fmt::format("line {}, column {}", line, column);
}

std::string normalize_newlines(std::string_view source, bool keep_last) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (!keep_last && out.ends_with('\n')) out.pop_back();
  return out;
}

Result<std::vector<Token>> tokenize(std::string_view source, const TemplateSettings& settings) {
  return Lexer(source, settings).run();
}

Result<std::string> unescape(std::string_view body) {
  constexpr std::string_view kLetters = "\\'\"abfnrtv";
  constexpr std::string_view kMeaning = "\\'\"\a\b\f\n\r\t\v";
  std::string out;
  out.reserve(body.size());
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\' || i + 1 >= body.size()) {
      out += body[i];
      continue;
    }
    char letter = body[++i];
    if (size_t known = kLetters.find(letter); known != std::string_view::npos) {
      out += kMeaning[known];
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
      append_utf8(out, TRY(hex_escape(body, i)));
    } else if (letter == 'N') {
      append_utf8(out, TRY(named_escape(body, i)));
    } else if (digit_of(letter, 8)) {
      append_utf8(out, octal_escape(body, i));
    } else if (static_cast<unsigned char>(letter) >= 0x80) {
      // Jinja spells other characters as escapes first, so a backslash before one meets its own.
      Decoded next = decode_utf8(body, i);
      out += '\\';
      append_escaped_code(out, next.code);
      i += next.bytes - 1u;
    } else if (letter != '\n') {
      out += '\\';
      out += letter;
    }
  }
  return out;
}

}  // namespace hearth::jinja
