#include "template/go/format_number.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "base/utf8.h"
#include "template/unicode.h"

namespace hearth::gotmpl {
namespace {

// The digits of a number: 0.DIGITS * 10^point, without zeros at the end.
struct Digits {
  std::string digits;
  int point = 0;
};

Digits from_scientific(std::string_view text) {
  Digits out;
  size_t e = text.find('e');
  for (char c : text.substr(0, e))
    if (c != '.') out.digits += c;
  int exponent = 0;
  std::string_view tail = text.substr(e + 1);
  if (tail.starts_with('+')) tail.remove_prefix(1);
  std::from_chars(tail.data(), tail.data() + tail.size(), exponent);
  out.point = exponent + 1;
  while (!out.digits.empty() && out.digits.back() == '0') out.digits.pop_back();
  if (out.digits.empty()) out.point = 0;
  return out;
}

// REQUIRES: value is finite and not negative. `count` digits, or the shortest where it is < 0.
Digits digits_of(double value, int count) {
  std::string buffer(static_cast<size_t>(std::max(count, 0)) + 64, '\0');
  char* begin = buffer.data();
  char* end = begin + buffer.size();
  auto done = count < 0
                  ? std::to_chars(begin, end, value, std::chars_format::scientific)
                  : std::to_chars(begin, end, value, std::chars_format::scientific, count - 1);
  CHECK(done.ec == std::errc());
  return from_scientific({begin, done.ptr});
}

// d.ddde+dd with `precision` digits after the point.
std::string layout_e(const Digits& d, int precision, char e) {
  std::string out(1, d.digits.empty() ? '0' : d.digits[0]);
  if (precision > 0) {
    out += '.';
    size_t have = d.digits.empty() ? 0 : d.digits.size() - 1;
    size_t take = std::min(have, static_cast<size_t>(precision));
    if (take > 0) out.append(d.digits, 1, take);
    out.append(static_cast<size_t>(precision) - take, '0');
  }
  int exponent = d.digits.empty() ? 0 : d.point - 1;
  out += e;
  out += exponent < 0 ? '-' : '+';
  int size = std::abs(exponent);
  if (size < 10) out += '0';
  return out + std::to_string(size);
}

// ddd.ddd with `precision` digits after the point.
std::string layout_f(const Digits& d, int precision) {
  std::string out;
  int have = static_cast<int>(d.digits.size());
  if (d.point > 0) {
    int whole = std::min(have, d.point);
    out.append(d.digits, 0, static_cast<size_t>(whole));
    out.append(static_cast<size_t>(d.point - whole), '0');
  } else {
    out += '0';
  }
  if (precision > 0) {
    out += '.';
    for (int i = d.point; i < d.point + precision; ++i)
      out += i >= 0 && i < have ? d.digits[static_cast<size_t>(i)] : '0';
  }
  return out;
}

std::string fixed(double value, int precision) {
  std::string buffer(static_cast<size_t>(precision) + 400, '\0');
  auto done = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                            std::chars_format::fixed, precision);
  CHECK(done.ec == std::errc());
  return {buffer.data(), done.ptr};
}

std::string general(double value, int precision, char e) {
  bool shortest = precision < 0;
  if (precision == 0) precision = 1;
  Digits d = digits_of(value, shortest ? -1 : precision);
  int have = static_cast<int>(d.digits.size());
  if (shortest) precision = have;
  int threshold = precision;
  if (threshold > have && have >= d.point) threshold = have;
  if (shortest) threshold = 6;
  int exponent = d.point - 1;
  if (exponent < -4 || exponent >= threshold)
    return layout_e(d, std::min(precision, have) - 1, e);
  return layout_f(d, std::max(have - d.point, 0));
}

// Mantissa and exponent of two: 4503599627370496p-52.
std::string layout_b(double value) {
  uint64_t bits = std::bit_cast<uint64_t>(value);
  int exponent = static_cast<int>(bits >> 52 & 0x7FF);
  uint64_t mantissa = bits & ((uint64_t{1} << 52) - 1);
  if (exponent == 0) ++exponent;
  else mantissa |= uint64_t{1} << 52;
  exponent -= 1023 + 52;
  return std::to_string(mantissa) + (exponent >= 0 ? "p+" : "p") + std::to_string(exponent);
}

// 0x1.8p+01 with so many hexadecimal digits after the point, or as many as there are.
std::string layout_x(double value, int precision, bool upper) {
  uint64_t bits = std::bit_cast<uint64_t>(value);
  int exponent = static_cast<int>(bits >> 52 & 0x7FF);
  uint64_t mantissa = bits & ((uint64_t{1} << 52) - 1);
  if (exponent == 0) ++exponent;
  else mantissa |= uint64_t{1} << 52;
  exponent -= 1023;
  if (mantissa == 0) exponent = 0;
  mantissa <<= 8;  // the one before the point at bit 60
  while (mantissa != 0 && (mantissa >> 60) == 0) {
    mantissa <<= 1;
    --exponent;
  }
  if (precision >= 0 && precision < 15) {
    int shift = precision * 4;
    uint64_t extra = (mantissa << shift) & ((uint64_t{1} << 60) - 1);
    mantissa >>= 60 - shift;
    if ((extra | (mantissa & 1)) > uint64_t{1} << 59) ++mantissa;
    mantissa <<= 60 - shift;
    if (mantissa >> 61 != 0) {
      mantissa >>= 1;
      ++exponent;
    }
  }
  const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out = upper ? "0X" : "0x";
  out += static_cast<char>('0' + (mantissa >> 60 & 1));
  mantissa <<= 4;
  if (precision < 0 ? mantissa != 0 : precision > 0) {
    out += '.';
    for (int i = 0; precision < 0 ? mantissa != 0 : i < precision; ++i) {
      out += digits[mantissa >> 60];
      mantissa <<= 4;
    }
  }
  out += upper ? 'P' : 'p';
  out += exponent < 0 ? '-' : '+';
  int size = std::abs(exponent);
  if (size < 10) out += '0';
  return out + std::to_string(size);
}

// What '#' adds to a float without its sign: a point, and the zeros that %g leaves out.
std::string with_point(std::string text, char verb, int precision) {
  int digits = verb == 'v' || verb == 'g' || verb == 'G' || verb == 'x' ? precision : 0;
  if (digits == -1) digits = 6;
  bool is_hex = verb == 'x' || verb == 'X';
  size_t tail_at = text.find_first_of(is_hex ? "pP" : "eEpP");
  std::string tail = tail_at == std::string::npos ? "" : text.substr(tail_at);
  text.resize(text.size() - tail.size());
  bool has_point = false, seen = false;
  for (char c : text) {
    if (c == '.') {
      has_point = true;
      continue;
    }
    seen = seen || c != '0';
    digits -= seen;
  }
  if (!has_point) {
    if (text == "0") --digits;
    text += '.';
  }
  text.append(static_cast<size_t>(std::max(digits, 0)), '0');
  return text + tail;
}

}  // namespace

