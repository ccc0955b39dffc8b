#include "template/builtin.h"

#include <unordered_map>

#include "template/interp.h"

namespace hearth::jinja {
namespace {

using Index = std::unordered_map<std::string_view, const Builtin*>;

Index index_of(std::initializer_list<std::span<const Builtin>> tables) {
  Index index;
  for (std::span<const Builtin> table : tables) {
    for (const Builtin& row : table) index.emplace(row.name, &row);
  }
  return index;
}

const Builtin* find(const Index& index, std::string_view name) {
  auto place = index.find(name);
  return place == index.end() ? nullptr : place->second;
}

using Methods = std::unordered_map<std::string_view, MethodSet>;

void add(Methods& all, std::span<const Builtin> table, const Builtin* MethodSet::*type) {
  for (const Builtin& row : table) all[row.name].*type = &row;
}

Methods all_methods() {
  Methods all;
  add(all, string_methods(), &MethodSet::str);
  add(all, list_methods(), &MethodSet::list);
  add(all, list_methods().first(2), &MethodSet::tuple);  // count, index
  add(all, dict_methods(), &MethodSet::dict);
  add(all, int_methods(), &MethodSet::number_int);
  add(all, float_methods(), &MethodSet::number_float);
  add(all, cycler_methods(), &MethodSet::cycler);
  add(all, dict_type_methods(), &MethodSet::dict_type);
  return all;
}

// How much of a text that it is given a builtin may look at for one step. Those that take longer
// for a byte, or make more than they get, spend the rest themselves.
constexpr size_t kBytesPerStep = 8;

std::unexpected<Error> wrong_call(std::string_view name, std::string_view what) {
  return fail(Code::kInvalid, "{}() {}", name, what);
}

// Puts the arguments of a call where the row's parameters want them.
Result<void> bind(const Builtin& row, const Args& args, std::array<Value, kParamsMax>& out) {
  size_t count = 0;
  while (count < kParamsMax && !row.params[count].empty()) ++count;
  if (args.positional.size() > count) {
    return wrong_call(row.name, fmt::format("takes at most {} arguments", count));
  }
  for (size_t i = 0; i < args.positional.size(); ++i) out[i] = args.positional[i];
  for (const auto& [name, value] : args.named) {
    size_t i = 0;
    while (i < count && row.params[i] != name.text()) ++i;
    if (i == count || row.take == Take::kPositional) {
      return wrong_call(row.name, fmt::format("takes no argument named '{}'", name.text()));
    }
    if (!out[i].is_missing()) {
      return wrong_call(row.name, fmt::format("got two values for '{}'", name.text()));
    }
    out[i] = value;
  }
  for (size_t i = 0; i < row.required; ++i) {
    if (out[i].is_missing()) {
      return wrong_call(row.name, fmt::format("needs the argument '{}'", row.params[i]));
    }
  }
  return {};
}

}  // namespace

const Builtin* MethodSet::of(Type type) const {
  switch (type) {
    case Type::kString: return str;
    case Type::kList: return list;
    case Type::kTuple: return tuple;
    case Type::kDict: return dict;
    case Type::kBool:
    case Type::kInt:
    case Type::kBig: return number_int;
    case Type::kFloat: return number_float;
    case Type::kCycler: return cycler;
    default: return nullptr;
  }
}

const Builtin* find_filter(std::string_view name) {
  static const Index index = index_of({text_filters(), value_filters(), sequence_filters(),
                                       layout_filters(), urlize_filter()});
  return find(index, name);
}

const Builtin* find_test(std::string_view name) {
  static const Index index = index_of({tests_table()});
  return find(index, name);
}

const Builtin* find_global(std::string_view name) {
  static const Index index = index_of({globals_table()});
  return find(index, name);
}

const MethodSet* find_methods(std::string_view name) {
  static const Methods all = all_methods();
  auto place = all.find(name);
  return place == all.end() ? nullptr : &place->second;
}

bool Call::truth(size_t i, bool fallback) const {
  return has(i) ? jinja::truth(arg[i]) : fallback;
}

Result<int64_t> Call::integer(size_t i, int64_t fallback) const {
  if (!has(i)) return fallback;
  if (arg[i].is_integral()) return arg[i].as_int();
  if (arg[i].is_undefined()) return undefined_error(arg[i]);
  if (arg[i].is(Type::kBig)) return fail(Code::kInvalid, "int too large to convert");
  return type_error(fmt::format("'{}' object cannot be interpreted as an integer",
                                type_name(arg[i].type())));
}

Result<std::string_view> Call::text(size_t i, std::string_view fallback) const {
  if (!has(i)) return fallback;
  if (arg[i].is_string()) return std::string_view(arg[i].text());
  if (arg[i].is_undefined()) return undefined_error(arg[i]);
  return type_error(
      fmt::format("{}() wants a string, not '{}'", name, type_name(arg[i].type())));
}

Result<Value> Interp::apply(const Builtin& row, const Value& self, Args& args) {
  Call bound{*this, self, row.name, {}, args};
  if (row.take != Take::kAny) TRY(bind(row, args, bound.arg));
  TRY(enter());
  bool foreign = false;
  auto given = [&](const Value& value) {
    foreign |= value.is_foreign();
    if (value.is_string()) heap.spend(value.text().size() / kBytesPerStep);
  };
  given(self);
  for (const Value& value : args.positional) given(value);
  for (const auto& [name, value] : args.named) given(value);
  TRY(check());
  bool outer = std::exchange(given_foreign_, foreign);
  auto result = row.run(bound);
  given_foreign_ = outer;
  leave();
  // Strings, lists and dicts know what is in them; whatever else was made here may hand it on.
  bool opaque = result && result->type() > Type::kView;
  if (foreign && opaque && result->object()->heap) result->object()->foreign = true;
  return result;
}

}  // namespace hearth::jinja
