// Value: what a pipeline hands on, with the Go type it would have there. Go's rules look at types
// (what prints as what, what compares, what may be indexed), so the types that Ollama shows to a
// template are rows here. Immutable and shared; a copy counts references.
//
// Interfaces are transparent: what an interface{} holds is the value itself, and only an empty one
// is a kind of its own (kNilInterface), apart from no value at all (kInvalid).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "template/rendered.h"

namespace hearth::gotmpl {

enum class Kind : uint8_t {
  kInvalid,
  kNilInterface,
  kBool,
  kInt,
  kUint8,
  kFloat,
  kString,
  kSlice,
  kMap,  // keys are strings
  kStruct,
  kPointer,  // to a struct
};

// Which String method a type has.
enum class Stringer : uint8_t {
  kNone,
  kJson,         // the value as JSON
  kPointerJson,  // the same, but only where the value has an address
  kTypeNames,    // one name as it is, several as a list
};

struct Field;

struct Type {
  Kind kind;
  std::string_view name;  // as %T prints it
  const Type* element = nullptr;
  std::span<const Field> fields;
  Stringer stringer = Stringer::kNone;
};

struct Field {
  std::string_view name;
  const Type* type;
  std::string_view json;
  bool omit_empty = false;
  bool trusted = false;  // not foreign, though it comes from the conversation
};

// The types themselves; kAny is the type of an element that can be anything.
extern const Type kAny, kBool, kInt, kUint8, kFloat, kString, kAnySlice, kAnyMap, kStringSlice;
extern const Type kMessage, kMessagePointer, kMessages, kTools, kToolProperty, kTypeNames,
    kArguments, kImages;

// A text all of which is foreign, or none.
Rendered rendered(std::string_view text, bool foreign);
Rendered cut(const Rendered& text, size_t begin, size_t end);

class Value {
 public:
  using Items = std::vector<Value>;

  Value() = default;  // no value
  static Value nil_interface();
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value byte(uint8_t value, bool foreign);
  static Value number(double value, bool foreign);
  static Value text(Rendered text);
  static Value text(std::shared_ptr<const Rendered> text);
  static Value plain(std::string_view text);  // a text of the template's own
  // Slices, maps (key, value, key, value, ... sorted by key), structs (a value a field) and
  // pointers (the same). Null items are Go's nil.
  static Value composite(const Type& type, std::shared_ptr<const Items> items);
  static Value bytes(const Type& type, Rendered bytes);  // a slice of bytes
  static Value zero(const Type& type);

  Kind kind() const { return type_ ? type_->kind : nil_ ? Kind::kNilInterface : Kind::kInvalid; }
  bool is_valid() const { return type_ != nullptr; }  // neither nothing nor an empty interface
  const Type& type() const { return *type_; }         // REQUIRES: is_valid()
  bool foreign() const { return foreign_; }  // numbers: the conversation wrote it
  bool addressable() const { return addressable_; }

  bool as_bool() const { return number_.integer != 0; }
  int64_t as_int() const { return number_.integer; }
  double as_double() const { return number_.real; }
  const Rendered& as_text() const;

  // Slices: length and capacity, an element, a part (of at most the capacity).
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  Value at(size_t index) const;
  Value part(size_t begin, size_t end, size_t capacity) const;
  bool is_bytes() const { return type_ && type_->element == &kUint8; }
  Rendered as_bytes() const { return cut(as_text(), begin_, begin_ + size_); }

  // Maps: size() entries.
  const Value& key(size_t index) const { return (*items_)[2 * index]; }
  const Value& value(size_t index) const { return (*items_)[2 * index + 1]; }
  const Value* find(std::string_view key) const;

  // Structs: a field; it has an address where the struct has one.
  Value field(size_t index) const;
  // What a pointer points to.
  Value pointee() const;
  bool is_nil() const { return items_ == nullptr && text_ == nullptr; }  // slices, maps, pointers
  bool same_object(const Value& other) const { return items_ == other.items_; }

 private:
  const Type* type_ = nullptr;
  union {
    int64_t integer;
    double real;
  } number_ = {.integer = 0};
  bool nil_ = false, foreign_ = false, addressable_ = false;
  uint32_t begin_ = 0, size_ = 0, capacity_ = 0;
  std::shared_ptr<const Rendered> text_;
  std::shared_ptr<const Items> items_;
};

// A JSON value as Go's decoder puts it into a variable of this type: numbers are float64, keys are
// sorted, a repeated key has its last value. Everything in it is foreign where `foreign` is.
// kInvalid where the type does not fit, kTooLarge over 512 levels.
Result<Value> decode(const Json& json, const Type& type, bool foreign);

// Says for bytes asked for in rising order whether they are foreign.
class ForeignCursor {
 public:
  explicit ForeignCursor(const Rendered& text) : ranges_(text.foreign) {}
  bool at(size_t byte) {
    if (next_ < ranges_.size() && ranges_[next_].end <= byte) ++next_;
    if (next_ < ranges_.size() && ranges_[next_].end <= byte) next_ = first_after(ranges_, byte);
    return next_ < ranges_.size() && ranges_[next_].begin <= byte;
  }
  // The first range that does not end before or at the byte.
  static size_t first_after(std::span<const TextRange> ranges, size_t byte);

 private:
  std::span<const TextRange> ranges_;
  size_t next_ = 0;
};

}  // namespace hearth::gotmpl