std::string format_float(double value, char format, int precision) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  std::string sign = std::signbit(value) ? "-" : "";
  value = std::abs(value);
  switch (format) {
    case 'b': return sign + layout_b(value);
    case 'x': case 'X': return sign + layout_x(value, precision, format == 'X');
    case 'e': case 'E': {
      Digits d = digits_of(value, precision < 0 ? -1 : precision + 1);
      int shown = precision < 0 ? std::max(static_cast<int>(d.digits.size()) - 1, 0) : precision;
      return sign + layout_e(d, shown, format);
    }
    case 'f': {
      if (precision >= 0) return sign + fixed(value, precision);
      Digits d = digits_of(value, -1);
      return sign + layout_f(d, std::max(static_cast<int>(d.digits.size()) - d.point, 0));
    }
    default: return sign + general(value, precision, format == 'G' ? 'E' : 'e');
  }
}

size_t count_runes(std::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++count) {
    Decoded one = decode_utf8(text, i);
    i += one.valid ? one.bytes : 1;
  }
  return count;
}

std::string padding(const FormatFlags& flags, size_t characters) {
  size_t width = flags.has_width ? static_cast<size_t>(flags.width) : 0;
  if (characters >= width) return "";
  return std::string(width - characters, flags.zero && !flags.minus ? '0' : ' ');
}

