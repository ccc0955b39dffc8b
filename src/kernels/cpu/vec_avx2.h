// The vector layer on AVX2 with FMA and F16C: sixteen floats in two registers (see vec.h).
#pragma once

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/coefficients.h"

#ifndef HEARTH_ISA
#define HEARTH_ISA avx2
#define HEARTH_ISA_LEVEL 1
#endif

#include "kernels/cpu/bytes_avx2.h"

namespace hearth::HEARTH_ISA {

struct F32x16 {
  __m256 a, b;  // lanes 0-7 and 8-15
};

inline F32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline F32x16 splat(float s) { return {_mm256_set1_ps(s), _mm256_set1_ps(s)}; }
inline F32x16 two_halves(float a, float b) { return {_mm256_set1_ps(a), _mm256_set1_ps(b)}; }
inline F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, F32x16 x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
inline F32x16 load_n(const float* p, int n) {
  float all[16] = {};
  memcpy(all, p, sizeof(float) * static_cast<unsigned>(n));
  return load(all);
}
inline void store_n(float* p, F32x16 x, int n) {
  float all[16];
  store(all, x);
  memcpy(p, all, sizeof(float) * static_cast<unsigned>(n));
}

inline F32x16 add(F32x16 x, F32x16 y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
inline F32x16 sub(F32x16 x, F32x16 y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
inline F32x16 mul(F32x16 x, F32x16 y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
inline F32x16 div(F32x16 x, F32x16 y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
inline F32x16 fma(F32x16 x, F32x16 y, F32x16 z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline F32x16 max(F32x16 x, F32x16 y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
inline F32x16 min(F32x16 x, F32x16 y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}
inline F32x16 abs(F32x16 x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
inline F32x16 select_negative(F32x16 z, F32x16 x, F32x16 y) {
  const __m256 none = _mm256_setzero_ps();
  return {_mm256_blendv_ps(x.a, y.a, _mm256_cmp_ps(z.a, none, _CMP_GE_OQ)),
          _mm256_blendv_ps(x.b, y.b, _mm256_cmp_ps(z.b, none, _CMP_GE_OQ))};
}
inline F32x16 select_less(F32x16 x, F32x16 y, F32x16 less, F32x16 other) {
  return {_mm256_blendv_ps(other.a, less.a, _mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ)),
          _mm256_blendv_ps(other.b, less.b, _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ))};
}
inline F32x16 copy_sign(F32x16 magnitude, F32x16 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.a), _mm256_and_ps(bit, sign.a)),
          _mm256_or_ps(_mm256_andnot_ps(bit, magnitude.b), _mm256_and_ps(bit, sign.b))};
}
// Two factors, because 2^n itself may be too small for a normal number.
inline __m256 scale_pow2_half(__m256 p, __m256 shifted) {
  const __m256i whole = _mm256_sub_epi32(_mm256_castps_si256(shifted),
                                         _mm256_castps_si256(_mm256_set1_ps(kRoundMagic)));
  const __m256i half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
  const auto pow2 = [](__m256i e) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
  };
  return _mm256_mul_ps(_mm256_mul_ps(p, pow2(half)), pow2(rest));
}
inline F32x16 scale_pow2(F32x16 p, F32x16 shifted) {
  return {scale_pow2_half(p.a, shifted.a), scale_pow2_half(p.b, shifted.b)};
}

// Steps of the tree for two vectors at once, after lanes 8-15 are added to 0-7.
inline __m256 fold8(F32x16 x) { return _mm256_add_ps(x.a, x.b); }
inline __m256 fold4(__m256 x, __m256 y) {  // four sums of x, four of y
  return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
}
inline __m256 fold2(__m256 x, __m256 y) {
  return _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x44), _mm256_shuffle_ps(x, y, 0xee));
}
inline __m256 fold1(__m256 x, __m256 y) {
  return _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x88), _mm256_shuffle_ps(x, y, 0xdd));
}
inline void tree_sum8(const F32x16* x, float* out) {
  __m256 two[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) two[i] = fold4(fold8(x[2 * i]), fold8(x[2 * i + 1]));
  const __m256 sums = fold1(fold2(two[0], two[1]), fold2(two[2], two[3]));
  // Lane 4*q + v holds vector 2*v + q.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_ps(out, _mm256_permutevar8x32_ps(sums, order));
}
inline void tree_sum16(const F32x16* x, float* out) {
  tree_sum8(x, out);
  tree_sum8(x + 8, out + 8);
}
inline void tree_sum4(const F32x16* x, float* out) {
  const __m256 two = fold2(fold4(fold8(x[0]), fold8(x[1])), fold4(fold8(x[2]), fold8(x[3])));
  const __m256 sums = fold1(two, two);  // 0 2 0 2 | 1 3 1 3
  _mm_storeu_ps(out, _mm_unpacklo_ps(_mm256_castps256_ps128(sums),
                                     _mm256_extractf128_ps(sums, 1)));
}
inline float tree_sum(F32x16 x) {
  const __m256 eight = fold8(x);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float max_lane(F32x16 x) {
  const __m256 eight = _mm256_max_ps(x.a, x.b);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

inline F32x16 widen_u8(__m128i bytes) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
}
inline F32x16 widen_i8(__m128i bytes) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
}
inline F32x16 cvt_f16(const uint16_t* p) {
  return {_mm256_cvtph_ps(load_quarter(p)), _mm256_cvtph_ps(load_quarter(p + 8))};
}
inline F32x16 cvt_bf16(const uint16_t* p) {
  const auto half = [](__m128i v) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
  };
  return {half(load_quarter(p)), half(load_quarter(p + 8))};
}
inline F32x16 cvt_i8(const int8_t* p) { return widen_i8(load_quarter(p)); }
inline F32x16 cvt_u8(const uint8_t* p) { return widen_u8(load_quarter(p)); }
inline float f16_to_f32(uint16_t x) { return _cvtsh_ss(x); }

