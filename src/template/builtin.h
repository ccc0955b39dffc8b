// Builtin: a filter, test, method or global function as a row of a table: its name, its
// parameters as Python declares them, and the function. Arguments are bound by one function for
// all of them (Interp::apply), so that names, defaults and errors are those of Python.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "template/value.h"

namespace hearth::jinja {

class Interp;

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<Value, Value>> named;  // the name is a string
};

inline constexpr size_t kParamsMax = 6;

// One call of a builtin, with its arguments bound; those not given are missing.
struct Call {
  Interp& in;
  const Value& self;  // what is filtered or tested; the object of a method
  std::string_view name;
  std::array<Value, kParamsMax> arg;
  Args& raw;  // for those that take any number of arguments

  bool has(size_t i) const { return !arg[i].is_missing(); }
  bool truth(size_t i, bool fallback) const;
  // Whole numbers and strings; kInvalid in Python's words for anything else.
  Result<int64_t> integer(size_t i, int64_t fallback) const;
  Result<std::string_view> text(size_t i, std::string_view fallback = {}) const;
};

using BuiltinFn = Result<Value> (*)(Call& call);

enum class Take : uint8_t {
  kBound,       // the parameters by position or name
  kPositional,  // the parameters by position only
  kAny,         // whatever comes, in Call::raw
};

struct Builtin {
  std::string_view name;
  BuiltinFn run;
  uint8_t required = 0;
  std::array<std::string_view, kParamsMax> params = {};
  Take take = Take::kBound;
};

// What an attribute name means on the types that have methods. A method that would change its
// object is there with run = nullptr: reading it gives an undefined value that says "unsafe".
struct MethodSet {
  const Builtin* str = nullptr;
  const Builtin* list = nullptr;
  const Builtin* tuple = nullptr;
  const Builtin* dict = nullptr;
  const Builtin* number_int = nullptr;
  const Builtin* number_float = nullptr;
  const Builtin* cycler = nullptr;
  const Builtin* dict_type = nullptr;  // of the global `dict`
  const Builtin* of(Type type) const;
};

// nullptr where there is none of that name.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_global(std::string_view name);
const MethodSet* find_methods(std::string_view name);

// The tables; each file of builtins has one.
std::span<const Builtin> text_filters();
std::span<const Builtin> value_filters();
std::span<const Builtin> sequence_filters();
std::span<const Builtin> layout_filters();
std::span<const Builtin> urlize_filter();
std::span<const Builtin> tests_table();
std::span<const Builtin> globals_table();
std::span<const Builtin> string_methods();
std::span<const Builtin> list_methods();
std::span<const Builtin> dict_methods();
std::span<const Builtin> int_methods();
std::span<const Builtin> float_methods();
std::span<const Builtin> cycler_methods();
std::span<const Builtin> dict_type_methods();

}  // namespace hearth::jinja
