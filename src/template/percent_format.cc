// The % operator on strings.
#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "template/format_spec.h"

namespace hearth::jinja {
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
    in_.heap.spend(text_.size() / 2);
    TRY(in_.check());
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
    if (at_ >= text_.size() || text_[at_] != '*') return read_ascii_number(text_, at_, none);
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
  bool as_it_is = how.spec.type == 's' && how.spec.width == 0 && how.spec.precision < 0;
  if (as_it_is && (!source_.markup || value.is_markup())) {
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
  if (spec.align == '=') spec.fill.assign(1, '0');
  if (type == 's' || type == 'r' || type == 'a') {
    std::string text;
    if (type == 's') {
      TRY(append_str(in_, text, value));
    } else {
      TRY(append_repr(in_, text, value));
      if (type == 'a') text = ascii_repr(text);
    }
    if (source_.markup && !(type == 's' && value.is_markup())) text = escape_html(text);
    spec.sign = 0;
    spec.alternate = false;
    return format_text(in_, text, spec);
  }
  if (type == 'c') {
    if (value.is_string() && value.as<Str>().length() == 1) {
      return pad(in_, spec, {}, value.text(), '>');
    }
    if (!value.is_integer()) return type_error("%c requires int or char");
    spec.precision = -1;
    return format_int(in_, integer_of(value), spec);
  }
  if (!numeric) return fail(Code::kInvalid, "unsupported format character '{}'", type);
  if (!value.is_number()) {
    if (value.is_undefined()) return undefined_error(value);
    return type_error(fmt::format("%{} format: a real number is required, not {}", type,
                                  type_name(value.type())));
  }
  if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
    return format_float(in_, TRY(real_of(value)), spec);
  }
  if (!value.is_integer() && std::string_view("diu").find(type) == std::string_view::npos) {
    return type_error(fmt::format("%{} format: an integer is required, not float", type));
  }
  if (!value.is_integer() && !std::isfinite(value.as_double())) {
    return fail(Code::kInvalid, "cannot convert float infinity or NaN to integer");
  }
  Integer whole = value.is_integer() ? integer_of(value) : Integer::truncated(value.as_double());
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
