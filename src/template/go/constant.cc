#include "template/go/constant.h"

#include <charconv>
#include <cmath>

#include "base/utf8.h"

namespace hearth::gotmpl {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct Escaped {
  uint32_t code = 0;
  size_t bytes = 0;      // consumed; 0 where it is no escape
  bool is_byte = false;  // \x and octal: one byte, whatever it is
};

// `count` digits of 2^bits from text[at].
std::optional<uint32_t> digits(std::string_view text, size_t at, size_t count, int bits) {
  if (text.size() < at + count) return std::nullopt;
  uint32_t value = 0;
  for (size_t i = at; i < at + count; ++i) {
    int digit = hex_digit(text[i]);
    if (digit < 0 || digit >= (1 << bits)) return std::nullopt;
    value = value << bits | static_cast<uint32_t>(digit);
  }
  return value;
}

Escaped escape_of_code(std::string_view text, char kind) {
  size_t count = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
  auto code = digits(text, 2, count, 4);
  if (!code) return {};
  bool valid = *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
  if (kind != 'x' && !valid) return {};
  return {*code, 2 + count, kind == 'x'};
}

// The escape at the start of text, a backslash and what follows.
Escaped escape(std::string_view text, char quote) {
  if (text.size() < 2) return {};
  static constexpr std::string_view kLetters = "abfnrtv\\", kCodes = "\a\b\f\n\r\t\v\\";
  char c = text[1];
  if (size_t at = kLetters.find(c); at != std::string_view::npos)
    return {static_cast<uint8_t>(kCodes[at]), 2, false};
  if (c == 'x' || c == 'u' || c == 'U') return escape_of_code(text, c);
  if (c >= '0' && c <= '7') {
    auto code = digits(text, 1, 3, 3);
    return code && *code <= 255 ? Escaped{*code, 4, true} : Escaped{};
  }
  if (c == quote) return {static_cast<uint8_t>(c), 2, false};
  return {};
}

// Go's rule for _ in numbers: between digits, or after the prefix of a base.
bool underscores_are_right(std::string_view text) {
  char last = '^';  // 0 for a digit, _ for an underscore, ! for anything else
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  bool hex = false;
  if (text.size() >= 2 && text[0] == '0') {
    char base = static_cast<char>(text[1] | 0x20);
    if (base == 'b' || base == 'o' || base == 'x') {
      hex = base == 'x';
      last = '0';
      text.remove_prefix(2);
    }
  }
  for (char c : text) {
    if ((c >= '0' && c <= '9') || (hex && hex_digit(c) >= 0)) {
      last = '0';
    } else if (c == '_') {
      if (last != '0') return false;
      last = '_';
    } else {
      if (last == '_') return false;
      last = '!';
    }
  }
  return last != '_';
}

std::string without_underscores(std::string_view text) {
  std::string out;
  for (char c : text)
    if (c != '_') out += c;
  return out;
}

struct Magnitude {
  uint64_t value = 0;
  bool valid = false, fits = true;
};

// An integer in base 2, 8, 10 or 16 by its prefix, without its sign.
Magnitude magnitude(std::string_view text) {
  int base = 10;
  if (text.size() >= 1 && text[0] == '0') {
    char prefix = text.size() >= 3 ? static_cast<char>(text[1] | 0x20) : '0';
    base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
    text.remove_prefix(prefix == 'x' || prefix == 'b' || prefix == 'o' ? 2 : 1);
    if (text.empty()) return {0, true, true};  // "0"
  }
  std::string plain = without_underscores(text);
  if (plain.empty() || hex_digit(plain[0]) < 0) return {};
  Magnitude out;
  auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), out.value, base);
  out.valid = end == plain.data() + plain.size();
  out.fits = error == std::errc();
  return out;
}

// A float as Go's ParseFloat reads it: a hexadecimal one must have its exponent.
std::optional<double> parse_float(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string plain = without_underscores(text);
  auto format = std::chars_format::general;
  std::string_view body = plain;
  if (body.size() > 2 && body[0] == '0' && (body[1] | 0x20) == 'x') {
    format = std::chars_format::hex;
    body.remove_prefix(2);
    if (body.find_first_of("pP") == std::string_view::npos) return std::nullopt;
  }
  if (body.empty() || (hex_digit(body[0]) < 0 && body[0] != '.')) return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), value, format);
  if (end != body.data() + body.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too small is zero, too large is an error; from_chars does not say which it was.
    size_t exponent = body.find_first_of(format == std::chars_format::hex ? "pP" : "eE");
    bool tiny = exponent != std::string_view::npos && body.substr(exponent + 1).starts_with('-');
    tiny = tiny || (exponent == std::string_view::npos && body.find('.') <= 1);
    if (!tiny) return std::nullopt;
    value = 0;
  }
  return negative ? -value : value;
}

bool is_hex_integer(std::string_view text) {
  return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') &&
         text.find_first_of("pP") == std::string_view::npos;
}

}  // namespace

std::optional<std::string> unquote(std::string_view quoted) {
  if (quoted.size() < 2) return std::nullopt;
  char quote = quoted.front();
  std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  if (quote == '`') {
    for (char c : text)
      if (c != '\r') out += c;
    return out;
  }
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      Decoded one = decode_utf8(text, i);
      append_utf8(out, one.code);
      i += one.valid ? one.bytes : 1;
      continue;
    }
    Escaped one = escape(text.substr(i), quote);
    if (one.bytes == 0) return std::nullopt;
    if (one.is_byte) out += static_cast<char>(one.code);
    else append_utf8(out, one.code);
    i += one.bytes;
  }
  return out;
}

std::optional<int64_t> unquote_char(std::string_view quoted) {
  if (quoted.size() < 3) return std::nullopt;
  std::string_view text = quoted.substr(1, quoted.size() - 2);
  if (text[0] == '\\') {
    Escaped one = escape(text, '\'');
    if (one.bytes != text.size()) return std::nullopt;
    return one.code;
  }
  Decoded one = decode_utf8(text, 0);
  if ((one.valid ? one.bytes : 1) != text.size()) return std::nullopt;
  return one.code;
}

std::optional<Number> parse_number(std::string_view text) {
  if (text.ends_with('i')) {
    Number imaginary{Number::Kind::kImaginary};
    return parse_float(text.substr(0, text.size() - 1)) ? std::optional(imaginary) : std::nullopt;
  }
  if (text.find('_') != std::string_view::npos && !underscores_are_right(text))
    return std::nullopt;
  bool is_signed = text.starts_with('+') || text.starts_with('-');
  bool negative = text.starts_with('-');
  Magnitude whole = magnitude(text.substr(is_signed ? 1 : 0));
  uint64_t limit = static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  bool is_int = whole.valid && whole.fits && whole.value <= limit;
  bool is_uint = whole.valid && whole.fits && !is_signed;
  Number out;
  if (is_int) {
    out.integer = static_cast<int64_t>(negative ? 0 - whole.value : whole.value);
    out.number = static_cast<double>(out.integer);
  } else if (is_uint) {
    out.number = static_cast<double>(whole.value);
  } else {
    auto number = parse_float(text);
    if (!number || text.find_first_of(".eEpP") == std::string_view::npos) return std::nullopt;
    out.number = *number;
  }
  if (!is_hex_integer(text) && text.find_first_of(".eEpP") != std::string_view::npos) {
    out.kind = Number::Kind::kFloat;
  } else if (!is_int) {
    out.kind = Number::Kind::kOverflow;
  }
  return out;
}

}  // namespace hearth::gotmpl
