#include "template/go/value.h"

#include <algorithm>

#include "base/check.h"

namespace hearth::gotmpl {
namespace {

// Names and order of the fields: Ollama's api package, version 0.13.
extern const Type kTool, kToolFunction, kParameters, kProperties, kPropertySlice, kToolCall,
    kToolCalls, kCallFunction, kImage;

constexpr Field kMessageFields[] = {
    {"Role", &kString, "role", false, true},
    {"Content", &kString, "content"},
    {"Thinking", &kString, "thinking", true},
    {"Images", &kImages, "images", true},
    {"ToolCalls", &kToolCalls, "tool_calls", true},
    {"ToolName", &kString, "tool_name", true},
    {"ToolCallID", &kString, "tool_call_id", true},
};
constexpr Field kToolCallFields[] = {
    {"ID", &kString, "id", true},
    {"Function", &kCallFunction, "function"},
};
constexpr Field kCallFunctionFields[] = {
    {"Index", &kInt, "index"},
    {"Name", &kString, "name"},
    {"Arguments", &kArguments, "arguments"},
};
constexpr Field kToolFields[] = {
    {"Type", &kString, "type"},
    {"Items", &kAny, "items", true},
    {"Function", &kToolFunction, "function"},
};
constexpr Field kToolFunctionFields[] = {
    {"Name", &kString, "name"},
    {"Description", &kString, "description", true},
    {"Parameters", &kParameters, "parameters"},
};
constexpr Field kParametersFields[] = {
    {"Type", &kString, "type"},
    {"Defs", &kAny, "$defs", true},
    {"Items", &kAny, "items", true},
    {"Required", &kStringSlice, "required", true},
    {"Properties", &kProperties, "properties"},
};
constexpr Field kToolPropertyFields[] = {
    {"AnyOf", &kPropertySlice, "anyOf", true},
    {"Type", &kTypeNames, "type", true},
    {"Items", &kAny, "items", true},
    {"Description", &kString, "description", true},
    {"Enum", &kAnySlice, "enum", true},
};

constinit const Type kTool{Kind::kStruct, "api.Tool", nullptr, kToolFields, Stringer::kJson};
constinit const Type kToolFunction{Kind::kStruct, "api.ToolFunction", nullptr, kToolFunctionFields,
                         Stringer::kPointerJson};
constinit const Type kParameters{Kind::kStruct, "api.ToolFunctionParameters", nullptr,
                                 kParametersFields,
                       Stringer::kPointerJson};
constinit const Type kProperties{Kind::kMap, "map[string]api.ToolProperty", &kToolProperty};
constinit const Type kPropertySlice{Kind::kSlice, "[]api.ToolProperty", &kToolProperty};
constinit const Type kToolCall{Kind::kStruct, "api.ToolCall", nullptr, kToolCallFields};
constinit const Type kToolCalls{Kind::kSlice, "[]api.ToolCall", &kToolCall};
constinit const Type kCallFunction{Kind::kStruct, "api.ToolCallFunction", nullptr,
                                   kCallFunctionFields};
constinit const Type kImage{Kind::kSlice, "api.ImageData", &kUint8};

}  // namespace

constinit const Type kAny{Kind::kNilInterface, "interface {}"};
constinit const Type kBool{Kind::kBool, "bool"};
constinit const Type kInt{Kind::kInt, "int"};
constinit const Type kUint8{Kind::kUint8, "uint8"};
constinit const Type kFloat{Kind::kFloat, "float64"};
constinit const Type kString{Kind::kString, "string"};
constinit const Type kAnySlice{Kind::kSlice, "[]interface {}", &kAny};
constinit const Type kAnyMap{Kind::kMap, "map[string]interface {}", &kAny};
constinit const Type kStringSlice{Kind::kSlice, "[]string", &kString};
constinit const Type kMessage{Kind::kStruct, "api.Message", nullptr, kMessageFields};
constinit const Type kMessagePointer{Kind::kPointer, "*api.Message", &kMessage};
constinit const Type kMessages{Kind::kSlice, "[]*api.Message", &kMessagePointer};
constinit const Type kTools{Kind::kSlice, "api.Tools", &kTool, {}, Stringer::kJson};
constinit const Type kToolProperty{Kind::kStruct, "api.ToolProperty", nullptr, kToolPropertyFields};
constinit const Type kTypeNames{Kind::kSlice, "api.PropertyType", &kString, {},
                                Stringer::kTypeNames};
constinit const Type kArguments{Kind::kMap, "api.ToolCallFunctionArguments", &kAny, {},
                      Stringer::kPointerJson};
constinit const Type kImages{Kind::kSlice, "[]api.ImageData", &kImage};

Value Value::nil_interface() {
  Value out;
  out.nil_ = true;
  return out;
}

Value Value::boolean(bool value) {
  Value out;
  out.type_ = &kBool;
  out.number_.integer = value;
  return out;
}

Value Value::integer(int64_t value) {
  Value out;
  out.type_ = &kInt;
  out.number_.integer = value;
  return out;
}

Value Value::byte(uint8_t value, bool foreign) {
  Value out;
  out.type_ = &kUint8;
  out.number_.integer = value;
  out.foreign_ = foreign;
  return out;
}

Value Value::number(double value, bool foreign) {
  Value out;
  out.type_ = &kFloat;
  out.number_.real = value;
  out.foreign_ = foreign;
  return out;
}

Value Value::text(Rendered text) {
  return Value::text(std::make_shared<const Rendered>(std::move(text)));
}

Value Value::text(std::shared_ptr<const Rendered> text) {
  Value out;
  out.type_ = &kString;
  out.text_ = std::move(text);
  return out;
}

Value Value::plain(std::string_view text) { return Value::text(rendered(text, false)); }

Value Value::composite(const Type& type, std::shared_ptr<const Items> items) {
  Value out;
  out.type_ = &type;
  size_t count = items ? items->size() : 0;
  out.size_ = out.capacity_ = static_cast<uint32_t>(type.kind == Kind::kMap ? count / 2 : count);
  out.items_ = std::move(items);
  return out;
}

Value Value::bytes(const Type& type, Rendered bytes) {
  Value out = Value::text(std::move(bytes));
  out.type_ = &type;
  out.size_ = out.capacity_ = static_cast<uint32_t>(out.text_->text.size());
  return out;
}

Value Value::zero(const Type& type) {
  switch (type.kind) {
    case Kind::kInvalid:
    case Kind::kNilInterface: return nil_interface();
    case Kind::kBool: return boolean(false);
    case Kind::kInt: return integer(0);
    case Kind::kUint8: return byte(0, false);
    case Kind::kFloat: return number(0, false);
    case Kind::kString: return plain("");
    case Kind::kSlice:
    case Kind::kMap:
    case Kind::kPointer: return composite(type, nullptr);
    case Kind::kStruct: {
      auto items = std::make_shared<Items>();
      for (const Field& field : type.fields) items->push_back(zero(*field.type));
      return composite(type, std::move(items));
    }
  }
  return {};
}

const Rendered& Value::as_text() const {
  static const Rendered empty;
  return text_ ? *text_ : empty;
}

Value Value::at(size_t index) const {
  DCHECK(index < capacity_);
  if (is_bytes()) {
    size_t byte = begin_ + index;
    ForeignCursor cursor(*text_);
    return Value::byte(static_cast<uint8_t>(text_->text[byte]), cursor.at(byte));
  }
  Value out = (*items_)[begin_ + index];
  out.addressable_ = type_->element != &kAny;
  return out;
}

Value Value::part(size_t begin, size_t end, size_t capacity) const {
  DCHECK(begin <= end && end <= capacity && capacity <= capacity_);
  Value out = *this;
  out.addressable_ = false;
  out.begin_ = static_cast<uint32_t>(begin_ + begin);
  out.size_ = static_cast<uint32_t>(end - begin);
  out.capacity_ = static_cast<uint32_t>(capacity - begin);
  return out;
}

const Value* Value::find(std::string_view key) const {
  size_t low = 0, high = size_;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (this->key(middle).as_text().text < key) low = middle + 1;
    else high = middle;
  }
  return low < size_ && this->key(low).as_text().text == key ? &value(low) : nullptr;
}

Value Value::field(size_t index) const {
  Value out = (*items_)[index];
  out.addressable_ = addressable_ && type_->fields[index].type != &kAny;
  return out;
}

Value Value::pointee() const {
  Value out = *this;
  out.type_ = type_->element;
  out.addressable_ = true;
  return out;
}

Rendered rendered(std::string_view text, bool foreign) {
  Rendered out;
  out.append(text, foreign);
  return out;
}

size_t ForeignCursor::first_after(std::span<const TextRange> ranges, size_t byte) {
  auto found = std::partition_point(ranges.begin(), ranges.end(),
                                    [&](const TextRange& range) { return range.end <= byte; });
  return static_cast<size_t>(found - ranges.begin());
}

Rendered cut(const Rendered& text, size_t begin, size_t end) {
  Rendered out;
  out.text = text.text.substr(begin, end - begin);
  for (size_t i = ForeignCursor::first_after(text.foreign, begin); i < text.foreign.size(); ++i) {
    const TextRange& range = text.foreign[i];
    if (range.begin >= end) break;
    size_t from = std::max(range.begin, begin), to = std::min(range.end, end);
    if (from < to) out.foreign.push_back({from - begin, to - begin});
  }
  return out;
}

}  // namespace hearth::gotmpl
