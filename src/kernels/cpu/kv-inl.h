// Keys and values as attention's products take them from the cache: 32 numbers, which kv.h has as
// 16 pairs, to vectors of words (see attention-tile-inl.h).
#pragma once

#include <cstdint>

#include "kernels/api.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

template <KvType kType>
inline constexpr int64_t kNumberBytes = kv_number_bytes(kType);

// The first of each pair and the second.
template <KvType kType>
inline void split(const std::byte* p, F32x16& first, F32x16& second) {
  switch (kType) {
    case KvType::kF32: return load_pairs(reinterpret_cast<const float*>(p), first, second);
    case KvType::kF16: return split_f16(reinterpret_cast<const uint16_t*>(p), first, second);
    case KvType::kBf16: return split_bf16(reinterpret_cast<const uint16_t*>(p), first, second);
    case KvType::kInt8: return split_i8(reinterpret_cast<const int8_t*>(p), first, second);
  }
}

// Sixteen numbers as they lie, from the index-th on.
template <KvType kType>
inline F32x16 in_order(const std::byte* p, int64_t index) {
  p += index * kNumberBytes<kType>;
  switch (kType) {
    case KvType::kF32: return load(reinterpret_cast<const float*>(p));
    case KvType::kF16: return cvt_f16(reinterpret_cast<const uint16_t*>(p));
    case KvType::kBf16: return cvt_bf16(reinterpret_cast<const uint16_t*>(p));
    case KvType::kInt8: return cvt_i8(reinterpret_cast<const int8_t*>(p));
  }
}

// What two vectors of numbers are multiplied by, where the type has scales.
struct Scales {
  F32x16 first, second;
};

// Of sixteen positions' keys, or of two positions' values, whose numbers are split or in order.
template <KvType kType, bool kSplit>
inline Scales key_scales(const float* p) {
  if constexpr (kType != KvType::kInt8) return {zero(), zero()};
  if constexpr (kSplit) return {load(p), load(p)};
  Scales s;
  double_lanes(p, s.first, s.second);
  return s;
}
template <KvType kType, bool kSplit>
inline Scales value_scales(const float* p) {
  if constexpr (kType != KvType::kInt8) return {zero(), zero()};
  if constexpr (kSplit) return {splat(p[0]), splat(p[1])};
  return {repeat_two(p), repeat_two(p)};
}

template <KvType kType>
inline void split_scaled(const std::byte* p, const Scales& s, F32x16& first, F32x16& second) {
  split<kType>(p, first, second);
  if constexpr (kType == KvType::kInt8) {
    first = mul(first, s.first);
    second = mul(second, s.second);
  }
}

// The sixteen pairs at p: one or two vectors of words, by the kind.
template <class Kind, KvType kType>
inline void pair_words_at(const std::byte* p, const Scales& s, F32x16* words) {
  if constexpr (Kind::kStep == 1) {
    split_scaled<kType>(p, s, words[0], words[1]);
  } else if constexpr (kType == KvType::kBf16) {
    words[0] = words_of(load_bf16(reinterpret_cast<const uint16_t*>(p)));
  } else if constexpr (kType == KvType::kInt8) {
    words[0] = words_of(round_bf16(mul(in_order<kType>(p, 0), s.first),
                                   mul(in_order<kType>(p, 16), s.second)));
  } else {
    words[0] = words_of(round_bf16(in_order<kType>(p, 0), in_order<kType>(p, 16)));
  }
}

// One head's keys in so many blocks.
template <class Kind, KvType kType, int kBlocks>
struct KeyBlocks {
  static constexpr int kVectors = 2 * kBlocks;
  static constexpr int64_t kPairBytes = 2 * kKvBlock * kNumberBytes<kType>;
  const std::byte* numbers[kBlocks];
  int64_t scales_at;  // [group][kKvBlock]
  int64_t pairs;      // of dimensions

  KeyBlocks(const std::byte* const* blocks, size_t head_offset, int64_t dim)
      : scales_at(kv_numbers_bytes(kType, kv_key_width(dim))), pairs(kv_key_width(dim) / 2) {
    for (int b = 0; b < kBlocks; ++b) numbers[b] = blocks[b] + head_offset;
  }

  // f(pair, words) for every pair of dimensions, in order: words[n] are those of positions 16n ...
  template <class F>
  [[gnu::always_inline]] void for_pairs(F f) const {
    constexpr int64_t kSome = kType == KvType::kInt8 ? kKvScale / 2 : int64_t{1} << 40;
    int64_t scale = scales_at;
    for (int64_t group = 0; group < pairs; group += kSome, scale += kScaleBytes) {
      Scales scales[kVectors];
#pragma GCC unroll 4
      for (int n = 0; n < kVectors; ++n) {
        scales[n] = key_scales<kType, Kind::kStep == 1>(
            reinterpret_cast<const float*>(numbers[n / 2] + scale) + n % 2 * 16);
      }
      const int64_t end = pairs - group > kSome ? group + kSome : pairs;
      for (int64_t pair = group; pair < end; ++pair) {
        F32x16 words[kVectors][Kind::kSteps];
#pragma GCC unroll 4
        for (int n = 0; n < kVectors; ++n) {
          pair_words_at<Kind, kType>(numbers[n / 2] + pair * kPairBytes + n % 2 * kPairBytes / 2,
                                     scales[n], words[n]);
        }
        f(pair, words);
      }
    }
  }

 private:
  static constexpr int64_t kScaleBytes = kKvBlock * sizeof(float);  // of a group
};

// One head's values in a block.
template <KvType kType>
struct ValueBlock {
  const std::byte* numbers;
  const float* scale;  // [kKvBlock / 2][group][2]
  int64_t width, groups;

  ValueBlock(const std::byte* block, int64_t dim)
      : numbers(block),
        scale(reinterpret_cast<const float*>(block +
                                             kv_numbers_bytes(kType, kv_value_width(dim)))),
        width(kv_value_width(dim)),
        groups(kv_groups(kType, dim)) {}

  const std::byte* at(int64_t pair, int64_t d) const {
    return numbers + (pair * width + d) * 2 * kNumberBytes<kType>;
  }
  const float* scale_at(int64_t pair, int64_t d) const {
    return scale + (pair * groups + d / kKvScale) * 2;
  }
  // kVectors times sixteen dimensions of a pair of positions, where p = at(pair, d) and s =
  // scale_at(pair, d): d begins a group, or there is but one vector.
  template <class Kind, int kVectors>
  static void words(const std::byte* p, const float* s, F32x16 (*to)[Kind::kSteps]) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) {
      pair_words_at<Kind, kType>(p + n * 32 * kNumberBytes<kType>,
                                 value_scales<kType, Kind::kStep == 1>(s + 16 * n / kKvScale * 2),
                                 to[n]);
    }
  }
  // The same as floats, 0 for positions outside [begin, end).
  void visible(int64_t pair, int64_t d, int64_t begin, int64_t end, F32x16& first,
               F32x16& second) const {
    split_scaled<kType>(at(pair, d), value_scales<kType, true>(scale_at(pair, d)), first, second);
    if (2 * pair < begin || 2 * pair >= end) first = zero();
    if (2 * pair + 1 < begin || 2 * pair + 1 >= end) second = zero();
  }
};

}  // namespace hearth::HEARTH_ISA
