// format(value, spec).
#include "template/format_spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

std::unexpected<Error> bad_spec() { return fail(Code::kInvalid, "invalid format specifier"); }

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

Result<Spec> parse_spec(std::string_view text) {
  Spec spec;
  size_t at = 0;
  size_t first = text.empty() ? 0 : decode_utf8(text, 0).bytes;
  if (first < text.size() && is_align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    at = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[0];
    at = 1;
  }
  auto take = [&](std::string_view set) -> char {
    if (at >= text.size() || set.find(text[at]) == std::string_view::npos) return 0;
    return text[at++];
  };
  if (char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != 0;
  if (take("0") && spec.align == 0) {
    spec.fill = "0";
    spec.align = '=';
  }
  spec.width = TRY(read_number(text, at, 0));
  spec.group = take(",_");
  if (take(".")) {
    spec.precision = TRY(read_number(text, at, -1));
    if (spec.precision < 0) return fail(Code::kInvalid, "format specifier missing precision");
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) return bad_spec();
  return spec;
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string group_digits(std::string_view digits, char separator, size_t every) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string sign_text(bool negative, char sign) {
  if (negative) return "-";
  return sign == 0 || sign == '-' ? "" : std::string(1, sign);
}

// What %g and {:g} print: `precision` significant digits, without the zeros at the end.
std::string general(double value, int64_t precision, bool keep_zeros, int64_t point_limit) {
  if (precision == 0) precision = 1;
  char buffer[4600];
  auto made = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific,
                            static_cast<int>(precision - 1));
  std::string text(buffer, made.ptr);
  size_t mark = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + mark + (text[mark + 1] == '+' ? 2 : 1), text.data() + text.size(),
                  exponent);
  bool fixed = exponent >= -4 && exponent < point_limit;
  std::string tail = fixed ? "" : text.substr(mark);
  text.resize(mark);
  if (fixed) {
    made = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed,
                         static_cast<int>(std::max<int64_t>(0, precision - 1 - exponent)));
    text.assign(buffer, made.ptr);
  }
  if (!keep_zeros && text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text + tail;
}

