// format(value, spec), str.format and the % operator.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "template/interp.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

constexpr int64_t kPrecisionMax = 4096;

struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^
  char sign = '-';
  bool alternate = false;
  char group = 0;
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

std::unexpected<Error> bad_spec() { return fail(Code::kInvalid, "invalid format specifier"); }

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

// A run of digits at text[at], or `none`.
Result<int64_t> read_number(std::string_view text, size_t& at, int64_t none) {
  size_t first = at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  if (at == first) return none;
  int64_t value = 0;
  auto read = std::from_chars(text.data() + first, text.data() + at, value);
  if (read.ec != std::errc{}) return fail(Code::kInvalid, "a number in a format is too large");
  return value;
}

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

// `text` on the spec's width; `prefix` (sign, 0x) stays in front where the fill goes between.
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
  return sign == '-' ? "" : std::string(1, sign);
}

std::string digits_of(uint64_t value, int base) {
  char buffer[72];
  auto made = std::to_chars(buffer, buffer + sizeof(buffer), value, base);
  return std::string(buffer, made.ptr);
}

uint64_t magnitude(int64_t value) {
  return value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

Result<std::string> format_int(Interp& in, int64_t value, const Spec& spec) {
  if (spec.precision >= 0) {
    return fail(Code::kInvalid, "Precision not allowed in integer format specifier");
  }
  if (spec.type == 'c') {
    if (value < 0 || value > 0x10FFFF) return fail(Code::kInvalid, "%c arg not in range(0x110000)");
    std::string text;
    append_utf8(text, static_cast<char32_t>(value));
    return pad(in, spec, {}, text, '<');
  }
  int base = spec.type == 'b' ? 2 : spec.type == 'o' ? 8 : (spec.type | 0x20) == 'x' ? 16 : 10;
  std::string digits = digits_of(magnitude(value), base);
  std::string prefix = sign_text(value < 0, spec.sign);
  if (spec.alternate && base != 10) prefix += std::string("0") + spec.type;
  if (spec.type == 'X') digits = to_upper(digits);
  if (spec.group) digits = group_digits(digits, spec.group, base == 10 ? 3 : 4);
  return pad(in, spec, prefix, digits, '>');
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
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return "inf";
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
  if (spec.sign != '-' || spec.alternate || spec.group) return bad_spec();
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

// The argument that a replacement field names, with its .attributes and [items].
struct Fields {
  Interp& in;
  const Args& args;
  const Value* mapping;
  int64_t automatic = 0;

  Result<Value> first(std::string_view name) {
    if (name.empty()) {
      if (automatic < 0) return fail(Code::kInvalid, "cannot switch from manual to automatic");
      return positional(automatic++);
    }
    size_t at = 0;
    int64_t index = TRY(read_number(name, at, -1));
    if (index >= 0 && at == name.size()) {
      if (automatic > 0) return fail(Code::kInvalid, "cannot switch from automatic to manual");
      automatic = -1;
      return positional(index);
    }
    if (mapping) {
      return TRY(found(mapping->dict().find(name), name));
    }
    for (const auto& [known, value] : args.named) {
      if (known.text() == name) return value;
    }
    return found(nullptr, name);
  }

  Result<Value> found(const Value* value, std::string_view name) {
    if (value) return *value;
    return fail(Code::kInvalid, "KeyError: '{}'", name);
  }

  Result<Value> positional(int64_t index) {
    if (index >= static_cast<int64_t>(args.positional.size())) {
      return fail(Code::kInvalid, "Replacement index {} out of range", index);
    }
    return args.positional[static_cast<size_t>(index)];
  }

  Result<Value> get(std::string_view path) {
    size_t end = std::min(path.find_first_of(".["), path.size());
    Value value = TRY(first(path.substr(0, end)));
    while (end < path.size()) {
      if (path[end] == '.') {
        size_t stop = std::min(path.find_first_of(".[", end + 1), path.size());
        value = TRY(in.attribute(value, path.substr(end + 1, stop - end - 1)));
        end = stop;
        continue;
      }
      size_t close = path.find(']', end);
      if (path[end] != '[' || close == std::string_view::npos) {
        return fail(Code::kInvalid, "malformed field in a format string");
      }
      std::string_view key = path.substr(end + 1, close - end - 1);
      size_t at = 0;
      int64_t index = TRY(read_number(key, at, -1));
      bool whole = index >= 0 && at == key.size();
      value = TRY(in.item(value, whole ? Value::integer(index) : in.string(key)));
      end = close + 1;
    }
    return value;
  }
};

// The end of a replacement field that starts after '{' at `at`: its closing brace.
size_t field_end(std::string_view text, size_t at) {
  int open = 1;
  for (; at < text.size(); ++at) {
    open += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
    if (open == 0) return at;
  }
  return std::string_view::npos;
}

Result<Rendered> expand(Fields& fields, const Value& whole, std::string_view text, int levels);

// A value as its spec wants it: its own bytes where there is none, else foreign as a whole if the
// value or the spec is.
Result<void> append_formatted(Interp& in, Rendered& out, const Value& value, const Rendered& spec) {
  if (spec.text.empty()) return append_value(in, out, value);
  std::string text = TRY(format_value(in, value, spec.text));
  out.append(text, value.is_foreign() || !spec.foreign.empty());
  return in.fits(out.bytes());
}

Result<void> expand_field(Fields& fields, Rendered& out, const Value& whole, std::string_view field,
                          int levels) {
  size_t bracket = field.find('[');
  size_t mark = field.find_first_of("!:");
  if (bracket != std::string_view::npos && bracket < mark) {  // x[a:b] has no spec inside
    size_t close = field.find(']', bracket);
    if (close != std::string_view::npos) mark = field.find_first_of("!:", close);
  }
  mark = std::min(mark, field.size());
  Value value = TRY(fields.get(field.substr(0, mark)));
  std::string_view rest = field.substr(mark);
  if (rest.starts_with('!')) {
    if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) {
      return fail(Code::kInvalid, "expected ':' after conversion specifier");
    }
    if (rest[1] == 's') {
      value = TRY(as_string(fields.in, value));
    } else if (rest[1] == 'r' || rest[1] == 'a') {
      std::string text;
      TRY(append_repr(fields.in, text, value));
      Rendered converted;
      converted.append(text, value.is_foreign());
      value = fields.in.marked(std::move(converted));
    } else {
      return fail(Code::kInvalid, "unknown conversion specifier '{}'", rest[1]);
    }
    rest.remove_prefix(2);
  }
  if (rest.starts_with(':')) rest.remove_prefix(1);
  Rendered spec = TRY(expand(fields, whole, rest, levels - 1));
  return append_formatted(fields.in, out, value, spec);
}

// `text` is a part of the text of `whole`.
Result<Rendered> expand(Fields& fields, const Value& whole, std::string_view text, int levels) {
  if (levels < 0) return fail(Code::kInvalid, "Max string recursion exceeded");
  Rendered out;
  const Str& source = whole.as<Str>();
  auto copy = [&](size_t i) {
    auto at = static_cast<size_t>(text.data() - source.text.data()) + i;
    out.append(source.text, source.marks, at, at + 1);
  };
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c != '{' && c != '}') {
      copy(i);
    } else if (i + 1 < text.size() && text[i + 1] == c) {
      copy(i);
      ++i;
    } else if (c == '}') {
      return fail(Code::kInvalid, "Single '}}' encountered in format string");
    } else {
      size_t end = field_end(text, i + 1);
      if (end == std::string_view::npos) {
        return fail(Code::kInvalid, "expected '}}' before end of string");
      }
      TRY(expand_field(fields, out, whole, text.substr(i + 1, end - i - 1), levels));
      TRY(fields.in.fits(out.bytes()));
      i = end;
    }
  }
  return out;
}

}  // namespace

