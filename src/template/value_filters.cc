// Filters on single values: numbers, defaults, JSON, attributes.
#include <cmath>

#include "template/interp.h"

namespace hearth::jinja {
namespace {

Result<Value> default_value(Call& call) {
  bool absent = call.self.is_undefined() || (call.truth(1, false) && !truth(call.self));
  if (!absent) return call.self;
  return call.has(0) ? call.arg[0] : call.in.string("");
}

Result<Value> length(Call& call) { return Value::integer(TRY(call.in.length(call.self))); }

Result<Value> absolute(Call& call) {
  if (call.self.is(Type::kFloat)) return Value::real(std::fabs(call.self.as_double()));
  if (call.self.is_integer()) {
    Integer value = integer_of(call.self);
    return call.in.number(value.is_negative() ? -value : value);
  }
  if (call.self.is_undefined()) return undefined_error(call.self);
  return type_error(fmt::format("bad operand type for abs(): '{}'", type_name(call.self.type())));
}

// int(float): towards zero; empty for what is no number.
std::optional<Integer> whole_of(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return std::nullopt;
  return Integer::truncated(*value);
}

Result<Value> to_int(Call& call) {
  const Value& self = call.self;
  if (self.is_undefined()) return undefined_error(self);
  std::optional<Integer> value;
  if (self.is_integer()) value = integer_of(self);
  if (self.is(Type::kFloat)) value = whole_of(self.as_double());
  if (self.is_string()) {
    value = TRY(parse_int(self.text(), TRY(call.integer(1, 10))));
    if (!value) value = whole_of(parse_float(self.text()));
  }
  if (value) return call.in.number(std::move(*value));
  return call.has(0) ? call.arg[0] : Value::integer(0);
}

Result<Value> to_float(Call& call) {
  const Value& self = call.self;
  if (self.is_undefined()) return undefined_error(self);
  if (self.is_number()) return Value::real(TRY(real_of(self)));
  if (self.is_string()) {
    if (auto value = parse_float(self.text())) return Value::real(*value);
  }
  return call.has(0) ? call.arg[0] : Value::real(0.0);
}

Result<Value> round(Call& call) {
  int64_t digits = TRY(call.integer(0, 0));
  std::string_view method = TRY(call.text(1, "common"));
  if (method == "common") return round_number(call.in, call.self, digits);
  if (method != "ceil" && method != "floor") {
    return fail(Code::kInvalid, "method must be common, ceil or floor");
  }
  if (!call.self.is_number()) {
    return type_error("must be real number");
  }
  // As Python: a whole number of units by the unit, which is a whole number too unless it is small.
  Value unit = TRY(binary_op(call.in, Op::kPow, Value::integer(10), Value::integer(digits)));
  Value units = TRY(binary_op(call.in, Op::kMul, call.self, unit));
  if (units.is(Type::kFloat)) {
    double real = units.as_double();
    if (!std::isfinite(real)) return fail(Code::kInvalid, "cannot convert float to integer");
    real = method == "ceil" ? std::ceil(real) : std::floor(real);
    units = TRY(call.in.number(Integer::truncated(real)));
  }
  return binary_op(call.in, Op::kDiv, units, unit);
}

// tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)
Result<Value> tojson(Call& call) {
  JsonStyle style;
  style.ascii = call.truth(0, false);
  style.sort_keys = call.truth(3, false);
  if (call.has(1) && !call.arg[1].is_none()) {
    style.indented = true;
    style.item_separator.resize(1);  // without the blank
    if (call.arg[1].is_string()) {
      style.indent = call.arg[1].text();
    } else {
      int64_t width = TRY(call.integer(1, 0));
      if (width > 4096) return fail(Code::kTooLarge, "indent is too wide");
      style.indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
  }
  if (call.has(2) && !call.arg[2].is_none()) {
    std::vector<Value> pair = TRY(call.in.to_vector(call.arg[2]));
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      return type_error("separators must be two strings");
    }
    style.item_separator = pair[0].text();
    style.key_separator = pair[1].text();
  }
  return call.in.string(TRY(to_json(call.in, call.self, style)));
}

// An attribute only, never an item.
Result<Value> attr(Call& call) {
  if (!call.arg[0].is_string()) return type_error("attribute name must be string");
  Value found = TRY(call.in.attribute(call.self, call.arg[0], find_methods(call.arg[0].text())));
  bool item = call.self.is_dict() && !found.is(Type::kMethod);
  if (item) return Value::undefined(Lack::kAttribute, call.arg[0], call.self.type());
  return found;
}

constexpr Builtin kRows[] = {
    {"default", default_value, 0, {"default_value", "boolean"}},
    {"d", default_value, 0, {"default_value", "boolean"}},
    {"length", length},
    {"count", length},
    {"abs", absolute},
    {"int", to_int, 0, {"default", "base"}},
    {"float", to_float, 0, {"default"}},
    {"round", round, 0, {"precision", "method"}},
    {"tojson", tojson, 0, {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"attr", attr, 1, {"name"}},
};

}  // namespace

std::span<const Builtin> value_filters() { return kRows; }

}  // namespace hearth::jinja
