// The tests of `is`.
#include "base/utf8.h"
#include "template/interp.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

Value yes(bool value) { return Value::boolean(value); }

Result<Value> is_defined(Call& call) { return yes(!call.self.is_undefined()); }
Result<Value> is_undefined(Call& call) { return yes(call.self.is_undefined()); }
Result<Value> is_none(Call& call) { return yes(call.self.is_none()); }
Result<Value> is_boolean(Call& call) { return yes(call.self.is(Type::kBool)); }
Result<Value> is_integer(Call& call) {
  return yes(call.self.is_integer() && !call.self.is(Type::kBool));
}
Result<Value> is_float(Call& call) { return yes(call.self.is(Type::kFloat)); }
Result<Value> is_number(Call& call) {
  return yes(call.self.is_number());
}
Result<Value> is_string(Call& call) { return yes(call.self.is_string()); }
Result<Value> is_mapping(Call& call) { return yes(call.self.is_dict()); }
Result<Value> is_escaped(Call& call) { return yes(call.self.is_markup()); }

Result<Value> is_true(Call& call) {
  return yes(call.self.is(Type::kBool) && call.self.as_bool());
}

Result<Value> is_false(Call& call) {
  return yes(call.self.is(Type::kBool) && !call.self.as_bool());
}

Result<Value> is_iterable(Call& call) { return yes(call.in.cursor(call.self).has_value()); }

Result<Value> is_sequence(Call& call) {
  const Value& self = call.self;
  return yes(self.is_string() || self.is_sequence() || self.is_dict() || self.is(Type::kRange) ||
             self.is_undefined());
}

Result<Value> is_callable(Call& call) {
  switch (call.self.type()) {
    case Type::kUndefined:  // Python's class can be called: it raises
    case Type::kMacro:
    case Type::kFunction:
    case Type::kMethod:
    case Type::kLoop:
    case Type::kJoiner: return yes(true);
    default: return yes(false);
  }
}

Result<Value> remainder_is(Call& call, const Value& divisor, int64_t expected) {
  Value rest = TRY(binary_op(call.in, Op::kMod, call.self, divisor));
  return yes(equal(call.in.heap, rest, Value::integer(expected)));
}

Result<Value> is_odd(Call& call) { return remainder_is(call, Value::integer(2), 1); }
Result<Value> is_even(Call& call) { return remainder_is(call, Value::integer(2), 0); }
Result<Value> is_divisible(Call& call) { return remainder_is(call, call.arg[0], 0); }

template <Op kOp>
Result<Value> compares(Call& call) {
  return yes(TRY(compare_op(call.in, kOp, call.self, call.arg[0])));
}

Result<Value> same_as(Call& call) {
  const Value& self = call.self;
  if (self.is_string()) return yes(self.object() == call.arg[0].object());
  return yes(self.same(call.arg[0]));
}

// str.islower() and isupper(): some cased character, and none of the other case.
Result<Value> case_is(Call& call, bool upper) {
  std::string text = TRY(to_str(call.in, call.self));
  bool found = false;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    i += next.bytes;
    bool wrong = upper ? is_lower(next.code) : is_upper(next.code);
    if (wrong || is_title(next.code)) return yes(false);
    found |= upper ? is_upper(next.code) : is_lower(next.code);
  }
  return yes(found);
}

Result<Value> is_lower_case(Call& call) { return case_is(call, false); }
Result<Value> is_upper_case(Call& call) { return case_is(call, true); }

// A name is looked up in a dict of Python's: what cannot be a key is an error.
Result<void> as_key(Call& call) {
  if (hash(call.in.heap, call.self)) return {};
  return type_error(fmt::format("unhashable type: '{}'", type_name(call.self.type())));
}

Result<Value> is_filter(Call& call) {
  TRY(as_key(call));
  return yes(call.self.is_string() && find_filter(call.self.text()));
}

Result<Value> is_test(Call& call) {
  TRY(as_key(call));
  return yes(call.self.is_string() && find_test(call.self.text()));
}

constexpr Builtin kRows[] = {
    {"defined", is_defined},
    {"undefined", is_undefined},
    {"none", is_none},
    {"boolean", is_boolean},
    {"true", is_true},
    {"false", is_false},
    {"integer", is_integer},
    {"float", is_float},
    {"number", is_number},
    {"string", is_string},
    {"mapping", is_mapping},
    {"iterable", is_iterable},
    {"sequence", is_sequence},
    {"callable", is_callable},
    {"escaped", is_escaped},
    {"odd", is_odd},
    {"even", is_even},
    {"divisibleby", is_divisible, 1, {"num"}},
    {"lower", is_lower_case},
    {"upper", is_upper_case},
    {"sameas", same_as, 1, {"other"}},
    {"filter", is_filter},
    {"test", is_test},
    {"in", compares<Op::kIn>, 1, {"seq"}},
    {"eq", compares<Op::kEq>, 1, {"b"}},
    {"==", compares<Op::kEq>, 1, {"b"}},
    {"equalto", compares<Op::kEq>, 1, {"b"}},
    {"ne", compares<Op::kNe>, 1, {"b"}},
    {"!=", compares<Op::kNe>, 1, {"b"}},
    {"lt", compares<Op::kLt>, 1, {"b"}},
    {"<", compares<Op::kLt>, 1, {"b"}},
    {"lessthan", compares<Op::kLt>, 1, {"b"}},
    {"le", compares<Op::kLe>, 1, {"b"}},
    {"<=", compares<Op::kLe>, 1, {"b"}},
    {"gt", compares<Op::kGt>, 1, {"b"}},
    {">", compares<Op::kGt>, 1, {"b"}},
    {"greaterthan", compares<Op::kGt>, 1, {"b"}},
    {"ge", compares<Op::kGe>, 1, {"b"}},
    {">=", compares<Op::kGe>, 1, {"b"}},
};

}  // namespace

std::span<const Builtin> tests_table() { return kRows; }

}  // namespace hearth::jinja
