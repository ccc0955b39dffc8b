#include "template/value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "base/utf8.h"

namespace hearth::jinja {
namespace {

constexpr size_t kFewEntries = 8;
constexpr size_t kBytesPerStep = 64;  // how much text one step may copy or compare

bool counts_depth(Type type) {
  return type == Type::kList || type == Type::kTuple || type == Type::kDict;
}

uint64_t mix(uint64_t hash) {
  hash ^= hash >> 32;
  hash *= 0x9E3779B97F4A7C15ull;
  return hash ^ (hash >> 29);
}

uint64_t hash_text(std::string_view text) { return mix(std::hash<std::string_view>{}(text)); }

// Whole numbers hash alike as bool, int and float, because they are equal.
uint64_t hash_number(const Value& value) {
  if (value.is_integral()) return mix(static_cast<uint64_t>(value.as_int()));
  double real = value.as_double();
  if (real == std::floor(real) && std::fabs(real) < 9.2e18) {
    return mix(static_cast<uint64_t>(static_cast<int64_t>(real)));
  }
  return mix(std::bit_cast<uint64_t>(real));
}

int compare_with_real(const Integer& whole, double real) {
  if (std::isinf(real)) return real < 0 ? 1 : -1;
  int order = whole.compare(Integer::truncated(real));
  double fraction = real - std::trunc(real);
  return order != 0 ? order : fraction > 0 ? -1 : fraction < 0 ? 1 : 0;
}

bool equal_items(Heap& heap, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].same(b[i]) && !equal(heap, a[i], b[i])) return false;
  }
  return true;
}

bool equal_dicts(Heap& heap, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.find(key);
    if (!other || (!other->same(value) && !equal(heap, value, *other))) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  if (a.count != b.count || a.count == 0) return a.count == b.count;
  return a.start == b.start && (a.count == 1 || a.step == b.step);
}

}  // namespace

Integer integer_of(const Value& value) {
  return value.is(Type::kBig) ? value.as<Big>().number : Integer(value.as_int());
}

std::optional<int> compare_numbers(const Value& a, const Value& b) {
  auto order = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.is_integral() && b.is_integral()) return order(a.as_int(), b.as_int());
  if (a.is_integer() && b.is_integer()) return integer_of(a).compare(integer_of(b));
  if (a.is(Type::kFloat) && b.is(Type::kFloat)) {
    double x = a.as_double(), y = b.as_double();
    if (std::isnan(x) || std::isnan(y)) return std::nullopt;
    return order(x, y);
  }
  bool left = a.is(Type::kFloat);
  double real = left ? a.as_double() : b.as_double();
  if (std::isnan(real)) return std::nullopt;
  int out = compare_with_real(integer_of(left ? b : a), real);
  return left ? -out : out;
}

Value::Value(Object* object) : type_(object->type) {
  data_.object = object;
  retain();
}

Value Value::boolean(bool value) {
  Value out(Type::kBool);
  out.data_.integer = value;
  return out;
}

Value Value::integer(int64_t value) {
  Value out(Type::kInt);
  out.data_.integer = value;
  return out;
}

Value Value::real(double value) {
  Value out(Type::kFloat);
  out.data_.real = value;
  return out;
}

Value Value::undefined(Lack lack, Value what, Type owner) {
  Value out(Type::kUndefined);
  out.lack_ = lack;
  out.owner_ = owner;
  if (what.is_string()) {
    out.data_.object = what.object();
    out.retain();
  }
  return out;
}

uint32_t Value::depth() const { return counts_depth(type_) ? data_.object->depth : 0; }

bool Value::same(const Value& other) const {
  if (type_ != other.type_) return false;
  switch (type_) {
    case Type::kFloat: return std::bit_cast<uint64_t>(data_.real) ==
                              std::bit_cast<uint64_t>(other.data_.real);
    case Type::kString: return data_.object == other.data_.object || text() == other.text();
    case Type::kBig: return as<Big>().number == other.as<Big>().number;
    case Type::kUndefined: return data_.object == other.data_.object;
    case Type::kNone: return true;
    default: return data_.integer == other.data_.integer;
  }
}

