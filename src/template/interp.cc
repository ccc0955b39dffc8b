// What Interp does with values: making, calling, attributes, items, walking.
#include "template/interp.h"

#include <algorithm>

#include "base/utf8.h"

namespace hearth::jinja {
namespace {

// Memory that a render may hold besides what the context itself needs.
constexpr size_t kHeapBytes = 12u << 20;
// Steps that any template may take, and those that each byte of context adds; together they
// stop a runaway within a tenth of a second and leave long conversations all they need.
constexpr uint64_t kSteps = 1'000'000;
constexpr uint64_t kStepsPerByte = 200;

Value make_items(Heap& heap, Type type, std::vector<Value> values) {
  uint32_t depth = 0;
  bool foreign = false;
  for (const Value& value : values) {
    depth = std::max(depth, value.depth());
    foreign |= value.is_foreign();
  }
  size_t bytes = values.size() * sizeof(Value);
  List* made = heap.make<List>(bytes, type, std::move(values));
  made->depth = depth + 1;
  made->foreign = foreign;
  heap.note_depth(depth + 1);
  return Value(made);
}

// Nothing that a control token is made of but its letters.
bool is_plain_word(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

Value view_item(Interp& in, const View& view, size_t index) {
  const Dict::Entry& entry = view.dict.dict().entries[index];
  switch (view.kind) {
    case View::Kind::kKeys: return entry.first;
    case View::Kind::kValues: return entry.second;
    case View::Kind::kItems: break;
  }
  return in.tuple({entry.first, entry.second});
}

// The character of a string that starts at a byte.
std::string_view character(const Value& text, size_t offset) {
  Decoded next = decode_utf8(text.text(), offset);
  return std::string_view(text.text()).substr(offset, next.bytes);
}

// All text inside is UTF-8: it is made so where it comes in.
std::string valid_text(const std::string& text) {
  return is_valid_utf8(text) ? text : replace_invalid_utf8(text);
}

size_t byte_of(const Str& text, size_t index) {
  if (text.ascii()) return index;
  size_t at = 0;
  for (; index > 0; --index) at += decode_utf8(text.text, at).bytes;
  return at;
}

}  // namespace

Interp::Interp(const Program& program, const RenderOptions& options, size_t context_bytes)
    : heap(kHeapBytes + context_bytes * 8,
           std::min(options.steps_max, kSteps + kStepsPerByte * context_bytes)),
      options(options),
      program_(program) {}

Value Interp::string(std::string text, bool markup) {
  Rendered made{std::move(text), {}};
  if (given_foreign_ && !made.text.empty()) made.foreign.push_back({0, made.text.size()});
  return marked(std::move(made), markup);
}

Value Interp::marked(Rendered text, bool markup) {
  size_t bytes = text.bytes();
  return Value(heap.make<Str>(bytes, std::move(text), markup));
}

Value Interp::part(const Value& of, std::string_view part) {
  const Str& whole = of.as<Str>();
  size_t begin = part.empty() ? 0 : static_cast<size_t>(part.data() - whole.text.data());
  Rendered made;
  made.append(whole.text, whole.marks, begin, begin + part.size());
  return marked(std::move(made), whole.markup);
}

Result<Value> Interp::number(Integer value) {
  if (auto small = value.small()) return Value::integer(*small);
  if (value.too_large()) {
    return fail(Code::kTooLarge, "integer is too large (more than 4300 digits)");
  }
  size_t bytes = value.bytes();
  heap.spend(value.work());
  return Value(heap.make<Big>(bytes, std::move(value)));
}

Value Interp::list(std::vector<Value> values) {
  return make_items(heap, Type::kList, std::move(values));
}

Value Interp::tuple(std::vector<Value> values) {
  return make_items(heap, Type::kTuple, std::move(values));
}

// The depth is that of the text, which Json::parse limits.
Value Interp::from_json(const Json& json, Origin origin) {
  auto text_of = [&](const std::string& text, bool word) {
    Rendered made;
    made.append(valid_text(text), origin != Origin::kOurs && !(word && is_plain_word(text)));
    return marked(std::move(made));
  };
  if (json.is_bool()) return Value::boolean(json.as_bool());
  if (json.is_int()) return Value::integer(json.as_int());
  if (json.is_double()) return Value::real(json.as_double());
  if (json.is_string()) return text_of(json.as_string(), origin == Origin::kWord);
  if (json.is_array()) {
    std::vector<Value> values;
    values.reserve(json.as_array().size());
    for (const Json& item : json.as_array()) values.push_back(from_json(item, origin));
    return list(std::move(values));
  }
  if (!json.is_object()) return Value::none();
  Value made(new_dict());
  for (const auto& [name, value] : json.as_object()) {
    Origin inner = origin == Origin::kOurs                ? Origin::kOurs
                   : name == "role" || name == "type" ? Origin::kWord
                                                      : Origin::kForeign;
    made.as<Dict>().set(text_of(name, false), from_json(value, inner));
  }
  return made;
}

Result<void> Interp::set_item(Dict& dict, Value key, Value value) {
  if (!hash(heap, key)) {
    return type_error(fmt::format("unhashable type: '{}'", type_name(key.type())));
  }
  dict.set(std::move(key), std::move(value));
  return check();
}

Result<void> Interp::check() {
  if (heap.spent()) return fail(Code::kTooLarge, "the template takes too many steps");
  if (heap.full()) return fail(Code::kTooLarge, "the template needs too much memory");
  if (heap.too_deep()) return fail(Code::kTooLarge, "a value nests too deeply");
  return {};
}

Result<void> Interp::fits(size_t bytes) {
  if (!heap.fits(bytes)) return fail(Code::kTooLarge, "the template needs too much memory");
  return check();
}

Result<void> Interp::enter() {
  const char* here = static_cast<const char*>(__builtin_frame_address(0));
  if (++depth_ > kDepthMax || static_cast<size_t>(stack_ - here) > kStackBytes) {
    --depth_;
    return fail(Code::kTooLarge, "the template calls itself too deeply");
  }
  return {};
}

// ---- attributes and items

Result<Value> Interp::attribute(const Value& subject, std::string_view name) {
  return attribute(subject, string(name), find_methods(name));
}

// subject.name: an attribute where the type has one, else an item of that name.
Result<Value> Interp::attribute(const Value& subject, const Value& name,
                                const MethodSet* methods) {
  std::string_view text = name.text();
  if (subject.is_undefined()) return undefined_error(subject);
  if (text.starts_with("__") && text.ends_with("__")) {
    return Value::undefined(Lack::kUnsafe, name, subject.type());
  }
  if (methods) {
    const Builtin* row = methods->of(subject.type());
    if (subject.is(Type::kFunction) && subject.as<Function>().row->name == "dict") {
      row = methods->dict_type;
    }
    if (row && !row->run) return Value::undefined(Lack::kUnsafe, name, subject.type());
    if (row) return Value(heap.make<Method>(0, subject, row));
  }
  switch (subject.type()) {
    case Type::kNamespace:
    case Type::kDict:
      if (const Value* found = subject.as<Dict>().find(text)) return *found;
      break;
    case Type::kTuple:
      if (subject.as<List>().group && (text == "grouper" || text == "list")) {
        return subject.items()[text == "list"];
      }
      break;
    case Type::kRange: {
      const Range& range = subject.as<Range>();
      if (text == "start") return Value::integer(range.start);
      if (text == "stop") return Value::integer(range.stop);
      if (text == "step") return Value::integer(range.step);
      break;
    }
    case Type::kMacro:
      if (text == "name") return program_.constants[subject.as<Macro>().data->name];
      break;
    case Type::kCycler:
      if (text == "current") return subject.as<Cycler>().values[subject.as<Cycler>().at];
      break;
    case Type::kLoop: return loop_attribute(*this, subject, name);
    case Type::kBool:
    case Type::kInt:
    case Type::kBig:
    case Type::kFloat: {
      bool whole = subject.is_integer();
      bool itself = text == "real" || (whole && text == "numerator");
      if (itself) return unary_op(*this, Op::kPos, subject);
      if (text == "imag") return whole ? Value::integer(0) : Value::real(0.0);
      if (whole && text == "denominator") return Value::integer(1);
      break;
    }
    default: break;
  }
  return Value::undefined(Lack::kAttribute, name, subject.type());
}

// subject[key]: an item where there is one, else an attribute of that name.
Result<Value> Interp::item(const Value& subject, const Value& key) {
  switch (subject.type()) {
    case Type::kUndefined: return undefined_error(subject);
    case Type::kDict:
      if (hash(heap, key)) {
        if (const Value* found = subject.dict().find(key)) return *found;
      }
      break;
    case Type::kList:
    case Type::kTuple:
    case Type::kString:
    case Type::kRange: {
      if (!key.is_integral()) break;
      int64_t size = TRY(length(subject));
      int64_t index = key.as_int() < 0 ? key.as_int() + size : key.as_int();
      if (index < 0 || index >= size) break;
      if (subject.is(Type::kRange)) return Value::integer(subject.as<Range>().at(index));
      if (!subject.is_string()) return subject.items()[static_cast<size_t>(index)];
      const Str& text = subject.as<Str>();
      if (!text.ascii()) heap.spend(static_cast<uint64_t>(index) / 16);
      return part(subject, character(subject, byte_of(text, static_cast<size_t>(index))));
    }
    default: break;
  }
  if (!key.is_string()) return Value::undefined(Lack::kAttribute, key, subject.type());
  if (subject.is_dict()) {  // no item: only its methods are left
    const MethodSet* methods = find_methods(key.text());
    if (!methods || !methods->dict) {
      return Value::undefined(Lack::kAttribute, key, subject.type());
    }
  }
  return attribute(subject, key, find_methods(key.text()));
}

namespace {

struct Bounds {
  int64_t start, stop, step, count;
};

Result<int64_t> slice_index(const Value& value, int64_t fallback) {
  if (value.is_missing() || value.is_none()) return fallback;
  if (value.is_integral()) return value.as_int();
  if (value.is(Type::kBig)) return value.as<Big>().number.is_negative() ? -INT64_MAX : INT64_MAX;
  if (value.is_undefined()) return undefined_error(value);
  return type_error("slice indices must be integers or None");
}

// Python's rules for where a slice of `size` items begins and how many items it has.
Result<Bounds> slice_bounds(int64_t size, const Value& start, const Value& stop,
                            const Value& step) {
  int64_t stride = TRY(slice_index(step, 1));
  if (stride == 0) return fail(Code::kInvalid, "slice step cannot be zero");
  stride = std::clamp<int64_t>(stride, -size - 1, size + 1);  // longer strides take one item too
  bool down = stride < 0;
  auto place = [&](int64_t index) {
    if (index < 0) index = index < -size ? -1 : index + size;
    return std::clamp<int64_t>(index, down ? -1 : 0, down ? size - 1 : size);
  };
  int64_t first = TRY(slice_index(start, INT64_MIN));
  int64_t last = TRY(slice_index(stop, INT64_MIN));
  bool open_first = start.is_missing() || start.is_none();
  bool open_last = stop.is_missing() || stop.is_none();
  first = open_first ? (down ? size - 1 : 0) : place(first);
  last = open_last ? (down ? -1 : size) : place(last);
  int64_t count = down ? (first > last ? (first - last - 1) / -stride + 1 : 0)
                       : (last > first ? (last - first - 1) / stride + 1 : 0);
  return Bounds{first, last, stride, count};
}

Value slice_text(Interp& in, const Value& subject, const Bounds& at) {
  const Str& text = subject.as<Str>();
  auto start = static_cast<size_t>(at.start), count = static_cast<size_t>(at.count);
  if (at.count == 0) return in.part(subject, {});
  Rendered out;
  if (text.ascii()) {
    if (at.step == 1) return in.part(subject, std::string_view(text.text).substr(start, count));
    for (int64_t i = 0; i < at.count; ++i) {
      size_t index = static_cast<size_t>(at.start + i * at.step);
      out.append(text.text, text.marks, index, index + 1);
    }
    return in.marked(std::move(out), text.markup);
  }
  in.heap.spend(text.text.size() / 16);
  std::vector<uint32_t> offsets;
  for (size_t i = 0; i < text.text.size(); i += decode_utf8(text.text, i).bytes) {
    offsets.push_back(static_cast<uint32_t>(i));
  }
  offsets.push_back(static_cast<uint32_t>(text.text.size()));
  if (at.step == 1) {
    return in.part(subject, std::string_view(text.text).substr(
                                offsets[start], offsets[start + count] - offsets[start]));
  }
  for (int64_t i = 0; i < at.count; ++i) {
    size_t index = static_cast<size_t>(at.start + i * at.step);
    out.append(text.text, text.marks, offsets[index], offsets[index + 1]);
  }
  return in.marked(std::move(out), text.markup);
}

}  // namespace

Result<Value> Interp::slice(const Value& subject, const Value& start, const Value& stop,
                            const Value& step) {
  if (subject.is_undefined()) return undefined_error(subject);
  bool sliceable = subject.is_string() || subject.is_sequence() || subject.is(Type::kRange);
  if (!sliceable) {
    return type_error(fmt::format("'{}' object cannot be sliced", type_name(subject.type())));
  }
  int64_t size = TRY(length(subject));
  Bounds at = TRY(slice_bounds(size, start, stop, step));
  if (subject.is_string()) {
    TRY(fits(subject.text().size()));
    return slice_text(*this, subject, at);
  }
  if (subject.is(Type::kRange)) {
    const Range& range = subject.as<Range>();
    int64_t first = range.at(at.start), last = range.at(at.stop), stride = range.step * at.step;
    return Value(heap.make<Range>(0, first, last, stride, at.count));
  }
  TRY(fits(static_cast<size_t>(at.count) * sizeof(Value)));
  std::vector<Value> values;
  values.reserve(static_cast<size_t>(at.count));
  for (int64_t i = 0; i < at.count; ++i) {
    values.push_back(subject.items()[static_cast<size_t>(at.start + i * at.step)]);
  }
  return subject.is(Type::kList) ? list(std::move(values)) : tuple(std::move(values));
}

// ---- calls

Result<Value> Interp::call(const Value& callee, Args args) {
  TRY(check());
  switch (callee.type()) {
    case Type::kMacro: return call_macro(callee.as<Macro>(), args);
    case Type::kFunction: return apply(*callee.as<Function>().row, callee, args);
    case Type::kMethod: {
      Value held = callee;  // the call may drop the last other share
      return apply(*held.as<Method>().row, held.as<Method>().self, args);
    }
    case Type::kJoiner: {
      Joiner& joiner = callee.as<Joiner>();
      bool first = !std::exchange(joiner.used, true);
      return first ? string(std::string()) : joiner.separator;
    }
    case Type::kLoop: {
      if (args.positional.size() != 1 || !args.named.empty()) {
        return type_error("loop() takes one argument");
      }
      return marked(TRY(recurse_loop(callee, args.positional[0])));
    }
    case Type::kUndefined: return undefined_error(callee);
    default:
      return type_error(fmt::format("'{}' object is not callable", type_name(callee.type())));
  }
}

// ---- walking

Result<Cursor> Interp::cursor(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
    case Type::kString:
    case Type::kList:
    case Type::kTuple:
    case Type::kDict:
    case Type::kView:
    case Type::kRange:
    case Type::kIterator:
    case Type::kLoop: return Cursor(value);
    default:
      return type_error(fmt::format("'{}' object is not iterable", type_name(value.type())));
  }
}

Result<bool> Cursor::next(Interp& in, Value* out) {
  TRY(in.check());
  in.heap.spend(1);
  switch (source_.type()) {
    case Type::kString: {
      if (index_ >= source_.text().size()) return false;
      std::string_view next = character(source_, index_);
      *out = in.part(source_, next);
      if (source_.is_markup()) out->as<Str>().markup = false;  // Python walks the plain text
      index_ += next.size();
      return true;
    }
    case Type::kList:
    case Type::kTuple:
      if (index_ >= source_.items().size()) return false;
      *out = source_.items()[index_++];
      return true;
    case Type::kDict:
      if (index_ >= source_.dict().entries.size()) return false;
      *out = source_.dict().entries[index_++].first;
      return true;
    case Type::kView:
      if (index_ >= source_.as<View>().dict.dict().entries.size()) return false;
      *out = view_item(in, source_.as<View>(), index_++);
      return true;
    case Type::kRange:
      if (static_cast<int64_t>(index_) >= source_.as<Range>().count) return false;
      *out = Value::integer(source_.as<Range>().at(static_cast<int64_t>(index_++)));
      return true;
    case Type::kIterator: {
      TRY(in.enter());
      auto more = source_.as<Iterator>().next(in, out);
      in.leave();
      return more;
    }
    case Type::kLoop: {  // pairs of an item and the loop, as Python's LoopContext gives
      Value item;
      if (!TRY(source_.as<Loop>().advance(in, &item))) return false;
      *out = in.tuple({item, source_});
      return true;
    }
    default: return false;
  }
}

std::optional<size_t> Cursor::remaining() const {
  switch (source_.type()) {
    case Type::kString: return source_.as<Str>().length() - index_;  // only asked at the start
    case Type::kList:
    case Type::kTuple: return source_.items().size() - index_;
    case Type::kDict: return source_.dict().entries.size() - index_;
    case Type::kView: return source_.as<View>().dict.dict().entries.size() - index_;
    case Type::kRange: return static_cast<size_t>(source_.as<Range>().count) - index_;
    case Type::kUndefined: return 0;
    default: return std::nullopt;
  }
}

Result<std::vector<Value>> Interp::to_vector(const Value& value) {
  if (value.is_sequence()) {
    TRY(fits(value.items().size() * sizeof(Value)));
    heap.spend(value.items().size() / 8);
    return value.items();
  }
  Cursor walk = TRY(cursor(value));
  std::vector<Value> out;
  Value next;
  while (TRY(walk.next(*this, &next))) {
    out.push_back(std::move(next));
    if (out.size() % 1024 == 0) TRY(fits(out.size() * sizeof(Value)));
  }
  return out;
}

Result<int64_t> Interp::length(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined: return 0;
    case Type::kString: {
      const Str& text = value.as<Str>();
      if (text.chars == SIZE_MAX) heap.spend(text.text.size() / 64);
      return static_cast<int64_t>(text.length());
    }
    case Type::kList:
    case Type::kTuple: return static_cast<int64_t>(value.items().size());
    case Type::kDict: return static_cast<int64_t>(value.dict().entries.size());
    case Type::kView: return static_cast<int64_t>(value.as<View>().dict.dict().entries.size());
    case Type::kRange: return value.as<Range>().count;
    case Type::kLoop: return value.as<Loop>().length(*this);
    default:
      return type_error(fmt::format("object of type '{}' has no len()", type_name(value.type())));
  }
}

}  // namespace hearth::jinja
