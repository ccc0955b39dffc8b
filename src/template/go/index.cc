// index and slice.
#include "template/go/functions.h"

namespace hearth::gotmpl {
namespace {

// A place in something of so many elements, at most `limit`.
Result<size_t> index_arg(const Value& value, size_t limit) {
  if (!value.is_valid()) return fail(Code::kInvalid, "cannot index slice/array with nil");
  if (value.kind() != Kind::kInt && value.kind() != Kind::kUint8)
    return fail(Code::kInvalid, "cannot index slice/array with type {}", value.type().name);
  int64_t at = value.as_int();
  if (at < 0 || static_cast<uint64_t>(at) > limit)
    return fail(Code::kInvalid, "index out of range: {}", at);
  return static_cast<size_t>(at);
}

Result<Value> index_map(const Value& map, const Value& key) {
  if (!key.is_valid()) return fail(Code::kInvalid, "value is nil; should be of type string");
  if (key.kind() != Kind::kString)
    return fail(Code::kInvalid, "value has type {}; should be string", key.type().name);
  const Value* found = map.find(key.as_text().text);
  return found ? *found : Value::zero(*map.type().element);
}

Result<Value> index_once(const Value& item, const Value& index) {
  if (item.kind() == Kind::kMap) return index_map(item, index);
  bool is_text = item.kind() == Kind::kString;
  if (!is_text && item.kind() != Kind::kSlice)
    return fail(Code::kInvalid, "can't index item of type {}", item.type().name);
  size_t size = is_text ? item.as_text().text.size() : item.size();
  size_t at = TRY(index_arg(index, size));
  if (at == size) return fail(Code::kInvalid, "index out of range: {}", at);
  if (!is_text) return item.at(at);
  ForeignCursor cursor(item.as_text());
  return Value::byte(static_cast<uint8_t>(item.as_text().text[at]), cursor.at(at));
}

}  // namespace

Result<Value> index_value(std::span<const Value> args) {
  if (!args[0].is_valid()) return fail(Code::kInvalid, "index of untyped nil");
  Value item = args[0];
  for (const Value& index : args.subspan(1)) {
    if (!item.is_valid() || (item.kind() == Kind::kPointer && item.is_nil()))
      return fail(Code::kInvalid, "index of nil pointer");
    if (item.kind() == Kind::kPointer) item = item.pointee();
    item = TRY(index_once(item, index));
  }
  return item;
}

Result<Value> slice_value(const Call& call) {
  const Value& item = call.args[0];
  if (!item.is_valid()) return fail(Code::kInvalid, "slice of untyped nil");
  size_t count = call.args.size() - 1;
  if (count > 3) return fail(Code::kInvalid, "too many slice indexes: {}", count);
  bool is_text = item.kind() == Kind::kString;
  if (is_text && count == 3) return fail(Code::kInvalid, "cannot 3-index slice a string");
  if (!is_text && item.kind() != Kind::kSlice)
    return fail(Code::kInvalid, "can't slice item of type {}", item.type().name);
  size_t size = is_text ? item.as_text().text.size() : item.size();
  size_t capacity = is_text ? size : item.capacity();
  size_t at[3] = {0, size, capacity};
  for (size_t i = 0; i < count; ++i) at[i] = TRY(index_arg(call.args[i + 1], capacity));
  if (at[0] > at[1] || (count == 3 && at[1] > at[2]))
    return fail(Code::kInvalid, "invalid slice index: {} > {}", at[0], at[1]);
  if (!is_text) return item.part(at[0], at[1], at[2]);
  Rendered out = cut(item.as_text(), at[0], at[1]);
  call.budget.take_bytes(out.text.size() + out.foreign.size() * sizeof(TextRange));
  call.budget.take_steps(out.text.size() / 16 + out.foreign.size());
  return Value::text(std::move(out));
}

}  // namespace hearth::gotmpl