Heap::~Heap() {
  // What is left holds itself alive in circles (a macro and its scope). Pin, cut, free.
  for (Object* object = first_; object; object = object->next) ++object->refs;
  for (Object* object = first_; object; object = object->next) object->clear();
  while (first_) {
    Object* object = first_;
    first_ = object->next;
    delete object;
  }
}

void Heap::adopt(Object* object, size_t bytes) {
  object->bytes = bytes;
  object->next = first_;
  if (first_) first_->previous = object;
  first_ = object;
  live_ += bytes;
  spend(1 + bytes / kBytesPerStep);
}

void Heap::grow(Object* object, size_t bytes) {
  object->bytes += bytes;
  live_ += bytes;
}

// Frees without recursion: shares that fall with an object queue up behind it.
void Heap::kill(Object* object) {
  (object->previous ? object->previous->next : first_) = object->next;
  if (object->next) object->next->previous = object->previous;
  live_ -= object->bytes;
  object->next = dead_;
  dead_ = object;
  if (draining_) return;
  draining_ = true;
  while (dead_) {
    Object* victim = dead_;
    dead_ = victim->next;
    delete victim;
  }
  draining_ = false;
}

size_t Str::length() const {
  if (chars != SIZE_MAX) return chars;
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++count) {
    i += static_cast<unsigned char>(text[i]) < 0x80 ? 1 : decode_utf8(text, i).bytes;
  }
  chars = count;
  return count;
}

std::optional<uint64_t> hash(Heap& heap, const Value& value) {
  if (!heap.spend(1)) return 0;
  switch (value.type()) {
    case Type::kBool:
    case Type::kInt:
    case Type::kFloat: return hash_number(value);
    case Type::kBig:  // as the float that may be equal
      return hash_number(Value::real(value.as<Big>().number.to_double()));
    case Type::kString:
      heap.spend(value.text().size() / kBytesPerStep);
      return hash_text(value.text());
    case Type::kTuple: {
      uint64_t out = 17;
      for (const Value& item : value.items()) {
        auto part = hash(heap, item);
        if (!part) return std::nullopt;
        out = mix(out * 31 + *part);
      }
      return out;
    }
    case Type::kList:
    case Type::kDict: return std::nullopt;
    case Type::kView:
      if (value.as<View>().kind != View::Kind::kValues) return std::nullopt;
      [[fallthrough]];
    default:
      return mix(static_cast<uint64_t>(value.type()) * 64 +
                 (value.is_undefined() ? 0 : reinterpret_cast<uintptr_t>(value.object())));
  }
}

bool equal(Heap& heap, const Value& a, const Value& b) {
  if (!heap.spend(1)) return false;
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::kUndefined:
    case Type::kNone: return true;
    case Type::kString:
      if (a.text().size() == b.text().size()) heap.spend(a.text().size() / kBytesPerStep);
      return a.text() == b.text();
    case Type::kList:
    case Type::kTuple:
      return a.object() == b.object() || equal_items(heap, a.items(), b.items());
    case Type::kDict: return a.object() == b.object() || equal_dicts(heap, a.dict(), b.dict());
    case Type::kRange: return equal_ranges(a.as<Range>(), b.as<Range>());
    case Type::kView: {
      const View& left = a.as<View>();
      const View& right = b.as<View>();
      if (left.kind == View::Kind::kValues || left.kind != right.kind) return &left == &right;
      if (left.kind == View::Kind::kItems) {
        return equal_dicts(heap, left.dict.dict(), right.dict.dict());
      }
      if (left.dict.dict().entries.size() != right.dict.dict().entries.size()) return false;
      for (const auto& [key, value] : left.dict.dict().entries) {
        if (!right.dict.dict().find(key)) return false;
      }
      return true;
    }
    default: return a.object() == b.object();
  }
}

void Dict::clear() {
  entries.clear();
  table_.clear();
}

// The entry with this hash that matches, or SIZE_MAX. REQUIRES: table_ is built.
template <class Match>
size_t Dict::probe(uint64_t hash, Match match) const {
  for (size_t slot = hash & (table_.size() - 1);; slot = (slot + 1) & (table_.size() - 1)) {
    if (table_[slot] == 0) return SIZE_MAX;
    if (match(entries[table_[slot] - 1].first)) return table_[slot] - 1;
  }
}

