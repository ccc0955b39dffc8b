// The methods of lists, dicts, numbers and cyclers. A method that would change a list or a dict
// is named here without a function: the sandbox refuses it.
#include <algorithm>
#include <bit>
#include <cmath>

#include "template/interp.h"

namespace hearth::jinja {
namespace {

Result<Value> list_count(Call& call) {
  int64_t count = 0;
  for (const Value& item : call.self.items()) {
    count += item.same(call.arg[0]) || equal(call.in.heap, item, call.arg[0]);
  }
  return Value::integer(count);
}

Result<Value> list_index(Call& call) {
  const std::vector<Value>& items = call.self.items();
  auto size = static_cast<int64_t>(items.size());
  auto place = [&](size_t i, int64_t fallback) -> Result<int64_t> {
    int64_t index = TRY(call.integer(i, fallback));
    return index < 0 ? std::max<int64_t>(index < -size ? 0 : index + size, 0)
                     : std::min(index, size);
  };
  int64_t start = TRY(place(1, 0)), end = TRY(place(2, size));
  for (int64_t i = start; i < end; ++i) {
    const Value& item = items[static_cast<size_t>(i)];
    if (item.same(call.arg[0]) || equal(call.in.heap, item, call.arg[0])) return Value::integer(i);
  }
  return fail(Code::kInvalid, "value is not in list");
}

Result<Value> list_copy(Call& call) {
  TRY(call.in.fits(call.self.items().size() * sizeof(Value)));
  return call.in.list(call.self.items());
}

template <View::Kind kKind>
Result<Value> dict_view(Call& call) {
  return Value(call.in.heap.make<View>(0, call.self, kKind));
}

Result<Value> dict_get(Call& call) {
  if (!hash(call.in.heap, call.arg[0])) {
    return type_error(fmt::format("unhashable type: '{}'", type_name(call.arg[0].type())));
  }
  if (const Value* found = call.self.dict().find(call.arg[0])) return *found;
  return call.has(1) ? call.arg[1] : Value::none();
}

Result<Value> dict_copy(Call& call) {
  Value made(call.in.new_dict());
  for (const auto& [key, value] : call.self.dict().entries) {
    TRY(call.in.set_item(made.as<Dict>(), key, value));
  }
  return made;
}

Result<Value> dict_fromkeys(Call& call) {
  Value made(call.in.new_dict());
  Cursor walk = TRY(call.in.cursor(call.arg[0]));
  Value key;
  while (TRY(walk.next(call.in, &key))) {
    TRY(call.in.set_item(made.as<Dict>(), std::move(key),
                         call.has(1) ? call.arg[1] : Value::none()));
  }
  return made;
}

Result<Value> int_bit_length(Call& call) {
  return Value::integer(static_cast<int64_t>(integer_of(call.self).bits()));
}

Result<Value> int_bit_count(Call& call) {
  std::string digits = integer_of(call.self).digits(2);
  return Value::integer(std::ranges::count(digits, '1'));
}

// A bool becomes an int.
Result<Value> conjugate(Call& call) { return unary_op(call.in, Op::kPos, call.self); }

Result<Value> int_ratio(Call& call) {
  return call.in.tuple({TRY(conjugate(call)), Value::integer(1)});
}

Result<Value> float_ratio(Call& call) {
  double value = call.self.as_double();
  if (!std::isfinite(value)) {
    return fail(Code::kInvalid, "cannot convert Infinity or NaN to integer ratio");
  }
  int exponent = 0;
  double mantissa = std::frexp(value, &exponent);
  for (; mantissa != std::trunc(mantissa); --exponent) mantissa *= 2;
  Integer top = Integer::truncated(mantissa), bottom(1);
  Integer unit = Integer(2).power(static_cast<uint64_t>(std::abs(exponent)));
  (exponent > 0 ? top : bottom) = exponent > 0 ? top * unit : unit;
  return call.in.tuple({TRY(call.in.number(top)), TRY(call.in.number(bottom))});
}

// 0x1.8000000000000p+1
Result<Value> float_hex(Call& call) {
  double value = call.self.as_double();
  if (!std::isfinite(value)) return call.in.string(float_repr(value));
  auto bits = std::bit_cast<uint64_t>(value);
  uint64_t mantissa = bits & 0xFFFFFFFFFFFFF;
  int exponent = static_cast<int>(bits >> 52 & 0x7FF);
  std::string_view sign = std::signbit(value) ? "-" : "";
  if (value == 0) return call.in.string(fmt::format("{}0x0.0p+0", sign));
  return call.in.string(fmt::format("{}0x{}.{:013x}p{:+d}", sign, exponent != 0 ? 1 : 0, mantissa,
                                    exponent != 0 ? exponent - 1023 : -1022));
}

Result<Value> float_is_integer(Call& call) {
  double value = call.self.as_double();
  return Value::boolean(std::isfinite(value) && value == std::floor(value));
}

Result<Value> cycler_next(Call& call) {
  Cycler& cycler = call.self.as<Cycler>();
  Value value = cycler.values[cycler.at];
  cycler.at = (cycler.at + 1) % cycler.values.size();
  return value;
}

Result<Value> cycler_reset(Call& call) {
  call.self.as<Cycler>().at = 0;
  return Value::none();
}

constexpr Take kPos = Take::kPositional;

// The first two are those of tuples too.
constexpr Builtin kList[] = {
    {"count", list_count, 1, {"value"}, kPos},
    {"index", list_index, 1, {"value", "start", "stop"}, kPos},
    {"copy", list_copy},
    {"append", nullptr},
    {"clear", nullptr},
    {"pop", nullptr},
    {"reverse", nullptr},
    {"insert", nullptr},
    {"sort", nullptr},
    {"extend", nullptr},
    {"remove", nullptr},
};

constexpr Builtin kDict[] = {
    {"keys", dict_view<View::Kind::kKeys>},
    {"values", dict_view<View::Kind::kValues>},
    {"items", dict_view<View::Kind::kItems>},
    {"get", dict_get, 1, {"key", "default"}, kPos},
    {"copy", dict_copy},
    {"fromkeys", dict_fromkeys, 1, {"iterable", "value"}, kPos},
    {"clear", nullptr},
    {"pop", nullptr},
    {"popitem", nullptr},
    {"setdefault", nullptr},
    {"update", nullptr},
};

constexpr Builtin kInt[] = {
    {"bit_length", int_bit_length},
    {"bit_count", int_bit_count},
    {"conjugate", conjugate},
    {"as_integer_ratio", int_ratio},
};

constexpr Builtin kFloat[] = {
    {"is_integer", float_is_integer},
    {"conjugate", conjugate},
    {"as_integer_ratio", float_ratio},
    {"hex", float_hex},
};

constexpr Builtin kCycler[] = {{"next", cycler_next}, {"reset", cycler_reset}};

constexpr Builtin kDictType[] = {{"fromkeys", dict_fromkeys, 1, {"iterable", "value"}, kPos}};

}  // namespace

std::span<const Builtin> list_methods() { return kList; }
std::span<const Builtin> dict_methods() { return kDict; }
std::span<const Builtin> int_methods() { return kInt; }
std::span<const Builtin> float_methods() { return kFloat; }
std::span<const Builtin> cycler_methods() { return kCycler; }
std::span<const Builtin> dict_type_methods() { return kDictType; }

}  // namespace hearth::jinja