inline __m256i bf16_words(__m256 v) {  // in the low halves of eight words
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}
inline __m256i bf16_of(F32x16 x) {
  const __m256i packed = _mm256_packus_epi32(bf16_words(x.a), bf16_words(x.b));
  return _mm256_permute4x64_epi64(packed, 0xd8);
}
inline void to_bf16(F32x16 x, uint16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bf16_of(x));
}
inline void to_f16(F32x16 x, uint16_t* p) {
  auto* out = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(out, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(out + 1, _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}

// Even and odd elements of sixteen consecutive floats.
inline void split_pairs(const float* p, __m256& even, __m256& odd) {
  const __m256 low = _mm256_loadu_ps(p), high = _mm256_loadu_ps(p + 8);
  const auto order = [](__m256 v) {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), 0xd8));
  };
  even = order(_mm256_shuffle_ps(low, high, 0x88));
  odd = order(_mm256_shuffle_ps(low, high, 0xdd));
}
inline void load_pairs(const float* p, F32x16& x, F32x16& y) {
  split_pairs(p, x.a, y.a);
  split_pairs(p + 16, x.b, y.b);
}
inline void split_f16(const uint16_t* p, F32x16& x, F32x16& y) {
  const auto split = [](const uint16_t* q, __m256& even, __m256& odd) {
    const __m256i order = _mm256_setr_epi64x(0x0d0c090805040100, 0x0f0e0b0a07060302,
                                             0x0d0c090805040100, 0x0f0e0b0a07060302);
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
    const __m256i v = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(pairs, order), 0xd8);
    even = _mm256_cvtph_ps(_mm256_castsi256_si128(v));
    odd = _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1));
  };
  split(p, x.a, y.a);
  split(p + 16, x.b, y.b);
}
inline void split_bf16(const uint16_t* p, F32x16& x, F32x16& y) {
  const auto split = [](const uint16_t* q, __m256& even, __m256& odd) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
    even = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    odd = _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)));
  };
  split(p, x.a, y.a);
  split(p + 16, x.b, y.b);
}
inline void split_i8(const int8_t* p, F32x16& x, F32x16& y) {
  const auto split = [](const int8_t* q, __m256& even, __m256& odd) {
    const __m256i pairs = _mm256_cvtepi16_epi32(load_quarter(q));
    even = _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(pairs, 24), 24));
    odd = _mm256_cvtepi32_ps(_mm256_srai_epi32(pairs, 8));
  };
  split(p, x.a, y.a);
  split(p + 16, x.b, y.b);
}
inline void double_lanes(const float* p, F32x16& x, F32x16& y) {
  const auto twice = [](const float* q) {
    const __m256i order = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(q)), order);
  };
  x = {twice(p), twice(p + 4)};
  y = {twice(p + 8), twice(p + 12)};
}
inline F32x16 repeat_two(const float* p) {
  double two;
  memcpy(&two, p, sizeof two);
  const __m256 all = _mm256_castpd_ps(_mm256_set1_pd(two));
  return {all, all};
}
inline void join_pairs(float* p, __m256 even, __m256 odd) {
  const __m256 low = _mm256_unpacklo_ps(even, odd), high = _mm256_unpackhi_ps(even, odd);
  _mm256_storeu_ps(p, _mm256_permute2f128_ps(low, high, 0x20));
  _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(low, high, 0x31));
}
inline void store_pairs(float* p, F32x16 x, F32x16 y) {
  join_pairs(p, x.a, y.a);
  join_pairs(p + 16, x.b, y.b);
}