const Value* Dict::find(const Value& key) const {
  if (key.is_string()) return find(key.text());
  if (table_.empty()) {
    for (const Entry& entry : entries) {
      if (equal(*heap, entry.first, key)) return &entry.second;
    }
    return nullptr;
  }
  size_t found = probe(jinja::hash(*heap, key).value_or(0),
                       [&](const Value& other) { return equal(*heap, other, key); });
  return found == SIZE_MAX ? nullptr : &entries[found].second;
}

const Value* Dict::find(std::string_view key) const {
  auto matches = [&](const Value& other) {
    heap->spend(1);
    return other.is_string() && other.text() == key;
  };
  if (table_.empty()) {
    for (const Entry& entry : entries) {
      if (entry.first.is_string() && entry.first.text() == key) return &entry.second;
    }
    return nullptr;
  }
  size_t found = probe(hash_text(key), matches);
  return found == SIZE_MAX ? nullptr : &entries[found].second;
}

void Dict::set(Value key, Value value) {
  // A dict that holds itself cannot be printed or compared: namespaces count no depth.
  if (type == Type::kDict) {
    depth = std::max({depth, value.depth() + 1, key.depth() + 1});
    heap->note_depth(depth);
  }
  foreign |= key.is_foreign() || value.is_foreign();
  if (const Value* known = find(key)) {
    const_cast<Value&>(*known) = std::move(value);
    return;
  }
  entries.emplace_back(std::move(key), std::move(value));
  heap->grow(this, sizeof(Entry) + sizeof(uint32_t) * 2);
  if (entries.size() <= kFewEntries) return;
  if (entries.size() * 2 > table_.size()) {
    rebuild();
    return;
  }
  size_t slot = *jinja::hash(*heap, entries.back().first) & (table_.size() - 1);
  while (table_[slot] != 0) slot = (slot + 1) & (table_.size() - 1);
  table_[slot] = static_cast<uint32_t>(entries.size());
}

void Dict::rebuild() {
  table_.assign(std::bit_ceil(entries.size() * 4), 0);
  for (size_t i = 0; i < entries.size(); ++i) {
    size_t slot = jinja::hash(*heap, entries[i].first).value_or(0) & (table_.size() - 1);
    while (table_[slot] != 0) slot = (slot + 1) & (table_.size() - 1);
    table_[slot] = static_cast<uint32_t>(i + 1);
  }
}

void Scope::clear() {
  names.clear();
  parent = {};
}

const Value* Scope::find(uint32_t symbol) const {
  for (const auto& [name, value] : names) {
    if (name == symbol) return &value;
  }
  return nullptr;
}

void Scope::set(uint32_t symbol, Value value) {
  for (auto& [name, old] : names) {
    if (name == symbol) {
      old = std::move(value);
      return;
    }
  }
  names.emplace_back(symbol, std::move(value));
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kUndefined: return "Undefined";
    case Type::kNone: return "NoneType";
    case Type::kBool: return "bool";
    case Type::kInt:
    case Type::kBig: return "int";
    case Type::kFloat: return "float";
    case Type::kString: return "str";
    case Type::kList: return "list";
    case Type::kTuple: return "tuple";
    case Type::kDict: return "dict";
    case Type::kView: return "dict view";
    case Type::kRange: return "range";
    case Type::kIterator: return "generator";
    case Type::kNamespace: return "Namespace";
    case Type::kMacro: return "Macro";
    case Type::kFunction: return "function";
    case Type::kMethod: return "method";
    case Type::kLoop: return "LoopContext";
    case Type::kCycler: return "Cycler";
    case Type::kJoiner: return "Joiner";
    case Type::kMissing:
    case Type::kScope: break;
  }
  return "object";
}

std::string described_type(Type type) {
  if (type == Type::kNone) return "'None'";
  return "'" + std::string(type_name(type)) + " object'";
}

}  // namespace hearth::jinja
