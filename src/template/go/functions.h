// The functions that a template may call: Go's builtins and those that Ollama adds. A row each.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "template/go/sink.h"
#include "template/go/value.h"

namespace hearth::gotmpl {

// What a parameter takes. Go's reflect.Value keeps "no value" apart from an empty interface.
enum class Parameter : uint8_t { kAny, kReflected, kString };

// What a function may use besides its arguments.
struct Call {
  std::span<const Value> args;
  Budget& budget;
  int64_t now;  // seconds since 1970 shown in UTC; the clock, shown in local time, where negative
};

struct Function {
  std::string_view name;
  // Fixed parameters and, where it takes more, the kind of those.
  uint8_t fixed;
  bool variadic;
  Parameter first, rest;  // of the first parameter, of all others
  bool ours;              // Ollama's, not Go's
  Result<Value> (*call)(const Call&);  // null for and, or: they do not evaluate all arguments
  bool stops_at = false;  // of and, or: the truth at which they stop
};

// nullptr where there is none of this name.
const Function* find_function(std::string_view name);

// Go's truth of a value.
bool truth(const Value& value);

// Comparisons (compare.cc). Errors: kinds that do not compare.
Result<bool> equal(std::span<const Value> args, Budget& budget);
Result<bool> less(const Value& a, const Value& b, Budget& budget);

// index and slice (index.cc).
Result<Value> index_value(std::span<const Value> args);
Result<Value> slice_value(const Call& call);

// The type of a parameter of a tool in TypeScript.
Rendered typescript_type(const Value& property);

}  // namespace hearth::gotmpl