Result<std::string> format_value(Interp& in, const Value& value, std::string_view text) {
  if (text.empty()) return to_str(in, value);
  if (value.is_string() || value.is_number()) {
    Spec spec = TRY(parse_spec(text));
    if (value.is_string()) {
      if (spec.type != 0 && spec.type != 's') return bad_spec();
      return format_text(in, value.text(), spec);
    }
    if (value.is(Type::kBool) && spec.type == 0) {
      return format_int(in, value.as_int(), spec);
    }
    constexpr std::string_view kInts = "bcdoxXn", kFloats = "eEfFgGn%";
    bool integral = value.is_integral();
    if (integral && (spec.type == 0 || kInts.find(spec.type) != std::string_view::npos)) {
      return format_int(in, value.as_int(), spec);
    }
    if (spec.type == 0 || kFloats.find(spec.type) != std::string_view::npos) {
      return format_float(in, value.as_double(), spec);
    }
    return fail(Code::kInvalid, "Unknown format code '{}' for object of type '{}'", spec.type,
                type_name(value.type()));
  }
  return type_error(fmt::format("unsupported format string passed to {}.__format__",
                                type_name(value.type())));
}

Result<Rendered> brace_format(Interp& in, const Value& text, const Args& args,
                              const Value* mapping) {
  Fields fields{in, args, mapping};
  return expand(fields, text, text.text(), 2);
}

