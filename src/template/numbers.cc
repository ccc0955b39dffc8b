// Text to numbers, and rounding.
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "template/interp.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

// Every script's decimal digits as ASCII.
std::string ascii_digits(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    bool digit = next.code >= 0x80 && is_decimal(next.code);
    if (digit) out += static_cast<char>('0' + decimal_value(next.code));
    else out.append(text, i, next.bytes);
    i += next.bytes;
  }
  return out;
}

// Without the blanks around and the single underscores between digits; empty if one is misplaced.
std::optional<std::string> plain_digits(std::string_view given) {
  std::string ascii = ascii_digits(strip_left(strip_right(given)));
  std::string_view text = ascii;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    auto word = [](char c) { return is_alnum(static_cast<unsigned char>(c)); };
    bool inside = i > 0 && i + 1 < text.size() && word(text[i - 1]) && word(text[i + 1]);
    if (!inside) return std::nullopt;
  }
  return out;
}

}  // namespace

std::optional<double> parse_float(std::string_view text) {
  auto digits = plain_digits(text);
  if (!digits || digits->empty()) return std::nullopt;
  std::string_view body = *digits;
  bool negative = body[0] == '-';
  if (negative || body[0] == '+') body.remove_prefix(1);
  std::string lower = to_lower(body);
  double sign = negative ? -1.0 : 1.0;
  if (lower == "inf" || lower == "infinity") return sign * HUGE_VAL;
  if (lower == "nan") return std::nan("");
  if (body.empty() || (body[0] != '.' && !is_decimal(static_cast<unsigned char>(body[0])))) {
    return std::nullopt;
  }
  double value = 0;
  auto read = std::from_chars(body.data(), body.data() + body.size(), value);
  if (read.ptr != body.data() + body.size()) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range) {
    value = lower.find("e-") == std::string::npos ? HUGE_VAL : 0.0;
  } else if (read.ec != std::errc{}) {
    return std::nullopt;
  }
  return sign * value;
}

Result<std::optional<Integer>> parse_int(std::string_view text, int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) {
    return fail(Code::kInvalid, "int() base must be >= 2 and <= 36, or 0");
  }
  auto digits = plain_digits(text);
  if (!digits || digits->empty()) return std::nullopt;
  std::string_view body = *digits;
  bool negative = body[0] == '-';
  if (negative || body[0] == '+') body.remove_prefix(1);
  if (body.size() > 2 && body[0] == '0') {
    char mark = static_cast<char>(body[1] | 0x20);
    int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == 0 || base == marked)) {
      base = marked;
      body.remove_prefix(2);
    }
  }
  if (base == 0) base = 10;
  std::optional<Integer> value = Integer::parse(body, static_cast<int>(base));
  return value && negative ? -*value : value;
}

// Python's round(): half to even of the exact decimal value; a whole number stays one.
Result<Value> round_number(Interp& in, const Value& value, int64_t digits) {
  if (value.is_undefined()) return undefined_error(value);
  if (!value.is_number()) {
    return type_error(fmt::format("type {} doesn't define __round__ method",
                                  type_name(value.type())));
  }
  if (value.is_integer()) {
    if (digits >= 0) return in.number(integer_of(value));
    if (digits < -4400) return Value::integer(0);
    Integer unit = Integer::power_of_ten(static_cast<int>(-digits));
    auto [quotient, rest] = integer_of(value).divide(unit);
    int half = (rest + rest).compare(unit);
    if (half > 0 || (half == 0 && quotient.is_odd())) quotient = quotient + Integer(1);
    return in.number(quotient * unit);
  }
  double number = value.as_double();
  if (!std::isfinite(number) || digits > 323) return value;
  if (digits < -308) return Value::real(std::copysign(0.0, number));
  if (digits < 0) {
    double unit = std::pow(10.0, static_cast<double>(-digits));
    return Value::real(std::nearbyint(number / unit) * unit);
  }
  char buffer[800];  // 309 digits before the point, at most 323 after it
  auto made = std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::fixed,
                            static_cast<int>(digits));
  double rounded = number;
  std::from_chars(buffer, made.ptr, rounded);
  return Value::real(rounded);
}

}  // namespace hearth::jinja