std::string padded(const FormatFlags& flags, std::string_view text) {
  std::string space = padding(flags, count_runes(text));
  return flags.minus ? std::string(text) + space : space + std::string(text);
}

std::string float_text(const FormatFlags& flags, double value, char verb, int precision) {
  if (flags.has_precision) precision = flags.precision;
  std::string number = format_float(value, verb, precision);
  if (number[0] != '-' && number[0] != '+') number.insert(0, "+");
  if (flags.space && number[0] == '+' && !flags.plus) number[0] = ' ';
  if (number[1] == 'I' || number[1] == 'N') {
    FormatFlags no_zero = flags;
    no_zero.zero = false;
    bool bare = number[1] == 'N' && !flags.space && !flags.plus;
    return padded(no_zero, bare ? number.substr(1) : number);
  }
  if (flags.sharp && verb != 'b')
    number = number.substr(0, 1) + with_point(number.substr(1), verb, precision);
  if (!flags.plus && number[0] == '+') return padded(flags, number.substr(1));
  if (flags.zero && !flags.minus && flags.has_width)
    return number.substr(0, 1) + padding(flags, number.size()) + number.substr(1);
  return padded(flags, number);
}

std::string integer_text(const FormatFlags& flags, uint64_t value, int base, bool is_signed,
                         char32_t verb, bool upper) {
  FormatFlags no_zero = flags;
  no_zero.zero = false;
  bool negative = is_signed && static_cast<int64_t>(value) < 0;
  if (negative) value = 0 - value;
  size_t digits = 0;
  if (flags.has_precision) {
    digits = static_cast<size_t>(flags.precision);
    if (digits == 0 && value == 0) return padding(no_zero, 0);
  } else if (flags.zero && !flags.minus && flags.has_width) {
    digits = static_cast<size_t>(flags.width);
    if (digits > 0 && (negative || flags.plus || flags.space)) --digits;
  }
  char buffer[72];
  auto done = std::to_chars(buffer, buffer + sizeof buffer, value, base);
  std::string text(buffer, done.ptr);
  if (upper) std::transform(text.begin(), text.end(), text.begin(), ::toupper);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  if (flags.sharp && base == 2) text.insert(0, "0b");
  if (flags.sharp && base == 8 && text[0] != '0') text.insert(0, "0");
  if (flags.sharp && base == 16) text.insert(0, upper ? "0X" : "0x");
  if (verb == 'O') text.insert(0, "0o");
  if (negative) text.insert(0, "-");
  else if (flags.plus) text.insert(0, "+");
  else if (flags.space) text.insert(0, " ");
  return padded(no_zero, text);
}

std::string unicode_text(const FormatFlags& flags, uint64_t value) {
  FormatFlags digits;
  digits.has_precision = true;
  digits.precision = flags.has_precision ? std::max(flags.precision, 4) : 4;
  std::string text = "U+" + integer_text(digits, value, 16, false, 'X', true);
  bool shows = flags.sharp && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF) &&
               jinja::is_printable(static_cast<char32_t>(value));
  if (shows) {
    text += " '";
    append_utf8(text, static_cast<char32_t>(value));
    text += '\'';
  }
  FormatFlags no_zero = flags;
  no_zero.zero = false;
  return padded(no_zero, text);
}

}  // namespace hearth::gotmpl
