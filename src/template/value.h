// Value: what a template computes with, and Heap: where its objects live and the one place that
// counts what a render spends.
//
// A Value is 16 bytes: none, a bool, an int64, a double or a pointer to a counted Object. Strings
// are UTF-8 and are measured in characters; lists, tuples and dicts never change once made (the
// sandbox refuses every method that would), so their nesting depth is known and every recursion
// over them is bounded, and it is known whether text of the conversation is in them. Objects
// without a heap belong to a compiled template, are never counted and may be read by many threads;
// all others belong to one render on one thread.
//
// Budgets are sticky: a helper may overspend by the work of one call, and Interp::check() reports
// it at the next step. Whoever multiplies sizes asks Heap::fits() before building.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "template/integer.h"
#include "template/rendered.h"

namespace hearth::jinja {

class Heap;
struct Object;
struct Str;
struct Dict;

enum class Type : uint8_t {
  kMissing,  // an argument that was not given; never seen by a template
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kBig,     // an int beyond 64 bits; from here on an Object
  kString,
  kList,
  kTuple,
  kDict,
  kView,  // dict.keys(), .values(), .items()
  kRange,
  kIterator,  // can be walked once
  kNamespace,
  kMacro,
  kFunction,
  kMethod,
  kLoop,
  kCycler,
  kJoiner,
  kScope,
};

// How an undefined value came about; words the error of its first use.
enum class Lack : uint8_t { kPlain, kName, kAttribute, kHint, kUnsafe };

// Deeper values than this (JSON has at most 512 levels) are refused.
inline constexpr uint32_t kValueDepthMax = 600;

class Value {
 public:
  Value() : type_(Type::kMissing) { data_.object = nullptr; }
  Value(const Value& other) : type_(other.type_), lack_(other.lack_), owner_(other.owner_) {
    data_ = other.data_;
    retain();
  }
  Value(Value&& other) noexcept : type_(other.type_), lack_(other.lack_), owner_(other.owner_) {
    data_ = other.data_;
    other.type_ = Type::kMissing;
    other.data_.object = nullptr;
  }
  Value& operator=(Value other) noexcept {
    std::swap(type_, other.type_);
    std::swap(lack_, other.lack_);
    std::swap(owner_, other.owner_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Value() { release(); }

  explicit Value(Object* object);  // takes a share
  static Value none() { return Value(Type::kNone); }
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value real(double value);
  // `what` is the name, attribute or hint (a string) and `owner` the type that lacks it.
  static Value undefined(Lack lack = Lack::kPlain, Value what = {}, Type owner = Type::kMissing);

  Type type() const { return type_; }
  bool is(Type type) const { return type_ == type; }
  bool is_missing() const { return type_ == Type::kMissing; }
  bool is_undefined() const { return type_ == Type::kUndefined; }
  bool is_none() const { return type_ == Type::kNone; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_dict() const { return type_ == Type::kDict; }
  bool is_number() const { return type_ >= Type::kBool && type_ <= Type::kBig; }
  bool is_integral() const { return type_ == Type::kBool || type_ == Type::kInt; }
  bool is_integer() const { return is_integral() || type_ == Type::kBig; }
  bool is_sequence() const { return type_ == Type::kList || type_ == Type::kTuple; }

  int64_t as_int() const { return data_.integer; }  // bool and int
  double as_double() const {  // bool, int and float; real_of() takes all numbers
    return type_ == Type::kFloat ? data_.real : static_cast<double>(data_.integer);
  }
  bool as_bool() const { return data_.integer != 0; }
  Lack lack() const { return lack_; }
  Type owner() const { return owner_; }
  const std::string& text() const;          // string
  bool is_markup() const;                   // a string that counts as HTML
  const std::vector<Value>& items() const;  // list, tuple
  const Dict& dict() const;
  Object* object() const {
    return type_ >= Type::kBig || type_ == Type::kUndefined ? data_.object : nullptr;
  }
  template <class T>
  T& as() const {
    return *static_cast<T*>(data_.object);
  }
  uint32_t depth() const;
  // Whether text of the conversation is in it. A namespace may get some at any time.
  bool is_foreign() const;
  bool same(const Value& other) const;  // Python's `is`

 private:
  explicit Value(Type type) : type_(type) { data_.object = nullptr; }
  void retain();
  void release();

  Type type_;
  Lack lack_ = Lack::kPlain;
  Type owner_ = Type::kMissing;
  union {
    int64_t integer;
    double real;
    Object* object;
  } data_;
};

struct Object {
  Object(Heap* heap, Type type) : heap(heap), type(type) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  virtual void clear() {}  // drops every share that this object holds

  Heap* heap;  // null: a constant of a compiled template
  Object* previous = nullptr;
  Object* next = nullptr;
  size_t bytes = 0;
  uint32_t refs = 0;
  uint32_t depth = 0;
  Type type;
  bool foreign = false;
};

// One render's objects and what it has spent.
class Heap {
 public:
  Heap(size_t bytes_max, uint64_t steps_max) : bytes_max_(bytes_max), steps_left_(steps_max) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  // A new object that counts sizeof(T) + payload bytes.
  template <class T, class... Args>
  T* make(size_t payload, Args&&... args) {
    T* object = new T(this, std::forward<Args>(args)...);
    adopt(object, sizeof(T) + payload);
    return object;
  }
  void grow(Object* object, size_t bytes);
  void kill(Object* object);  // its last share is gone

  // False once the steps are spent.
  bool spend(uint64_t steps) {
    if (steps_left_ < steps) [[unlikely]] {
      steps_left_ = 0;
      return false;
    }
    steps_left_ -= steps;
    return true;
  }
  bool spent() const { return steps_left_ == 0; }
  bool full() const { return live_ > bytes_max_; }
  bool fits(size_t bytes) const { return live_ <= bytes_max_ && bytes <= bytes_max_ - live_; }
  bool too_deep() const { return too_deep_; }
  void note_depth(uint32_t depth) { too_deep_ |= depth > kValueDepthMax; }
  size_t live() const { return live_; }

 private:
  void adopt(Object* object, size_t bytes);

  size_t bytes_max_;
  size_t live_ = 0;
  uint64_t steps_left_;
  Object* first_ = nullptr;
  Object* dead_ = nullptr;
  bool draining_ = false;
  bool too_deep_ = false;
};

struct Str : Object {
  Str(Heap* heap, Rendered content, bool markup = false)
      : Object(heap, Type::kString),
        text(std::move(content.text)),
        marks(std::move(content.foreign)),
        markup(markup) {
    foreign = !marks.empty();
  }
  size_t length() const;  // characters
  bool ascii() const { return length() == text.size(); }

  std::string text;
  std::vector<TextRange> marks;  // as Rendered::foreign
  bool markup;
  mutable size_t chars = SIZE_MAX;  // filled at once for constants, which threads share
};

struct Big : Object {
  Big(Heap* heap, Integer number) : Object(heap, Type::kBig), number(std::move(number)) {}
  Integer number;  // does not fit into 64 bits
};

struct List : Object {  // and Tuple
  List(Heap* heap, Type type, std::vector<Value> values)
      : Object(heap, type), values(std::move(values)) {}
  void clear() override { values.clear(); }

  std::vector<Value> values;
  bool group = false;  // a tuple of groupby: has .grouper and .list
};

// Python's hash and ==, within a heap's budget. hash() is empty for what cannot be a key.
std::optional<uint64_t> hash(Heap& heap, const Value& value);
bool equal(Heap& heap, const Value& a, const Value& b);

struct Dict : Object {
  using Entry = std::pair<Value, Value>;

  explicit Dict(Heap* heap, Type type = Type::kDict) : Object(heap, type) {}
  void clear() override;

  const Value* find(const Value& key) const;  // REQUIRES: hash(key)
  const Value* find(std::string_view key) const;
  void set(Value key, Value value);  // REQUIRES: hash(key). Only while the dict is being made.

  std::vector<Entry> entries;

 private:
  template <class Match>
  size_t probe(uint64_t hash, Match match) const;
  void rebuild();

  std::vector<uint32_t> table_;  // entry + 1 by hash; empty while there are few entries
};

struct View : Object {
  enum class Kind : uint8_t { kKeys, kValues, kItems };
  View(Heap* heap, Value of, Kind kind)
      : Object(heap, Type::kView), dict(std::move(of)), kind(kind) {
    foreign = dict.is_foreign();
  }
  void clear() override { dict = {}; }

  Value dict;
  Kind kind;
};

struct Range : Object {
  Range(Heap* heap, int64_t start, int64_t stop, int64_t step, int64_t count)
      : Object(heap, Type::kRange), start(start), stop(stop), step(step), count(count) {}
  int64_t at(int64_t index) const { return start + index * step; }

  int64_t start, stop, step, count;
};

struct Namespace : Dict {
  explicit Namespace(Heap* heap) : Dict(heap, Type::kNamespace) {}
};

// The names of one block. Lookups go on in the parent.
struct Scope : Object {
  Scope(Heap* heap, Value parent) : Object(heap, Type::kScope), parent(std::move(parent)) {}
  void clear() override;
  const Value* find(uint32_t symbol) const;
  void set(uint32_t symbol, Value value);

  std::vector<std::pair<uint32_t, Value>> names;
  Value parent;  // a Scope, or missing
};

Integer integer_of(const Value& value);  // REQUIRES: is_integer()
// Whole numbers and floats by their exact values; empty beside NaN. REQUIRES: numbers, both.
std::optional<int> compare_numbers(const Value& a, const Value& b);

std::string_view type_name(Type type);       // "str", "dict", as Python names them
std::string described_type(const Type type);  // "'dict object'", in messages on attributes

inline void Value::retain() {
  if (Object* held = object(); held && held->heap) ++held->refs;
}

inline void Value::release() {
  Object* held = object();
  if (held && held->heap && --held->refs == 0) held->heap->kill(held);
}

inline bool Value::is_foreign() const {
  return type_ >= Type::kString && (data_.object->foreign || type_ == Type::kNamespace);
}

inline const std::string& Value::text() const { return as<Str>().text; }
inline bool Value::is_markup() const { return is_string() && as<Str>().markup; }
inline const std::vector<Value>& Value::items() const { return as<List>().values; }
inline const Dict& Value::dict() const { return as<Dict>(); }

}  // namespace hearth::jinja
