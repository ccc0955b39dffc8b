// Keys and values of the past as they are stored: in which types, and where each number lies. This
// is the one place that knows; the cache, the kernels and whoever counts bytes ask here.
//
// A block has kKvBlock positions of one head, its keys and its values apart. Neighbours that enter
// sums as a pair lie side by side, and what lies in the lanes of a vector in a row, so that nothing
// is turned when it is read:
//   keys    [dimension / 2][position][2 dimensions]
//   values  [position / 2][dimension][2 positions]
// kInt8 has signed bytes and after them a float scale for every kKvScale dimensions of a position
// (the last group may be shorter); a number is float(byte) * scale:
//   keys    [group][position]
//   values  [position / 2][group][2 positions]
// A scale is the largest |x| of its group / 127, NaN (with bytes of 0) where one is not finite, and
// 0 below 2^-100. Every part is whole lines of 64 bytes, and begins on one.
//
// Keys of kInt8 are mixed before they are rounded, by Kernels::mix, and queries likewise: products
// stay the same, but a dimension that stands out of all others (models with biases on their keys
// have such) no longer costs the others their digits. docs/performance.md has what that is worth.
// Source of the idea: QuaRot (Ashkboos et al., 2024).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hearth {

struct Kernels;

// Tokens per block of the paged KV cache.
inline constexpr int kKvBlock = 32;

// Dimensions that share a scale: even, a divisor or a multiple of 16.
inline constexpr int kKvScale = 32;

inline constexpr int64_t kMixMost = 256;

// Dimensions that a head may have.
inline constexpr int64_t kHeadMost = 4096;

enum class KvType : uint8_t { kF32, kF16, kBf16, kInt8 };

// "f32", "f16", "bf16", "int8".
std::string_view name_of(KvType type);
std::optional<KvType> find_kv_type(std::string_view name);

constexpr int64_t kv_number_bytes(KvType type) {
  return type == KvType::kF32 ? 4 : type == KvType::kInt8 ? 1 : 2;
}

// Dimensions with those that fill up: of keys they hold 0, of values anything.
constexpr int64_t kv_key_width(int64_t dim) { return (dim + 1) / 2 * 2; }
constexpr int64_t kv_value_width(int64_t dim) { return (dim + 15) / 16 * 16; }

// Neighbouring dimensions of a key that are mixed with each other: the largest power of two that
// divides their number, up to 256.
constexpr int64_t kv_mixed(KvType type, int64_t dim) {
  if (type != KvType::kInt8) return 1;
  return (dim & -dim) < kMixMost ? (dim & -dim) : kMixMost;
}

// Scales of one position.
constexpr int64_t kv_groups(KvType type, int64_t dim) {
  return type == KvType::kInt8 ? (dim + kKvScale - 1) / kKvScale : 0;
}

// Bytes of the keys, or of the values, of one head in a block, and those before the scales.
constexpr int64_t kv_numbers_bytes(KvType type, int64_t width) {
  return kKvBlock * width * kv_number_bytes(type);
}
constexpr int64_t kv_bytes(KvType type, int64_t width, int64_t dim) {
  return kv_numbers_bytes(type, width) +
         kKvBlock * kv_groups(type, dim) * static_cast<int64_t>(sizeof(float));
}
constexpr int64_t kv_key_bytes(KvType type, int64_t dim) {
  return kv_bytes(type, kv_key_width(dim), dim);
}
constexpr int64_t kv_value_bytes(KvType type, int64_t dim) {
  return kv_bytes(type, kv_value_width(dim), dim);
}

// Indexes of a number and of its scale; `slot` is the position within the block.
constexpr int64_t kv_key_at(int64_t slot, int64_t d) {
  return (d / 2 * kKvBlock + slot) * 2 + d % 2;
}
constexpr int64_t kv_value_at(int64_t slot, int64_t d, int64_t width) {
  return (slot / 2 * width + d) * 2 + slot % 2;
}
constexpr int64_t kv_key_scale_at(int64_t slot, int64_t d) {
  return d / kKvScale * kKvBlock + slot;
}
constexpr int64_t kv_value_scale_at(int64_t slot, int64_t d, int64_t groups) {
  return (slot / 2 * groups + d / kKvScale) * 2 + slot % 2;
}

// Stores the key or the value of one position: `dim` numbers, converted by the kernels, into what a
// block has for one head. Threads may store different positions of one block.
void store_key(const Kernels& kernels, KvType type, const float* x, int dim, int slot,
               std::byte* keys);
void store_value(const Kernels& kernels, KvType type, const float* x, int dim, int slot,
                 std::byte* values);

}  // namespace hearth