inline F32x16 unsigned_low(U8x32 x) { return widen_u8(_mm256_castsi256_si128(x.v)); }
inline F32x16 unsigned_high(U8x32 x) { return widen_u8(_mm256_extracti128_si256(x.v, 1)); }
inline F32x16 signed_low(U8x32 x) { return widen_i8(_mm256_castsi256_si128(x.v)); }
inline F32x16 signed_high(U8x32 x) { return widen_i8(_mm256_extracti128_si256(x.v, 1)); }
inline U8x32 bit_bytes(uint32_t mask, uint8_t value) {
  // Byte i gets the byte of the mask that holds its bit, and then that bit alone is looked at.
  const __m256i spread = _mm256_shuffle_epi8(
      _mm256_set1_epi32(static_cast<int>(mask)),
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
  return {_mm256_and_si256(set, _mm256_set1_epi8(static_cast<char>(value)))};
}

struct Bf16x32 {
  __m256i a, b;  // elements 0-15 and 16-31
};
inline Bf16x32 load_bf16(const uint16_t* p) {
  const auto* q = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
inline Bf16x32 load_bf16_n(const uint16_t* p, int n) {
  uint16_t all[32] = {};
  memcpy(all, p, sizeof(uint16_t) * static_cast<unsigned>(n));
  return load_bf16(all);
}
inline void store_bf16(uint16_t* p, Bf16x32 x) {
  auto* q = reinterpret_cast<__m256i*>(p);
  _mm256_storeu_si256(q, x.a);
  _mm256_storeu_si256(q + 1, x.b);
}
inline Bf16x32 round_bf16(F32x16 low, F32x16 high) { return {bf16_of(low), bf16_of(high)}; }
inline __m256 dot_bf16_half(__m256i x, __m256i y, __m256 acc) {
  const auto even = [](__m256i v) { return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)); };
  const auto odd = [](__m256i v) {
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(-65536)));
  };
  return _mm256_fmadd_ps(odd(x), odd(y), _mm256_fmadd_ps(even(x), even(y), acc));
}
inline F32x16 dot_bf16(Bf16x32 x, Bf16x32 y, F32x16 acc) {
  return {dot_bf16_half(x.a, y.a, acc.a), dot_bf16_half(x.b, y.b, acc.b)};
}

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
inline void prefetch_far(const void* p) {  // to the second cache
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
}
inline void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1); }

inline constexpr int kTileRows = 2, kTileColumns = 3;
inline constexpr int kGemvRows = 4;
inline constexpr int kItemTile = 3, kPanelVectors = 2;

inline F32x16 words_of(Bf16x32 x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
inline F32x16 pair_words(F32x16 even, F32x16 odd) {
  const auto pairs = [](__m256 e, __m256 o) {
    return _mm256_castsi256_ps(
        _mm256_or_si256(bf16_words(e), _mm256_slli_epi32(bf16_words(o), 16)));
  };
  return {pairs(even.a, odd.a), pairs(even.b, odd.b)};
}
inline F32x16 dot_words(F32x16 x, F32x16 y, F32x16 acc) {
  return dot_bf16({_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)},
                  {_mm256_castps_si256(y.a), _mm256_castps_si256(y.b)}, acc);
}

}  // namespace hearth::HEARTH_ISA

#endif
