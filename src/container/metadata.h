// Metadata: the typed key-value pairs of a GGUF file, in the order of the file. Values that are
// strings or arrays point into the mapped file where they can; a Metadata keeps its source alive.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"

namespace hearth {

// The type numbers of the GGUF format.
enum class MetaType : uint32_t {
  kU8 = 0, kI8 = 1, kU16 = 2, kI16 = 3, kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7,
  kString = 8, kArray = 9, kU64 = 10, kI64 = 11, kF64 = 12,
};

inline constexpr uint32_t kMetaTypes = 13;

std::string_view name_of(MetaType type);
uint32_t size_of(MetaType type);  // bytes of a scalar; 0 for kString and kArray

// An array of one scalar type or of strings (arrays of arrays are refused when read: nobody
// writes them, and they would need recursion).
struct MetaArray {
  MetaType item = MetaType::kU8;
  uint64_t count = 0;
  std::span<const std::byte> raw;          // scalars: count * size, unaligned little endian
  std::vector<std::string_view> strings;   // for kString

  // Scalars converted one by one; REQUIRES index < count and a number type or kBool (CHECK).
  // integer_at() cuts fractions off and keeps within int64 (0 for NaN).
  double number_at(uint64_t index) const;
  int64_t integer_at(uint64_t index) const;
};

struct MetaValue {
  MetaType type = MetaType::kU8;
  std::variant<uint64_t, int64_t, double, bool, std::string, MetaArray> value;
};

class Metadata {
 public:
  using Pair = std::pair<std::string, MetaValue>;

  // Appends; kCorrupt for a name that is already there.
  Result<void> add(std::string key, MetaValue value);
  // Replaces or appends. Used by writers.
  void set(std::string key, MetaValue value);
  void set_u32(std::string key, uint32_t value);
  void set_f32(std::string key, float value);
  void set_bool(std::string key, bool value);
  void set_string(std::string key, std::string value);
  void set_strings(std::string key, std::vector<std::string> values);   // owns them
  void set_floats(std::string key, std::span<const float> values);
  void set_ints(std::string key, std::span<const int32_t> values);

  const std::vector<Pair>& pairs() const { return pairs_; }
  const MetaValue* find(std::string_view key) const;

  // Typed access. Any integer type serves for uint() and integer() when the value fits, any number
  // type for number(); kCorrupt for a wrong type or a value that does not fit, kNotFound when
  // absent. The forms with a fallback return it when absent, and still fail on a wrong type.
  Result<uint64_t> uint(std::string_view key) const;
  Result<uint64_t> uint(std::string_view key, uint64_t fallback) const;
  Result<double> number(std::string_view key) const;
  Result<double> number(std::string_view key, double fallback) const;
  Result<bool> boolean(std::string_view key, bool fallback) const;
  Result<std::string_view> text(std::string_view key) const;
  Result<std::string_view> text(std::string_view key, std::string_view fallback) const;
  Result<const MetaArray*> array(std::string_view key) const;  // kNotFound when absent
  Result<const MetaArray*> array(std::string_view key, MetaType item) const;

  void keep_alive(std::shared_ptr<const void> owner) { owners_.push_back(std::move(owner)); }

 private:
  std::vector<Pair> pairs_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace hearth
