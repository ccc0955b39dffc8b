#include "container/metadata.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "container/quote.h"

namespace hearth {
namespace {

struct TypeRow {
  std::string_view name;
  uint32_t bytes;  // 0 for types without a fixed size
};

constexpr TypeRow kTypes[kMetaTypes] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Casting a double that does not fit is undefined: the nearest int64 instead, 0 for NaN.
int64_t saturate(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 0x1p63) return std::numeric_limits<int64_t>::max();
  if (value <= -0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

std::unexpected<Error> absent(std::string_view key) {
  return fail(Code::kNotFound, "metadata has no key {}", quote_name(key));
}

std::unexpected<Error> wrong_type(std::string_view key, const MetaValue& value,
                                  std::string_view wanted) {
  return fail(Code::kCorrupt, "metadata key {} is {}, not {}", quote_name(key), name_of(value.type),
              wanted);
}

template <class T>
std::shared_ptr<const std::vector<T>> own(std::vector<T> items) {
  return std::make_shared<const std::vector<T>>(std::move(items));
}

template <class T>
MetaValue scalar_array(MetaType item, const std::vector<T>& items) {
  MetaArray array{.item = item, .count = items.size(), .raw = std::as_bytes(std::span(items))};
  return {MetaType::kArray, std::move(array)};
}

}  // namespace

std::string_view name_of(MetaType type) {
  CHECK(static_cast<uint32_t>(type) < kMetaTypes);
  return kTypes[static_cast<uint32_t>(type)].name;
}

uint32_t size_of(MetaType type) {
  CHECK(static_cast<uint32_t>(type) < kMetaTypes);
  return kTypes[static_cast<uint32_t>(type)].bytes;
}

double MetaArray::number_at(uint64_t index) const {
  CHECK(index < count && size_of(item) != 0);
  const std::byte* at = raw.data() + index * size_of(item);
  switch (item) {
    case MetaType::kF32: return load<float>(at);
    case MetaType::kF64: return load<double>(at);
    case MetaType::kU64: return static_cast<double>(load<uint64_t>(at));
    default: return static_cast<double>(integer_at(index));
  }
}

int64_t MetaArray::integer_at(uint64_t index) const {
  CHECK(index < count && size_of(item) != 0);
  const std::byte* at = raw.data() + index * size_of(item);
  switch (item) {
    case MetaType::kU8: return load<uint8_t>(at);
    case MetaType::kI8: return load<int8_t>(at);
    case MetaType::kU16: return load<uint16_t>(at);
    case MetaType::kI16: return load<int16_t>(at);
    case MetaType::kU32: return load<uint32_t>(at);
    case MetaType::kI32: return load<int32_t>(at);
    case MetaType::kI64: return load<int64_t>(at);
    case MetaType::kBool: return load<uint8_t>(at) != 0;
    case MetaType::kU64: {
      uint64_t value = load<uint64_t>(at);
      return std::in_range<int64_t>(value) ? static_cast<int64_t>(value)
                                           : std::numeric_limits<int64_t>::max();
    }
    case MetaType::kF32: return saturate(load<float>(at));
    case MetaType::kF64: return saturate(load<double>(at));
    case MetaType::kString:
    case MetaType::kArray: break;
  }
  CHECK(false);
  return 0;
}

Result<void> Metadata::add(std::string key, MetaValue value) {
  if (!index_.emplace(key, pairs_.size()).second)
    return fail(Code::kCorrupt, "metadata key {} is there twice", quote_name(key));
  pairs_.emplace_back(std::move(key), std::move(value));
  return {};
}

void Metadata::set(std::string key, MetaValue value) {
  auto [slot, is_new] = index_.emplace(key, pairs_.size());
  if (is_new)
    pairs_.emplace_back(std::move(key), std::move(value));
  else
    pairs_[slot->second].second = std::move(value);
}

void Metadata::set_u32(std::string key, uint32_t value) {
  set(std::move(key), {MetaType::kU32, uint64_t{value}});
}
void Metadata::set_f32(std::string key, float value) {
  set(std::move(key), {MetaType::kF32, double{value}});
}
void Metadata::set_bool(std::string key, bool value) {
  set(std::move(key), {MetaType::kBool, value});
}
void Metadata::set_string(std::string key, std::string value) {
  set(std::move(key), {MetaType::kString, std::move(value)});
}

void Metadata::set_strings(std::string key, std::vector<std::string> values) {
  auto owned = own(std::move(values));
  MetaArray array{.item = MetaType::kString, .count = owned->size()};
  array.strings.assign(owned->begin(), owned->end());
  keep_alive(owned);
  set(std::move(key), {MetaType::kArray, std::move(array)});
}

void Metadata::set_floats(std::string key, std::span<const float> values) {
  auto owned = own(std::vector<float>(values.begin(), values.end()));
  keep_alive(owned);
  set(std::move(key), scalar_array(MetaType::kF32, *owned));
}

void Metadata::set_ints(std::string key, std::span<const int32_t> values) {
  auto owned = own(std::vector<int32_t>(values.begin(), values.end()));
  keep_alive(owned);
  set(std::move(key), scalar_array(MetaType::kI32, *owned));
}

const MetaValue* Metadata::find(std::string_view key) const {
  auto it = index_.find(std::string(key));
  return it == index_.end() ? nullptr : &pairs_[it->second].second;
}

Result<uint64_t> Metadata::uint(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return absent(key);
  if (const auto* natural = std::get_if<uint64_t>(&value->value)) return *natural;
  const auto* integer = std::get_if<int64_t>(&value->value);
  if (integer == nullptr) return wrong_type(key, *value, "an integer");
  if (*integer < 0)
    return fail(Code::kCorrupt, "metadata key {} is {}, which must not be negative",
                quote_name(key), *integer);
  return static_cast<uint64_t>(*integer);
}

Result<uint64_t> Metadata::uint(std::string_view key, uint64_t fallback) const {
  if (find(key) == nullptr) return fallback;
  return uint(key);
}

Result<double> Metadata::number(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return absent(key);
  if (const auto* natural = std::get_if<uint64_t>(&value->value))
    return static_cast<double>(*natural);
  if (const auto* integer = std::get_if<int64_t>(&value->value))
    return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&value->value)) return *real;
  return wrong_type(key, *value, "a number");
}

Result<double> Metadata::number(std::string_view key, double fallback) const {
  if (find(key) == nullptr) return fallback;
  return number(key);
}

Result<bool> Metadata::boolean(std::string_view key, bool fallback) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return fallback;
  if (const bool* flag = std::get_if<bool>(&value->value)) return *flag;
  return wrong_type(key, *value, "bool");
}

Result<std::string_view> Metadata::text(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return absent(key);
  if (const auto* text = std::get_if<std::string>(&value->value)) return std::string_view(*text);
  return wrong_type(key, *value, "a string");
}

Result<std::string_view> Metadata::text(std::string_view key, std::string_view fallback) const {
  if (find(key) == nullptr) return fallback;
  return text(key);
}

Result<const MetaArray*> Metadata::array(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return absent(key);
  if (const auto* array = std::get_if<MetaArray>(&value->value)) return array;
  return wrong_type(key, *value, "an array");
}

Result<const MetaArray*> Metadata::array(std::string_view key, MetaType item) const {
  const MetaArray* found = TRY(array(key));
  if (found->item != item)
    return fail(Code::kCorrupt, "metadata key {} is an array of {}, not of {}", quote_name(key),
                name_of(found->item), name_of(item));
  return found;
}

}  // namespace hearth