namespace {

// One directive of the % operator.
struct Directive {
  Spec spec;
  bool left = false, zero = false;
};

class Percent {
 public:
  Percent(Interp& in, const Value& text, const Value& values)
      : in_(in), source_(text.as<Str>()), text_(source_.text), values_(values) {}

  Result<Rendered> run() {
    Rendered out;
    while (at_ < text_.size()) {
      size_t next = std::min(text_.find('%', at_), text_.size());
      out.append(text_, source_.marks, at_, next);
      at_ = next + 1;
      if (next == text_.size()) break;
      TRY(directive(out));
      TRY(in_.fits(out.bytes()));
    }
    // Python lets pass whatever could be a mapping.
    bool all_used = used_ == count() || values_.is_dict() || values_.is(Type::kList) ||
                    values_.is(Type::kRange) || values_.is_undefined();
    if (!all_used) return type_error("not all arguments converted during string formatting");
    return out;
  }

 private:
  size_t count() const { return values_.is(Type::kTuple) ? values_.items().size() : 1; }

  Result<Value> next() {
    if (used_ >= count()) return type_error("not enough arguments for format string");
    if (values_.is(Type::kTuple)) return values_.items()[used_++];
    ++used_;
    return values_;
  }

  Result<int64_t> star_or_number(int64_t none) {
    if (at_ >= text_.size() || text_[at_] != '*') return read_number(text_, at_, none);
    ++at_;
    Value value = TRY(next());
    if (!value.is_integral()) return type_error("* wants int");
    return value.as_int();
  }

  Result<void> directive(Rendered& out);
  Result<std::string> convert(const Value& value, Directive& how);

