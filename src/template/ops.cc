// What Python's operators do with values.
#include <algorithm>
#include <cmath>

#include "template/interp.h"

namespace hearth::jinja {
namespace {

std::string_view op_text(Op op) {
  switch (op) {
    case Op::kAdd: return "+";
    case Op::kSub: return "-";
    case Op::kMul: return "*";
    case Op::kDiv: return "/";
    case Op::kFloorDiv: return "//";
    case Op::kMod: return "%";
    case Op::kPow: return "** or pow()";
    case Op::kLt: return "<";
    case Op::kLe: return "<=";
    case Op::kGt: return ">";
    case Op::kGe: return ">=";
    default: return "?";
  }
}

std::unexpected<Error> unsupported(Op op, const Value& a, const Value& b) {
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  return type_error(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", op_text(op),
                                type_name(a.type()), type_name(b.type())));
}

std::unexpected<Error> division_by_zero() { return fail(Code::kInvalid, "division by zero"); }

int64_t floor_div(int64_t a, int64_t b) {  // REQUIRES: b is not 0 and a / b fits
  int64_t quotient = a / b;
  return quotient - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

double float_mod(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) return rest + b;
  return rest == 0 ? std::copysign(0.0, b) : rest;
}

Result<Value> float_power(double a, double b) {
  if (a == 0 && b < 0) return division_by_zero();
  double out = std::pow(a, b);
  if (std::isnan(out) && !std::isnan(a) && !std::isnan(b)) {
    return fail(Code::kUnsupported, "complex numbers are not supported");
  }
  if (std::isinf(out) && std::isfinite(a) && std::isfinite(b)) {
    return fail(Code::kInvalid, "numerical result out of range");
  }
  return Value::real(out);
}

Result<Value> int_power(Interp& in, const Integer& base, const Value& exponent) {
  Integer power = integer_of(exponent);
  bool unit = base.bits() <= 1;  // -1, 0, 1
  if (power.is_negative()) return float_power(base.to_double(), TRY(real_of(exponent)));
  if (unit && !power.is_zero()) {
    return Value::integer(base.is_zero() ? 0 : base.is_negative() && power.is_odd() ? -1 : 1);
  }
  int64_t times = power.small().value_or(INT64_MAX);
  if (times > static_cast<int64_t>(kIntegerBitsMax)) times = kIntegerBitsMax;
  uint64_t bits = base.bits() * static_cast<uint64_t>(times);
  if (bits > 2 * kIntegerBitsMax) {
    return fail(Code::kTooLarge, "integer is too large (more than 4300 digits)");
  }
  in.heap.spend(bits * bits / 4096);
  return in.number(base.power(static_cast<uint64_t>(times)));
}

// What does not fit into 64 bits.
Result<Value> big_op(Interp& in, Op op, const Value& left, const Value& right) {
  Integer a = integer_of(left), b = integer_of(right);
  in.heap.spend(1 + a.work() * b.work() / 8);
  switch (op) {
    case Op::kAdd: return in.number(a + b);
    case Op::kSub: return in.number(a - b);
    case Op::kMul: return in.number(a * b);
    case Op::kPow: return int_power(in, a, right);
    default: break;
  }
  if (b.is_zero()) return division_by_zero();
  if (op == Op::kFloorDiv) return in.number(a.divide(b).quotient);
  if (op == Op::kMod) return in.number(a.divide(b).rest);
  double ratio = a.ratio(b);
  if (std::isinf(ratio)) return fail(Code::kInvalid, "integer division result too large");
  return Value::real(ratio);
}

// The common case without an Integer; empty where the result may not fit.
std::optional<int64_t> small_op(Op op, int64_t a, int64_t b) {
  int64_t out = 0;
  switch (op) {
    case Op::kAdd: return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Op::kSub: return __builtin_sub_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Op::kMul: return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Op::kFloorDiv:
    case Op::kMod:
      if (b == 0 || b == -1) return std::nullopt;
      out = floor_div(a, b);
      return op == Op::kMod ? a - out * b : out;
    default: return std::nullopt;
  }
}

Result<Value> int_op(Interp& in, Op op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) {
    if (auto small = small_op(op, a.as_int(), b.as_int())) return Value::integer(*small);
  }
  return big_op(in, op, a, b);
}

Result<Value> float_op(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd: return Value::real(a + b);
    case Op::kSub: return Value::real(a - b);
    case Op::kMul: return Value::real(a * b);
    case Op::kPow: return float_power(a, b);
    default: break;
  }
  if (b == 0) return division_by_zero();
  if (op == Op::kDiv) return Value::real(a / b);
  double rest = float_mod(a, b);
  if (op == Op::kMod) return Value::real(rest);
  double quotient = (a - rest) / b;
  double floored = std::floor(quotient);
  if (quotient - floored > 0.5) floored += 1;
  return Value::real(quotient == 0 ? std::copysign(0.0, a / b) : floored);
}

