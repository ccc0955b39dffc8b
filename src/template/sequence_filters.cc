// Filters on sequences. Those that Python makes generators are iterators here too: they work
// when they are walked, and once only.
#include <algorithm>
#include <charconv>

#include "template/interp.h"
#include "template/text.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

// "a.0.b" as the steps a, 0, b; nothing for none.
Result<std::vector<Value>> attribute_path(Interp& in, const Value& attribute) {
  std::vector<Value> parts;
  if (attribute.is_missing() || attribute.is_none()) return parts;
  if (!attribute.is_string()) {
    parts.push_back(attribute);
    return parts;
  }
  std::string_view text = attribute.text();
  for (;;) {
    size_t end = std::min(text.find('.'), text.size());
    std::string_view part = text.substr(0, end);
    int64_t index = 0;
    auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    bool digits = !part.empty() && part[0] != '-' && read.ec == std::errc{} &&
                  read.ptr == part.data() + part.size();
    parts.push_back(digits ? Value::integer(index) : in.string(part));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<Value> follow(Interp& in, Value item, const std::vector<Value>& path,
                     const Value& fallback = {}) {
  for (const Value& part : path) {
    item = TRY(in.item(item, part));
    bool replace = item.is_undefined() && !fallback.is_missing() && !fallback.is_none();
    if (replace) item = fallback;
  }
  return item;
}

Value fold(Interp& in, Value value, bool case_sensitive) {
  if (case_sensitive || !value.is_string()) return value;
  return in.string(to_lower(value.text()));
}

// The rest of a call's arguments after the first `skip`.
Args rest_of(const Args& args, size_t skip) {
  Args out;
  out.positional.assign(args.positional.begin() + static_cast<ptrdiff_t>(skip),
                        args.positional.end());
  out.named = args.named;
  return out;
}

// map, select, reject, selectattr, rejectattr: a walk with something done to each item.
struct Each : Iterator {
  enum class What : uint8_t { kMapAttribute, kMapFilter, kKeep, kDrop };

  Each(Heap* heap, Cursor items, What what) : Iterator(heap), items(std::move(items)), what(what) {}
  void clear() override {
    items.clear();
    path.clear();
    fallback = {};
    args = {};
  }

  Result<bool> next(Interp& in, Value* out) override {
    Value item;
    while (TRY(items.next(in, &item))) {
      Value seen = TRY(follow(in, item, path, fallback));
      if (what == What::kMapAttribute) {
        *out = std::move(seen);
        return true;
      }
      if (row) {
        Args copy = args;
        seen = TRY(in.apply(*row, seen, copy));
      }
      if (what == What::kMapFilter) {
        *out = std::move(seen);
        return true;
      }
      if (truth(seen) == (what == What::kKeep)) {
        *out = std::move(item);
        return true;
      }
    }
    return false;
  }

  Cursor items;
  What what;
  std::vector<Value> path;
  Value fallback;
  const Builtin* row = nullptr;
  Args args;
};

// Python looks at the truth of the subject first: what is false has no items.
Result<Cursor> items_of(Call& call) {
  if (!truth(call.self)) return Cursor();
  return call.in.cursor(call.self);
}

Result<Value> map(Call& call) {
  Args& raw = call.raw;
  auto named = [&](std::string_view name) -> const Value* {
    for (const auto& [known, value] : raw.named) {
      if (known.text() == name) return &value;
    }
    return nullptr;
  };
  Each* each = call.in.heap.make<Each>(0, TRY(items_of(call)), Each::What::kMapFilter);
  Value made(each);
  const Value* attribute = named("attribute");
  if (raw.positional.empty() && attribute) {
    for (const auto& [name, value] : raw.named) {
      if (name.text() != "attribute" && name.text() != "default") {
        return fail(Code::kInvalid, "map: unexpected argument '{}'", name.text());
      }
    }
    each->what = Each::What::kMapAttribute;
    each->path = TRY(attribute_path(call.in, *attribute));
    if (const Value* fallback = named("default")) each->fallback = *fallback;
    return made;
  }
  if (raw.positional.empty()) return fail(Code::kInvalid, "map requires a filter argument");
  if (!raw.positional[0].is_string()) return type_error("map wants the name of a filter");
  each->row = find_filter(raw.positional[0].text());
  if (!each->row) {
    return fail(Code::kInvalid, "there is no filter named '{}'", raw.positional[0].text());
  }
  each->args = rest_of(raw, 1);
  return made;
}

Result<Value> choose(Call& call, Each::What what, bool by_attribute) {
  Args& raw = call.raw;
  Each* each = call.in.heap.make<Each>(0, TRY(items_of(call)), what);
  Value made(each);
  size_t at = 0;
  if (by_attribute) {
    if (raw.positional.empty()) return fail(Code::kInvalid, "missing the name of an attribute");
    each->path = TRY(attribute_path(call.in, raw.positional[at++]));
  }
  if (raw.positional.size() == at) return made;
  if (!raw.positional[at].is_string()) return type_error("expected the name of a test");
  each->row = find_test(raw.positional[at].text());
  if (!each->row) {
    return fail(Code::kInvalid, "there is no test named '{}'", raw.positional[at].text());
  }
  each->args = rest_of(raw, at + 1);
  return made;
}

Result<Value> select(Call& call) { return choose(call, Each::What::kKeep, false); }
Result<Value> reject(Call& call) { return choose(call, Each::What::kDrop, false); }
Result<Value> selectattr(Call& call) { return choose(call, Each::What::kKeep, true); }
Result<Value> rejectattr(Call& call) { return choose(call, Each::What::kDrop, true); }

// A list that was made at once and is walked as a generator.
struct Prepared : Iterator {
  Prepared(Heap* heap, std::vector<Value> values) : Iterator(heap), values(std::move(values)) {}
  void clear() override { values.clear(); }
  Result<bool> next(Interp&, Value* out) override {
    if (at >= values.size()) return false;
    *out = values[at++];
    return true;
  }
  std::vector<Value> values;
  size_t at = 0;
};

Value prepared(Interp& in, std::vector<Value> values) {
  size_t bytes = values.size() * sizeof(Value);
  return Value(in.heap.make<Prepared>(bytes, std::move(values)));
}

Result<Value> join(Call& call) {
  Value separator = call.has(0) ? TRY(as_string(call.in, call.arg[0])) : call.in.string("");
  std::vector<Value> path = TRY(attribute_path(call.in, call.arg[1]));
  Cursor walk = TRY(call.in.cursor(call.self));
  Rendered out;
  Value item;
  bool first = true;
  while (TRY(walk.next(call.in, &item))) {
    if (!first) TRY(append_value(call.in, out, separator));
    first = false;
    item = TRY(follow(call.in, std::move(item), path));
    TRY(append_value(call.in, out, item));
  }
  return call.in.marked(std::move(out));
}

Result<Value> first(Call& call) {
  Cursor walk = TRY(call.in.cursor(call.self));
  Value item;
  if (TRY(walk.next(call.in, &item))) return item;
  return Value::undefined(Lack::kHint, call.in.string("no first item, sequence was empty"));
}

Result<Value> last(Call& call) {
  const Value& self = call.self;
  if (self.is(Type::kIterator) || self.is(Type::kLoop)) {
    return type_error("'generator' object is not reversible");
  }
  if (self.is_string() || self.is_sequence() || self.is(Type::kRange)) {
    if (truth(self)) return call.in.item(self, Value::integer(-1));
  } else {
    std::vector<Value> values = TRY(call.in.to_vector(self));
    if (!values.empty()) return values.back();
  }
  return Value::undefined(Lack::kHint, call.in.string("no last item, sequence was empty"));
}

// One of the items: which one follows from the seed, so that a prompt can be made again.
Result<Value> random(Call& call) {
  const Value& self = call.self;
  bool indexed = self.is_string() || self.is_sequence() || self.is(Type::kRange);
  if (!indexed && !self.is_undefined()) return type_error("random wants a sequence");
  if (!truth(self)) {
    return Value::undefined(Lack::kHint, call.in.string("No random item, sequence was empty."));
  }
  uint64_t mixed = (call.in.options.seed + ++call.in.draws) * 0x9E3779B97F4A7C15ull;  // splitmix64
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
  auto size = static_cast<uint64_t>(TRY(call.in.length(self)));
  return call.in.item(self, Value::integer(static_cast<int64_t>((mixed ^ (mixed >> 31)) % size)));
}

Result<Value> list(Call& call) { return call.in.list(TRY(call.in.to_vector(call.self))); }

Result<Value> reverse(Call& call) {
  if (call.self.is_string()) {
    return call.in.slice(call.self, Value(), Value(), Value::integer(-1));
  }
  std::vector<Value> values = TRY(call.in.to_vector(call.self));
  std::ranges::reverse(values);
  if (call.self.is(Type::kIterator)) return call.in.list(std::move(values));
  return prepared(call.in, std::move(values));
}

// sort(reverse, case_sensitive, attribute="a,b.c")
Result<Value> sort(Call& call) {
  Interp& in = call.in;
  bool case_sensitive = call.truth(1, false);
  std::vector<std::vector<Value>> paths;
  if (call.has(2) && call.arg[2].is_string()) {
    std::string_view text = call.arg[2].text();
    for (;;) {
      size_t end = std::min(text.find(','), text.size());
      paths.push_back(TRY(attribute_path(in, in.string(text.substr(0, end)))));
      if (end == text.size()) break;
      text.remove_prefix(end + 1);
    }
  } else {
    paths.push_back(TRY(attribute_path(in, call.arg[2])));
  }
  std::vector<Value> values = TRY(in.to_vector(call.self));
  std::vector<Value> keys;
  for (const Value& value : values) {
    std::vector<Value> key;
    for (const auto& path : paths) {
      key.push_back(fold(in, TRY(follow(in, value, path)), case_sensitive));
    }
    // Lists compare their items for equality first: that lets None and undefined values pass.
    bool plain = key.size() == 1 && (key[0].is_string() || key[0].is_number());
    keys.push_back(plain ? key[0] : in.list(std::move(key)));
    TRY(in.check());
  }
  return in.list(TRY(sorted(in, std::move(keys), std::move(values), call.truth(0, false))));
}

Result<Value> unique(Call& call) {
  Interp& in = call.in;
  std::vector<Value> path = TRY(attribute_path(in, call.arg[1]));
  Value seen(in.new_dict());
  std::vector<Value> out;
  for (Value& value : TRY(in.to_vector(call.self))) {
    Value key = fold(in, TRY(follow(in, value, path)), call.truth(0, false));
    if (!hash(in.heap, key)) {
      return type_error(fmt::format("unhashable type: '{}'", type_name(key.type())));
    }
    if (seen.dict().find(key)) continue;
    TRY(in.set_item(seen.as<Dict>(), std::move(key), Value::none()));
    out.push_back(std::move(value));
  }
  return prepared(in, std::move(out));
}

Result<Value> extreme(Call& call, bool largest) {
  Interp& in = call.in;
  std::vector<Value> path = TRY(attribute_path(in, call.arg[1]));
  Value best, best_key;
  for (Value& value : TRY(in.to_vector(call.self))) {
    Value key = fold(in, TRY(follow(in, value, path)), call.truth(0, false));
    bool better = best.is_missing();
    if (!better) better = largest ? TRY(less(in, best_key, key)) : TRY(less(in, key, best_key));
    if (!better) continue;
    best = std::move(value);
    best_key = std::move(key);
  }
  if (!best.is_missing()) return best;
  return Value::undefined(Lack::kHint, in.string("no aggregated item, sequence was empty"));
}

Result<Value> min(Call& call) { return extreme(call, false); }
Result<Value> max(Call& call) { return extreme(call, true); }

Result<Value> sum(Call& call) {
  std::vector<Value> path = TRY(attribute_path(call.in, call.arg[0]));
  Value total = call.has(1) ? call.arg[1] : Value::integer(0);
  if (total.is_string()) return type_error("sum() can't sum strings");
  Cursor walk = TRY(call.in.cursor(call.self));
  Value item;
  while (TRY(walk.next(call.in, &item))) {
    item = TRY(follow(call.in, std::move(item), path));
    total = TRY(binary_op(call.in, Op::kAdd, total, item));
  }
  return total;
}

// groupby(attribute, default, case_sensitive): pairs of a value and the items that have it.
Result<Value> groupby(Call& call) {
  Interp& in = call.in;
  std::vector<Value> path = TRY(attribute_path(in, call.arg[0]));
  bool case_sensitive = call.truth(2, false);
  std::vector<Value> values = TRY(in.to_vector(call.self));
  std::vector<Value> keys;
  for (const Value& value : values) {
    keys.push_back(fold(in, TRY(follow(in, value, path, call.arg[1])), case_sensitive));
    TRY(in.check());
  }
  values = TRY(sorted(in, keys, std::move(values), false));
  keys = TRY(sorted(in, keys, keys, false));
  std::vector<Value> groups;
  for (size_t i = 0; i < values.size();) {
    size_t end = i + 1;
    while (end < values.size() && equal(in.heap, keys[i], keys[end])) ++end;
    Value key = case_sensitive ? keys[i] : TRY(follow(in, values[i], path, call.arg[1]));
    std::vector<Value> members(values.begin() + static_cast<ptrdiff_t>(i),
                               values.begin() + static_cast<ptrdiff_t>(end));
    Value group = in.tuple({key, in.list(std::move(members))});
    group.as<List>().group = true;
    groups.push_back(std::move(group));
    i = end;
  }
  return in.list(std::move(groups));
}

Result<Value> items(Call& call) {
  if (call.self.is_undefined()) return prepared(call.in, {});
  if (!call.self.is_dict()) return type_error("Can only get item pairs from a mapping.");
  Value view(call.in.heap.make<View>(0, call.self, View::Kind::kItems));
  return prepared(call.in, TRY(call.in.to_vector(view)));
}

// dictsort(case_sensitive, by, reverse)
Result<Value> dictsort(Call& call) {
  Interp& in = call.in;
  std::string_view by = TRY(call.text(1, "key"));
  if (by != "key" && by != "value") {
    return fail(Code::kInvalid, "You can only sort by either \"key\" or \"value\"");
  }
  if (call.self.is_undefined()) return undefined_error(call.self);
  if (!call.self.is_dict()) return type_error("dictsort wants a mapping");
  std::vector<Value> keys, pairs;
  for (const auto& [key, value] : call.self.dict().entries) {
    keys.push_back(fold(in, by == "key" ? key : value, call.truth(0, false)));
    pairs.push_back(in.tuple({key, value}));
    TRY(in.check());
  }
  return in.list(TRY(sorted(in, std::move(keys), std::move(pairs), call.truth(2, false))));
}

Result<Value> batch(Call& call) {
  Interp& in = call.in;
  int64_t size = TRY(call.integer(0, 1));
  std::vector<Value> out, row;
  for (Value& value : TRY(in.to_vector(call.self))) {
    if (static_cast<int64_t>(row.size()) == size) {
      out.push_back(in.list(std::exchange(row, {})));
    }
    row.push_back(std::move(value));
  }
  if (!row.empty()) {
    if (call.has(1) && !call.arg[1].is_none() && size > static_cast<int64_t>(row.size())) {
      if (size > (1 << 24)) return fail(Code::kTooLarge, "the template needs too much memory");
      TRY(in.fits(static_cast<size_t>(size) * sizeof(Value)));
      row.resize(static_cast<size_t>(size), call.arg[1]);
    }
    out.push_back(in.list(std::move(row)));
  }
  return prepared(in, std::move(out));
}

Result<Value> slice(Call& call) {
  Interp& in = call.in;
  int64_t slices = TRY(call.integer(0, 1));
  if (slices == 0) return fail(Code::kInvalid, "integer division or modulo by zero");
  std::vector<Value> values = TRY(in.to_vector(call.self));
  if (slices > 100'000) return fail(Code::kTooLarge, "too many slices");
  auto size = static_cast<int64_t>(values.size());
  int64_t each = slices > 0 ? size / slices : 0, extra = slices > 0 ? size % slices : 0;
  std::vector<Value> out;
  int64_t start = 0;
  for (int64_t i = 0; i < slices; ++i) {
    int64_t end = start + each + (i < extra ? 1 : 0);
    std::vector<Value> part(values.begin() + start, values.begin() + end);
    if (call.has(1) && !call.arg[1].is_none() && i >= extra) part.push_back(call.arg[1]);
    out.push_back(in.list(std::move(part)));
    start = end;
    TRY(in.check());
  }
  return prepared(in, std::move(out));
}

// A generator that fails as soon as it is walked.
struct Failing : Iterator {
  Failing(Heap* heap, Error error) : Iterator(heap), error(std::move(error)) {}
  Result<bool> next(Interp&, Value*) override { return std::unexpected(error); }
  Error error;
};

// Python's generators look at their subject only when they are walked.
template <BuiltinFn kMake>
Result<Value> lazy(Call& call) {
  auto made = kMake(call);
  if (made || made.error().code == Code::kTooLarge) return made;
  return Value(call.in.heap.make<Failing>(made.error().message.size(), made.error()));
}

constexpr Builtin kRows[] = {
    {"map", lazy<map>, 0, {}, Take::kAny},
    {"select", lazy<select>, 0, {}, Take::kAny},
    {"reject", lazy<reject>, 0, {}, Take::kAny},
    {"selectattr", lazy<selectattr>, 0, {}, Take::kAny},
    {"rejectattr", lazy<rejectattr>, 0, {}, Take::kAny},
    {"join", join, 0, {"d", "attribute"}},
    {"first", first},
    {"last", last},
    {"list", list},
    {"random", random},
    {"reverse", reverse},
    {"sort", sort, 0, {"reverse", "case_sensitive", "attribute"}},
    {"unique", lazy<unique>, 0, {"case_sensitive", "attribute"}},
    {"min", min, 0, {"case_sensitive", "attribute"}},
    {"max", max, 0, {"case_sensitive", "attribute"}},
    {"sum", sum, 0, {"attribute", "start"}},
    {"groupby", groupby, 1, {"attribute", "default", "case_sensitive"}},
    {"items", lazy<items>},
    {"dictsort", dictsort, 0, {"case_sensitive", "by", "reverse"}},
    {"batch", lazy<batch>, 1, {"linecount", "fill_with"}},
    {"slice", lazy<slice>, 1, {"slices", "fill_with"}},
};

}  // namespace

std::span<const Builtin> sequence_filters() { return kRows; }

}  // namespace hearth::jinja