Result<std::string> float_digits(double value, const Spec& spec) {
  std::string_view percent = spec.type == '%' ? "%" : "";
  if (std::isnan(value)) return fmt::format("nan{}", percent);
  if (std::isinf(value)) return fmt::format("inf{}", percent);
  if (spec.precision > kPrecisionMax) return fail(Code::kTooLarge, "a precision is too large");
  int64_t precision = spec.precision < 0 ? 6 : spec.precision;
  char kind = static_cast<char>(spec.type | 0x20);
  char buffer[4600];
  if (kind == 'e' || kind == 'f' || spec.type == '%') {
    auto made = std::to_chars(
        buffer, buffer + sizeof(buffer), spec.type == '%' ? value * 100 : value,
        kind == 'e' ? std::chars_format::scientific : std::chars_format::fixed,
        static_cast<int>(precision));
    std::string text(buffer, made.ptr);
    if (spec.alternate && precision == 0) text += '.';
    if (spec.type == '%') text += '%';
    return text;
  }
  int64_t significant = std::max<int64_t>(precision, 1);
  if (spec.type != 0) return general(value, precision, spec.alternate, significant);
  if (spec.precision < 0) return float_repr(value);
  // No type: as 'g', but with a digit after the point.
  std::string text = general(value, precision, false, significant - 1);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

Result<int64_t> read_ascii_number(std::string_view text, size_t& at, int64_t none) {
  size_t first = at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  if (at == first) return none;
  int64_t value = 0;
  auto read = std::from_chars(text.data() + first, text.data() + at, value);
  if (read.ec != std::errc{}) return fail(Code::kInvalid, "a number in a format is too large");
  return value;
}

Result<int64_t> read_number(std::string_view text, size_t& at, int64_t none) {
  std::string digits;
  while (at < text.size()) {
    Decoded next = decode_utf8(text, at);
    if (!is_decimal(next.code)) break;
    digits += static_cast<char>(next.code < 0x80 ? next.code : '0' + decimal_value(next.code));
    at += next.bytes;
  }
  size_t start = 0;
  return read_ascii_number(digits, start, none);
}

Result<std::string> pad(Interp& in, const Spec& spec, std::string prefix, std::string text,
                        char default_align) {
  auto used = static_cast<int64_t>(count_characters(prefix) + count_characters(text));
  if (spec.width <= used) return prefix + text;
  auto room = static_cast<size_t>(spec.width - used);
  if (room > (size_t{1} << 40)) return fail(Code::kTooLarge, "a format is too wide");
  TRY(in.fits(room * spec.fill.size()));
  char align = spec.align ? spec.align : default_align;
  size_t left = align == '<' ? 0 : align == '^' ? room / 2 : room;
  std::string before, after;
  for (size_t i = 0; i < left; ++i) before += spec.fill;
  for (size_t i = left; i < room; ++i) after += spec.fill;
  return align == '=' ? prefix + before + text : before + prefix + text + after;
}

Result<std::string> format_int(Interp& in, const Integer& value, const Spec& spec) {
  if (spec.precision >= 0) {
    return fail(Code::kInvalid, "Precision not allowed in integer format specifier");
  }
  if (spec.type == 'c') {
    int64_t code = value.small().value_or(-1);
    if (code < 0 || code > 0x10FFFF) return fail(Code::kInvalid, "%c arg not in range(0x110000)");
    std::string text;
    append_utf8(text, static_cast<char32_t>(code));
    return pad(in, spec, {}, text, '<');
  }
  int base = spec.type == 'b' ? 2 : spec.type == 'o' ? 8 : (spec.type | 0x20) == 'x' ? 16 : 10;
  in.heap.spend(value.work() * value.work() / 4);
  std::string digits = value.digits(base);
  std::string prefix = sign_text(value.is_negative(), spec.sign);
  if (spec.alternate && base != 10) prefix += std::string("0") + spec.type;
  if (spec.type == 'X') digits = to_upper(digits);
  if (spec.group) digits = group_digits(digits, spec.group, base == 10 ? 3 : 4);
  return pad(in, spec, prefix, digits, '>');
}

Result<std::string> format_float(Interp& in, double value, const Spec& spec) {
  bool negative = std::signbit(value) && !std::isnan(value);
  std::string text = TRY(float_digits(std::fabs(value), spec));
  if (spec.type >= 'A' && spec.type <= 'Z') text = to_upper(text);
  if (spec.group) {
    size_t whole = std::min(text.find_first_not_of("0123456789"), text.size());
    text = group_digits(std::string_view(text).substr(0, whole), spec.group, 3) +
           text.substr(whole);
  }
  return pad(in, spec, sign_text(negative, spec.sign), text, '>');
}

Result<std::string> format_text(Interp& in, std::string_view text, const Spec& spec) {
  if (spec.align == '=' && spec.fill != "0") {
    return fail(Code::kInvalid, "'=' alignment not allowed in string format specifier");
  }
  if (spec.sign != 0 || spec.alternate || spec.group) return bad_spec();
  std::string cut(text);
  if (spec.precision >= 0) {
    size_t at = 0;
    for (int64_t i = 0; i < spec.precision && at < text.size(); ++i) {
      at += decode_utf8(text, at).bytes;
    }
    cut = text.substr(0, at);
  }
  Spec plain = spec;
  if (plain.align == '=') plain.align = '<';
  return pad(in, plain, {}, std::move(cut), '<');
}

Result<std::string> format_value(Interp& in, const Value& value, std::string_view text) {
  if (text.empty()) return to_str(in, value);
  if (value.is_string() || value.is_number()) {
    Spec spec = TRY(parse_spec(text));
    if (value.is_string()) {
      if (spec.type != 0 && spec.type != 's') return bad_spec();
      return format_text(in, value.text(), spec);
    }
    if (value.is(Type::kBool) && spec.type == 0) {
      return format_int(in, integer_of(value), spec);
    }
    constexpr std::string_view kInts = "bcdoxXn", kFloats = "eEfFgGn%";
    bool integral = value.is_integer();
    if (integral && (spec.type == 0 || kInts.find(spec.type) != std::string_view::npos)) {
      return format_int(in, integer_of(value), spec);
    }
    if (spec.type == 0 || kFloats.find(spec.type) != std::string_view::npos) {
      return format_float(in, TRY(real_of(value)), spec);
    }
    return fail(Code::kInvalid, "Unknown format code '{}' for object of type '{}'", spec.type,
                type_name(value.type()));
  }
  return type_error(fmt::format("unsupported format string passed to {}.__format__",
                                type_name(value.type())));
}

}  // namespace hearth::jinja