Result<Value> add_texts(Interp& in, const Value& a, const Value& b) {
  TRY(in.fits(a.text().size() + b.text().size()));
  Rendered out;
  bool markup = a.is_markup() || b.is_markup();
  for (const Value* part : {&a, &b}) {
    if (part->is_markup() == markup) {
      TRY(append_value(in, out, *part));
    } else {  // HTML plus text: the text is escaped, as markupsafe does
      out.append(escape_html(part->text()), part->is_foreign());
    }
  }
  return in.marked(std::move(out), markup);
}

Result<Value> add_lists(Interp& in, const Value& a, const Value& b) {
  TRY(in.fits((a.items().size() + b.items().size()) * sizeof(Value)));
  std::vector<Value> out = a.items();
  out.insert(out.end(), b.items().begin(), b.items().end());
  return a.is(Type::kList) ? in.list(std::move(out)) : in.tuple(std::move(out));
}

// 'ab' * 3, [1] * 3
Result<Value> repeat(Interp& in, const Value& what, int64_t times) {
  times = std::max<int64_t>(times, 0);
  size_t unit = what.is_string()
                    ? what.text().size() + what.as<Str>().marks.size() * sizeof(TextRange)
                    : what.items().size() * sizeof(Value);
  size_t total = 0;
  if (__builtin_mul_overflow(unit, static_cast<size_t>(times), &total)) {
    return fail(Code::kTooLarge, "the template needs too much memory");
  }
  TRY(in.fits(total));
  if (unit == 0) times = 0;
  if (what.is_string()) {
    const Str& text = what.as<Str>();
    Rendered out;
    out.text.reserve(text.text.size() * static_cast<size_t>(times));
    for (int64_t i = 0; i < times; ++i) out.append(text.text, text.marks, 0, text.text.size());
    return in.marked(std::move(out), text.markup);
  }
  std::vector<Value> out;
  out.reserve(total / sizeof(Value));
  for (int64_t i = 0; i < times; ++i) {
    out.insert(out.end(), what.items().begin(), what.items().end());
  }
  return what.is(Type::kList) ? in.list(std::move(out)) : in.tuple(std::move(out));
}

Result<bool> less_items(Interp& in, const std::vector<Value>& a, const std::vector<Value>& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].same(b[i]) || equal(in.heap, a[i], b[i])) continue;
    return less(in, a[i], b[i]);
  }
  return a.size() < b.size();
}

}  // namespace

std::unexpected<Error> type_error(std::string message) {
  return std::unexpected(Error{Code::kInvalid, std::move(message)});
}

std::unexpected<Error> undefined_error(const Value& value) {
  std::string what = value.object() ? value.as<Str>().text : std::string();
  switch (value.lack()) {
    case Lack::kName: return type_error(fmt::format("'{}' is undefined", what));
    case Lack::kAttribute:
      if (!value.object()) {
        return type_error(fmt::format("{} has no such element", described_type(value.owner())));
      }
      return type_error(
          fmt::format("{} has no attribute '{}'", described_type(value.owner()), what));
    case Lack::kHint: return type_error(what);
    case Lack::kUnsafe:
      return fail(Code::kInvalid, "access to attribute '{}' of {} is unsafe", what,
                  described_type(value.owner()));
    case Lack::kPlain: break;
  }
  return type_error("the value is undefined");
}

Result<double> real_of(const Value& value) {
  if (!value.is(Type::kBig)) return value.as_double();
  double out = value.as<Big>().number.to_double();
  if (std::isinf(out)) return fail(Code::kInvalid, "int too large to convert to float");
  return out;
}

bool truth(const Value& value) {
  switch (value.type()) {
    case Type::kMissing:
    case Type::kUndefined:
    case Type::kNone: return false;
    case Type::kBool:
    case Type::kInt: return value.as_bool();
    case Type::kFloat: return value.as_double() != 0;
    case Type::kString: return !value.text().empty();
    case Type::kList:
    case Type::kTuple: return !value.items().empty();
    case Type::kDict: return !value.dict().entries.empty();
    case Type::kView: return !value.as<View>().dict.dict().entries.empty();
    case Type::kRange: return value.as<Range>().count != 0;
    default: return true;
  }
}

Result<Value> binary_op(Interp& in, Op op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return int_op(in, op, a, b);
    return float_op(op, TRY(real_of(a)), TRY(real_of(b)));
  }
  if (op == Op::kMod && a.is_string()) {
    return in.marked(TRY(percent_format(in, a, b)), a.is_markup());
  }
  if (op == Op::kAdd && a.type() == b.type()) {
    if (a.is_string()) return add_texts(in, a, b);
    if (a.is_sequence()) return add_lists(in, a, b);
  }
  if (op == Op::kMul) {
    if ((a.is_string() || a.is_sequence()) && b.is_integral()) return repeat(in, a, b.as_int());
    if ((b.is_string() || b.is_sequence()) && a.is_integral()) return repeat(in, b, a.as_int());
  }
  return unsupported(op, a, b);
}

