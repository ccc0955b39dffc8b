// eq and lt as Go's templates have them: kinds must agree, but for the sign of integers.
#include <algorithm>

#include "template/go/functions.h"

namespace hearth::gotmpl {
namespace {

enum class Basic : uint8_t { kNone, kBool, kInt, kUint, kFloat, kString };

Basic basic(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool: return Basic::kBool;
    case Kind::kInt: return Basic::kInt;
    case Kind::kUint8: return Basic::kUint;
    case Kind::kFloat: return Basic::kFloat;
    case Kind::kString: return Basic::kString;
    default: return Basic::kNone;
  }
}

bool is_integer(Basic kind) { return kind == Basic::kInt || kind == Basic::kUint; }

std::unexpected<Error> incompatible(const Value& a, const Value& b) {
  return fail(Code::kInvalid, "incompatible types for comparison: {} and {}", a.type().name,
              b.type().name);
}

bool is_nil(const Value& value) {
  if (!value.is_valid()) return true;
  Kind kind = value.kind();
  return (kind == Kind::kSlice || kind == Kind::kMap || kind == Kind::kPointer) && value.is_nil();
}

Result<bool> equal_basic(const Value& a, const Value& b, Basic kind, Budget& budget) {
  switch (kind) {
    case Basic::kFloat: return a.as_double() == b.as_double();
    case Basic::kString:
      budget.take_steps(std::min(a.as_text().text.size(), b.as_text().text.size()) / 16);
      return a.as_text().text == b.as_text().text;
    default: return a.as_int() == b.as_int();
  }
}

Result<bool> equal_others(const Value& a, const Value& b) {
  if (a.is_valid() && b.is_valid() && a.kind() != b.kind())
    return fail(Code::kInvalid, "non-comparable types {} and {}", a.type().name, b.type().name);
  if (is_nil(a) || is_nil(b)) return is_nil(a) == is_nil(b);
  if (b.kind() != Kind::kPointer)
    return fail(Code::kInvalid, "non-comparable type {}", b.type().name);
  return a.same_object(b);
}

Result<bool> equal_pair(const Value& a, const Value& b, Budget& budget) {
  Basic kind_a = basic(a), kind_b = basic(b);
  if (kind_a == kind_b) {
    return kind_a == Basic::kNone ? equal_others(a, b) : equal_basic(a, b, kind_a, budget);
  }
  if (is_integer(kind_a) && is_integer(kind_b)) return a.as_int() == b.as_int();
  if (a.is_valid() && b.is_valid()) return incompatible(a, b);
  return false;
}

}  // namespace

Result<bool> equal(std::span<const Value> args, Budget& budget) {
  if (args.size() < 2) return fail(Code::kInvalid, "missing argument for comparison");
  for (const Value& other : args.subspan(1))
    if (TRY(equal_pair(args[0], other, budget))) return true;
  return false;
}

Result<bool> less(const Value& a, const Value& b, Budget& budget) {
  Basic kind_a = basic(a), kind_b = basic(b);
  if (kind_a == Basic::kNone || kind_b == Basic::kNone)
    return fail(Code::kInvalid, "invalid type for comparison");
  if (is_integer(kind_a) && is_integer(kind_b)) return a.as_int() < b.as_int();
  if (kind_a != kind_b) return incompatible(a, b);
  switch (kind_a) {
    case Basic::kFloat: return a.as_double() < b.as_double();
    case Basic::kString:
      budget.take_steps(std::min(a.as_text().text.size(), b.as_text().text.size()) / 16);
      return a.as_text().text < b.as_text().text;
    default: return fail(Code::kInvalid, "invalid type for comparison");
  }
}

}  // namespace hearth::gotmpl