  Interp& in_;
  const Str& source_;
  std::string_view text_;
  const Value& values_;
  size_t at_ = 0;
  size_t used_ = 0;
};

Result<void> Percent::directive(Rendered& out) {
  Directive how;
  Value value;
  if (at_ < text_.size() && text_[at_] == '(') {
    size_t close = text_.find(')', at_);
    if (close == std::string_view::npos) return fail(Code::kInvalid, "incomplete format key");
    if (!values_.is_dict()) return type_error("format requires a mapping");
    std::string_view key = text_.substr(at_ + 1, close - at_ - 1);
    const Value* found = values_.dict().find(key);
    if (!found) return fail(Code::kInvalid, "KeyError: '{}'", key);
    value = *found;
    at_ = close + 1;
  }
  for (; at_ < text_.size(); ++at_) {
    char c = text_[at_];
    if (std::string_view("-0#+ ").find(c) == std::string_view::npos) break;
    how.left |= c == '-';
    how.zero |= c == '0';
    how.spec.alternate |= c == '#';
    if (c == '+' || (c == ' ' && how.spec.sign != '+')) how.spec.sign = c;
  }
  how.spec.width = TRY(star_or_number(0));
  if (how.spec.width < 0) {
    how.left = true;
    if (how.spec.width == INT64_MIN) return fail(Code::kInvalid, "width too big");
    how.spec.width = -how.spec.width;
  }
  if (at_ < text_.size() && text_[at_] == '.') {
    ++at_;
    how.spec.precision = std::max<int64_t>(TRY(star_or_number(0)), 0);
  }
  while (at_ < text_.size() && (text_[at_] == 'l' || text_[at_] == 'h' || text_[at_] == 'L')) ++at_;
  if (at_ >= text_.size()) return fail(Code::kInvalid, "incomplete format");
  how.spec.type = text_[at_++];
  if (how.spec.type == '%') {
    out.append(text_, source_.marks, at_ - 1, at_);
    return {};
  }
  if (value.is_missing()) value = TRY(next());
  if (how.spec.type == 's' && how.spec.width == 0 && how.spec.precision < 0) {
    return append_value(in_, out, value);
  }
  std::string text = TRY(convert(value, how));
  out.append(text, value.is_foreign());
  return {};
}

Result<std::string> Percent::convert(const Value& value, Directive& how) {
  Spec& spec = how.spec;
  char type = spec.type;
  bool numeric = std::string_view("diuoxXeEfFgG").find(type) != std::string_view::npos;
  spec.align = how.left ? '<' : how.zero && numeric ? '=' : '>';
  if (spec.align == '=') spec.fill = "0";
  if (type == 's' || type == 'r' || type == 'a') {
    std::string text;
    if (type == 's') {
      TRY(append_str(in_, text, value));
    } else {
      TRY(append_repr(in_, text, value));
    }
    spec.sign = '-';
    spec.alternate = false;
    return format_text(in_, text, spec);
  }
  if (type == 'c') {
    if (value.is_string() && value.as<Str>().length() == 1) {
      return pad(in_, spec, {}, value.text(), '>');
    }
    if (!value.is_integral()) return type_error("%c requires int or char");
    spec.precision = -1;
    return format_int(in_, value.as_int(), spec);
  }
  if (!numeric) return fail(Code::kInvalid, "unsupported format character '{}'", type);
  if (!value.is_number()) {
    if (value.is_undefined()) return undefined_error(value);
    return type_error(fmt::format("%{} format: a real number is required, not {}", type,
                                  type_name(value.type())));
  }
  if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
    return format_float(in_, value.as_double(), spec);
  }
  if (!value.is_integral() && std::string_view("diu").find(type) == std::string_view::npos) {
    return type_error(fmt::format("%{} format: an integer is required, not float", type));
  }
  if (!value.is_integral() && !(std::fabs(value.as_double()) < 9.2e18)) {
    return fail(Code::kTooLarge, "integer is too large (more than 64 bits)");
  }
  int64_t whole = value.is_integral() ? value.as_int() : static_cast<int64_t>(value.as_double());
  if (type == 'i' || type == 'u') spec.type = 'd';
  int64_t least = std::exchange(spec.precision, -1);
  if (least > kPrecisionMax) return fail(Code::kTooLarge, "a precision is too large");
  if (least <= 0) return format_int(in_, whole, spec);
  Spec inner = spec;  // digits first, then the width
  inner.width = 0;
  std::string digits = TRY(format_int(in_, whole, inner));
  size_t start = digits.find_first_not_of("+- ");
  if (spec.alternate && spec.type != 'd') start += 2;
  std::string prefix = digits.substr(0, start);
  digits = digits.substr(start);
  if (digits.size() < static_cast<size_t>(least)) {
    digits.insert(0, static_cast<size_t>(least) - digits.size(), '0');
  }
  return pad(in_, spec, prefix, digits, '>');
}

}  // namespace

Result<Rendered> percent_format(Interp& in, const Value& text, const Value& values) {
  return Percent(in, text, values).run();
}

}  // namespace hearth::jinja
