#include "template/go/json_text.h"

#include <cmath>

#include "template/go/format_number.h"
#include "template/go/quote.h"

namespace hearth::gotmpl {
namespace {

// Fixed point between 1e-6 and 1e21, as JavaScript has it; e-09 becomes e-9.
std::string json_number(double value) {
  double size = std::abs(value);
  bool scientific = size != 0 && (size < 1e-6 || size >= 1e21);
  std::string out = format_float(value, scientific ? 'e' : 'f', -1);
  size_t n = out.size();
  if (scientific && n >= 4 && out[n - 4] == 'e' && out[n - 3] == '-' && out[n - 2] == '0')
    out.erase(n - 2, 1);
  return out;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (j < count ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j)
      out += j <= count ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

bool is_empty(const Value& value) {
  switch (value.kind()) {
    case Kind::kInvalid:
    case Kind::kNilInterface: return true;
    case Kind::kBool: return !value.as_bool();
    case Kind::kInt:
    case Kind::kUint8: return value.as_int() == 0;
    case Kind::kFloat: return value.as_double() == 0;
    case Kind::kString: return value.as_text().text.empty();
    case Kind::kSlice:
    case Kind::kMap: return value.size() == 0;
    case Kind::kPointer: return value.is_nil();
    case Kind::kStruct: return false;
  }
  return false;
}

void append_slice(Sink& out, const Value& value) {
  if (value.is_nil()) return out.put("null", false);
  if (value.is_bytes()) {
    out.put("\"", false);
    out.put(base64(value.as_bytes().text), !value.as_bytes().foreign.empty());
    return out.put("\"", false);
  }
  if (value.type().stringer == Stringer::kTypeNames && value.size() == 1)
    return append_json(out, value.at(0));
  out.put("[", false);
  for (size_t i = 0; i < value.size() && !out.spent(); ++i) {
    if (i > 0) out.put(",", false);
    append_json(out, value.at(i));
  }
  out.put("]", false);
}

void append_map(Sink& out, const Value& value) {
  if (value.is_nil()) return out.put("null", false);
  out.put("{", false);
  for (size_t i = 0; i < value.size() && !out.spent(); ++i) {
    if (i > 0) out.put(",", false);
    append_json_text(out, value.key(i).as_text());
    out.put(":", false);
    append_json(out, value.value(i));
  }
  out.put("}", false);
}

void append_struct(Sink& out, const Value& value) {
  out.put("{", false);
  bool first = true;
  for (size_t i = 0; i < value.type().fields.size() && !out.spent(); ++i) {
    const Field& field = value.type().fields[i];
    // An interface{} is empty where it holds nothing, whatever it holds.
    Value member = value.field(i);
    bool empty = field.type->kind == Kind::kNilInterface ? !member.is_valid() : is_empty(member);
    if (field.omit_empty && empty) continue;
    out.put(first ? "\"" : ",\"", false);
    out.put(field.json, false);
    out.put("\":", false);
    append_json(out, member);
    first = false;
  }
  out.put("}", false);
}

}  // namespace

void append_json(Sink& out, const Value& value) {
  if (!out.budget().take_steps(1)) return;
  switch (value.kind()) {
    case Kind::kInvalid:
    case Kind::kNilInterface: return out.put("null", false);
    case Kind::kBool: return out.put(value.as_bool() ? "true" : "false", false);
    case Kind::kInt:
    case Kind::kUint8: return out.put(std::to_string(value.as_int()), value.foreign());
    case Kind::kFloat: return out.put(json_number(value.as_double()), value.foreign());
    case Kind::kString: return append_json_text(out, value.as_text());
    case Kind::kSlice: return append_slice(out, value);
    case Kind::kMap: return append_map(out, value);
    case Kind::kStruct: return append_struct(out, value);
    case Kind::kPointer:
      if (value.is_nil()) return out.put("null", false);
      return append_json(out, value.pointee());
  }
}

}  // namespace hearth::gotmpl
