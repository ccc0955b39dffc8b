// JSON into the values of value.h, as Go's encoding/json decodes into a typed variable.
#include <algorithm>
#include <optional>

#include "template/go/value.h"

namespace hearth::gotmpl {
namespace {

constexpr int kDepthMax = 512;

Result<Value> decode_at(const Json& json, const Type& type, bool foreign, int depth);

std::unexpected<Error> wrong(const Json& json, const Type& type) {
  return fail(Code::kInvalid, "a JSON {} where a {} belongs", json.kind(), type.name);
}

std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return out;
}

const Type& of_any(const Json& json) {
  if (json.is_bool()) return kBool;
  if (json.is_number()) return kFloat;
  if (json.is_string()) return kString;
  return json.is_array() ? kAnySlice : kAnyMap;
}

Result<Value> decode_slice(const Json& json, const Type& type, bool foreign, int depth) {
  if (type.element == &kUint8) {
    if (!json.is_string()) return wrong(json, type);
    auto bytes = decode_base64(json.as_string());
    if (!bytes) return fail(Code::kInvalid, "an image is no base64");
    return Value::bytes(type, rendered(*bytes, foreign));
  }
  auto items = std::make_shared<Value::Items>();
  if (type.stringer == Stringer::kTypeNames && json.is_string()) {
    items->push_back(TRY(decode_at(json, kString, foreign, depth)));
    return Value::composite(type, std::move(items));
  }
  if (!json.is_array()) return wrong(json, type);
  items->reserve(json.as_array().size());
  for (const Json& item : json.as_array())
    items->push_back(TRY(decode_at(item, *type.element, foreign, depth + 1)));
  return Value::composite(type, std::move(items));
}

Result<Value> decode_map(const Json& json, const Type& type, bool foreign, int depth) {
  if (!json.is_object()) return wrong(json, type);
  std::vector<const Json::Member*> members;
  for (const Json::Member& member : json.as_object()) members.push_back(&member);
  // The members of one object lie in one array: the later of two equals has the higher address.
  std::sort(members.begin(), members.end(), [](auto* a, auto* b) {
    return a->first != b->first ? a->first < b->first : a < b;
  });
  auto items = std::make_shared<Value::Items>();
  items->reserve(2 * members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && members[i + 1]->first == members[i]->first) continue;
    items->push_back(Value::text(rendered(members[i]->first, foreign)));
    items->push_back(TRY(decode_at(members[i]->second, *type.element, foreign, depth + 1)));
  }
  return Value::composite(type, std::move(items));
}

Result<Value> decode_struct(const Json& json, const Type& type, bool foreign, int depth) {
  if (!json.is_object()) return wrong(json, type);
  auto items = std::make_shared<Value::Items>();
  for (const Field& field : type.fields) {
    auto value = decode_at(json[field.json], *field.type, foreign && !field.trusted, depth + 1);
    if (!value) return std::unexpected(with_context(value.error(), field.json));
    items->push_back(*std::move(value));
  }
  return Value::composite(type, std::move(items));
}

Result<Value> decode_at(const Json& json, const Type& type, bool foreign, int depth) {
  if (depth > kDepthMax) return fail(Code::kTooLarge, "JSON nested over {} deep", kDepthMax);
  if (json.is_null()) return Value::zero(type);
  switch (type.kind) {
    case Kind::kNilInterface: return decode_at(json, of_any(json), foreign, depth);
    case Kind::kBool:
      if (!json.is_bool()) return wrong(json, type);
      return Value::boolean(json.as_bool());
    case Kind::kInt:
      if (!json.is_int()) return wrong(json, type);
      return Value::integer(json.as_int());
    case Kind::kFloat:
      if (!json.is_number()) return wrong(json, type);
      return Value::number(json.as_double(), foreign);
    case Kind::kString:
      if (!json.is_string()) return wrong(json, type);
      return Value::text(rendered(json.as_string(), foreign));
    case Kind::kSlice: return decode_slice(json, type, foreign, depth);
    case Kind::kMap:
      // Some write a call's arguments as a text that holds the object.
      if (json.is_string() && type.stringer == Stringer::kPointerJson) {
        Json parsed = TRY(Json::parse(json.as_string()));
        if (parsed.is_object()) return decode_map(parsed, type, foreign, depth);
      }
      return decode_map(json, type, foreign, depth);
    case Kind::kStruct: return decode_struct(json, type, foreign, depth);
    default: return wrong(json, type);
  }
}

}  // namespace

Result<Value> decode(const Json& json, const Type& type, bool foreign) {
  return decode_at(json, type, foreign, 0);
}

}  // namespace hearth::gotmpl
