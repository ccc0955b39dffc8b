#include "kernels/kv.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/api.h"

namespace hearth {
namespace {

struct TypeRow {
  KvType type;
  std::string_view name;
};
constexpr TypeRow kTypes[] = {{KvType::kF32, "f32"},
                              {KvType::kF16, "f16"},
                              {KvType::kBf16, "bf16"},
                              {KvType::kInt8, "int8"}};

// Numbers that are converted at a time: those under one scale, for the integers in whole blocks.
constexpr int kPiece = 32;
static_assert(kPiece % kKvScale == 0);

// Calls put(d, number) for every dimension, with 0 for those up to `width`, and put_scale(d, scale)
// for every group.
template <class Put, class PutScale>
void convert(const Kernels& kernels, KvType type, const float* x, int dim, int64_t width, Put put,
             PutScale put_scale) {
  for (int first = 0; first < dim; first += kPiece) {
    std::array<float, kPiece> values = {};
    const int count = std::min(kPiece, dim - first);
    std::copy_n(x + first, count, values.begin());
    const auto put_all = [&](const auto* numbers) {
      for (int i = 0; i < kPiece && first + i < width; ++i) put(first + i, numbers[i]);
    };
    std::array<uint16_t, kPiece> halves;
    ActivationBlock block;
    switch (type) {
      case KvType::kF32: put_all(values.data()); break;
      case KvType::kF16:
        kernels.to_f16(values.data(), halves.data(), kPiece);
        put_all(halves.data());
        break;
      case KvType::kBf16:
        kernels.to_bf16(values.data(), halves.data(), kPiece);
        put_all(halves.data());
        break;
      case KvType::kInt8:
        kernels.pack(values.data(), Compute::kInt8, &block, kPiece);
        put_all(block.digits);
        put_scale(first, block.scale);
        break;
    }
  }
}

template <class T>
void put_at(std::byte* base, int64_t index, T value) {
  std::memcpy(base + index * static_cast<int64_t>(sizeof(T)), &value, sizeof value);
}

}  // namespace

std::string_view name_of(KvType type) {
  return std::ranges::find(kTypes, type, &TypeRow::type)->name;
}

std::optional<KvType> find_kv_type(std::string_view name) {
  const auto* row = std::ranges::find(kTypes, name, &TypeRow::name);
  return row == std::end(kTypes) ? std::nullopt : std::optional(row->type);
}

void store_key(const Kernels& kernels, KvType type, const float* x, int dim, int slot,
               std::byte* keys) {
  const int64_t width = kv_key_width(dim), run = kv_mixed(type, dim);
  std::byte* scales = keys + kv_numbers_bytes(type, width);
  std::array<float, kHeadMost> mixed;
  if (run > 1) {
    kernels.mix(x, mixed.data(), dim, run);
    x = mixed.data();
  }
  convert(
      kernels, type, x, dim, width,
      [&](int d, auto number) { put_at(keys, kv_key_at(slot, d), number); },
      [&](int d, float scale) { put_at(scales, kv_key_scale_at(slot, d), scale); });
}

void store_value(const Kernels& kernels, KvType type, const float* x, int dim, int slot,
                 std::byte* values) {
  const int64_t width = kv_value_width(dim), groups = kv_groups(type, dim);
  std::byte* scales = values + kv_numbers_bytes(type, width);
  convert(
      kernels, type, x, dim, width,
      [&](int d, auto number) { put_at(values, kv_value_at(slot, d, width), number); },
      [&](int d, float scale) { put_at(scales, kv_value_scale_at(slot, d, groups), scale); });
}

}  // namespace hearth
