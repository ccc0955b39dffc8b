// Printf: the format string, one verb after the other.
#include "base/utf8.h"
#include "template/go/printer.h"

namespace hearth::gotmpl {
namespace {

constexpr int kNumberMax = 1'000'000;  // of a width or precision; anything larger is none

bool too_large(int64_t value) { return value > kNumberMax || value < -kNumberMax; }

// The digits at `at`: whether there were some. A number that is too large eats the rest.
bool parse_number(std::string_view format, size_t& at, size_t end, int* out) {
  int value = 0;
  bool found = false;
  for (; at < end && format[at] >= '0' && format[at] <= '9'; ++at) {
    if (too_large(value)) {
      at = end;
      *out = 0;
      return false;
    }
    value = value * 10 + (format[at] - '0');
    found = true;
  }
  *out = value;
  return found;
}

}  // namespace

bool Printer::flag(char c) {
  switch (c) {
    case '#': return flags_.sharp = true;
    case '0': return flags_.zero = true;
    case '+': return flags_.plus = true;
    case '-': return flags_.minus = true;
    case ' ': return flags_.space = true;
    default: return false;
  }
}

// "[3]" before a verb, a width or a precision: the argument that comes next.
void Printer::argument_number(std::string_view format, size_t& at, size_t count) {
  after_index_ = false;
  if (at >= format.size() || format[at] != '[') return;
  reordered_ = true;
  size_t close = format.find(']', at + 1);
  if (format.size() - at < 3 || close == std::string_view::npos) {
    ++at;
    good_number_ = false;
    return;
  }
  size_t digits = at + 1;
  int index = 0;
  bool found = parse_number(format, digits, close, &index) && digits == close;
  at = close + 1;
  after_index_ = found;
  if (found && index >= 1 && static_cast<size_t>(index) <= count)
    next_arg_ = static_cast<size_t>(index) - 1;
  else
    good_number_ = false;
}

bool Printer::int_from_arg(std::span<const Value> args, int* out) {
  *out = 0;
  if (next_arg_ >= args.size()) return false;
  const Value& value = args[next_arg_++];
  if (value.kind() != Kind::kInt && value.kind() != Kind::kUint8) return false;
  if (too_large(value.as_int())) return false;
  *out = static_cast<int>(value.as_int());
  return true;
}

void Printer::width(std::string_view format, size_t& at, std::span<const Value> args) {
  if (at < format.size() && format[at] == '*') {
    ++at;
    flags_.has_width = int_from_arg(args, &flags_.width);
    if (!flags_.has_width) put("%!(BADWIDTH)");
    if (flags_.width < 0) {
      flags_.width = -flags_.width;
      flags_.minus = true;
      flags_.zero = false;
    }
    after_index_ = false;
    return;
  }
  flags_.has_width = parse_number(format, at, format.size(), &flags_.width);
  if (after_index_ && flags_.has_width) good_number_ = false;
}

void Printer::precision(std::string_view format, size_t& at, std::span<const Value> args) {
  if (at + 1 >= format.size() || format[at] != '.') return;
  ++at;
  if (after_index_) good_number_ = false;
  argument_number(format, at, args.size());
  if (at < format.size() && format[at] == '*') {
    ++at;
    flags_.has_precision = int_from_arg(args, &flags_.precision);
    if (flags_.precision < 0) {
      flags_.precision = 0;
      flags_.has_precision = false;
    }
    if (!flags_.has_precision) put("%!(BADPREC)");
    after_index_ = false;
    return;
  }
  if (!parse_number(format, at, format.size(), &flags_.precision)) flags_.precision = 0;
  flags_.has_precision = true;
}

// REQUIRES: format[at - 1] is the '%'.
void Printer::one_verb(const Rendered& whole, size_t& at, std::span<const Value> args) {
  std::string_view format = whole.text;
  flags_ = {};
  while (at < format.size() && flag(format[at])) ++at;
  bool plain = at < format.size() && format[at] >= 'a' && format[at] <= 'z';
  if (!plain || next_arg_ >= args.size()) {
    argument_number(format, at, args.size());
    width(format, at, args);
    precision(format, at, args);
    if (!after_index_) argument_number(format, at, args.size());
  }
  if (at >= format.size()) return put("%!(NOVERB)");
  Decoded verb = decode_utf8(format, at);
  at += verb.valid ? verb.bytes : 1;
  if (verb.code == '%') return put("%");
  if (!good_number_ || next_arg_ >= args.size()) {
    put("%!");
    put_rune(verb.code);
    return put(!good_number_ ? "(BADINDEX)" : "(MISSING)");
  }
  if (verb.code == 'v' || verb.code == 'w') {
    flags_.sharp_v = std::exchange(flags_.sharp, false);
    flags_.plus_v = std::exchange(flags_.plus, false);
  }
  arg(args[next_arg_++], verb.code);
}

void Printer::printf(const Rendered& whole, std::span<const Value> args) {
  std::string_view format = whole.text;
  next_arg_ = 0;
  reordered_ = after_index_ = false;
  for (size_t at = 0; at < format.size() && !out_.spent();) {
    good_number_ = true;
    size_t percent = std::min(format.find('%', at), format.size());
    if (percent > at) out_.put(cut(whole, at, percent));
    at = percent + 1;
    if (percent < format.size()) one_verb(whole, at, args);
  }
  if (!reordered_ && next_arg_ < args.size()) extra(args.subspan(next_arg_));
}

void Printer::extra(std::span<const Value> args) {
  flags_ = {};
  put("%!(EXTRA ");
  for (size_t i = 0; i < args.size() && !out_.spent(); ++i) {
    if (i > 0) put(", ");
    if (!args[i].is_valid()) {
      put("<nil>");
      continue;
    }
    put(args[i].type().name);
    put("=");
    arg(args[i], 'v');
  }
  put(")");
}

}  // namespace hearth::gotmpl