Result<Value> unary_op(Interp& in, Op op, const Value& value) {
  if (value.is_undefined()) return undefined_error(value);
  if (!value.is_number()) {
    return type_error(fmt::format("bad operand type for unary {}: '{}'",
                                  op == Op::kNeg ? "-" : "+", type_name(value.type())));
  }
  if (value.is(Type::kFloat)) {
    return Value::real(op == Op::kNeg ? -value.as_double() : value.as_double());
  }
  Integer whole = integer_of(value);
  return in.number(op == Op::kPos ? std::move(whole) : -whole);
}

Result<bool> less(Interp& in, const Value& a, const Value& b) {
  if (!in.heap.spend(1)) TRY(in.check());
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == -1;
  if (a.type() == b.type()) {
    if (a.is_string()) {  // UTF-8 sorts as its characters do
      in.heap.spend(std::min(a.text().size(), b.text().size()) / 128);
      return a.text() < b.text();
    }
    if (a.is_sequence()) return less_items(in, a.items(), b.items());
  }
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  return type_error(fmt::format("'<' not supported between instances of '{}' and '{}'",
                                type_name(a.type()), type_name(b.type())));
}

Result<bool> compare_op(Interp& in, Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::kEq: return equal(in.heap, a, b);
    case Op::kNe: return !equal(in.heap, a, b);
    case Op::kLt: return less(in, a, b);
    case Op::kGt: return less(in, b, a);
    case Op::kIn: return contains(in, b, a);
    case Op::kNotIn: return !TRY(contains(in, b, a));
    default: break;
  }
  if (a.is_number() && b.is_number() && !compare_numbers(a, b)) return false;  // NaN
  return !TRY(op == Op::kLe ? less(in, b, a) : less(in, a, b));
}

Result<bool> contains(Interp& in, const Value& container, const Value& item) {
  switch (container.type()) {
    case Type::kString:
      if (!item.is_string()) {
        return type_error(fmt::format("'in <string>' requires string as left operand, not {}",
                                      type_name(item.type())));
      }
      in.heap.spend(container.text().size() / 16);
      return find_text(container.text(), item.text(), 0) != std::string_view::npos;
    case Type::kDict:
      if (!hash(in.heap, item)) {
        return type_error(fmt::format("unhashable type: '{}'", type_name(item.type())));
      }
      return container.dict().find(item) != nullptr;
    case Type::kRange: {
      const Range& range = container.as<Range>();
      if (item.is(Type::kFloat)) {
        double real = item.as_double();
        bool whole = real == std::floor(real) && std::fabs(real) < 9e18;
        return whole && TRY(contains(in, container, Value::integer(static_cast<int64_t>(real))));
      }
      if (!item.is_integral()) return false;
      __int128 offset = static_cast<__int128>(item.as_int()) - range.start;
      return offset % range.step == 0 && offset / range.step >= 0 &&
             offset / range.step < range.count;
    }
    case Type::kView:
      if (container.as<View>().kind == View::Kind::kKeys) {
        return contains(in, container.as<View>().dict, item);
      }
      [[fallthrough]];
    case Type::kList:
    case Type::kTuple:
    case Type::kIterator:
    case Type::kUndefined: {
      Cursor walk = TRY(in.cursor(container));
      Value next;
      while (TRY(walk.next(in, &next))) {
        if (next.same(item) || equal(in.heap, next, item)) return true;
      }
      return false;
    }
    default:
      return type_error(
          fmt::format("argument of type '{}' is not iterable", type_name(container.type())));
  }
}

// A merge sort from the bottom up, because a comparison may fail.
Result<std::vector<Value>> sorted(Interp& in, std::vector<Value> keys, std::vector<Value> values,
                                  bool reverse) {
  size_t count = keys.size();
  TRY(in.fits(count * sizeof(uint32_t) * 2));
  std::vector<uint32_t> order(count), merged(count);
  for (size_t i = 0; i < count; ++i) order[i] = static_cast<uint32_t>(i);
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t first = 0; first < count; first += 2 * width) {
      size_t middle = std::min(first + width, count), last = std::min(first + 2 * width, count);
      size_t left = first, right = middle;
      for (size_t out = first; out < last; ++out) {
        bool take_right = left == middle;
        if (!take_right && right < last) {
          const Value& a = keys[order[left]];
          const Value& b = keys[order[right]];
          take_right = reverse ? TRY(less(in, a, b)) : TRY(less(in, b, a));
        }
        merged[out] = take_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  if (count == 1) order[0] = 0;
  std::vector<Value> out;
  out.reserve(count);
  for (uint32_t index : order) out.push_back(std::move(values[index]));
  return out;
}

}  // namespace hearth::jinja
