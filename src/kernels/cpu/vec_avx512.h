// The vector layer on AVX-512 F, BW, VL, DQ; level 3 has the bfloat16 instructions (see vec.h).
#pragma once

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

#include <immintrin.h>

#include <cstdint>

#include "kernels/coefficients.h"

#ifndef HEARTH_ISA
#define HEARTH_ISA avx512
#define HEARTH_ISA_LEVEL 2
#endif

#include "kernels/cpu/bytes_avx2.h"

namespace hearth::HEARTH_ISA {

struct F32x16 {
  __m512 v;
};

inline F32x16 zero() { return {_mm512_setzero_ps()}; }
inline F32x16 splat(float s) { return {_mm512_set1_ps(s)}; }
inline F32x16 two_halves(float a, float b) {
  return {_mm512_mask_broadcastss_ps(_mm512_set1_ps(a), 0xff00, _mm_set_ss(b))};
}
inline F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
inline F32x16 load_n(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
inline void store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
inline void store_n(float* p, F32x16 a, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), a.v); }

inline F32x16 add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F32x16 sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F32x16 mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F32x16 div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F32x16 abs(F32x16 a) { return {_mm512_abs_ps(a.v)}; }
inline F32x16 select_negative(F32x16 z, F32x16 a, F32x16 b) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(z.v, _mm512_setzero_ps(), _CMP_GE_OQ), a.v,
                               b.v)};
}
inline F32x16 select_less(F32x16 x, F32x16 y, F32x16 a, F32x16 b) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(x.v, y.v, _CMP_LT_OQ), b.v, a.v)};
}
inline F32x16 copy_sign(F32x16 magnitude, F32x16 sign) {
  const __m512 bit = _mm512_set1_ps(-0.0f);
  return {_mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v))};
}
inline F32x16 scale_pow2(F32x16 p, F32x16 shifted) {
  return {_mm512_scalef_ps(p.v, _mm512_sub_ps(shifted.v, _mm512_set1_ps(kRoundMagic)))};
}

// The steps of the tree for two vectors at once: the result's halves, quarters ... belong to one
// and the other.
inline __m512 fold8(__m512 a, __m512 b) {  // eight sums of a, eight of b
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}
inline __m512 fold4(__m512 a, __m512 b) {  // four each of a's two, b's two
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
inline __m512 fold2(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
}
inline __m512 fold1(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

inline void tree_sum16(const F32x16* a, float* out) {
  __m512 four[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = fold4(fold8(a[4 * i].v, a[4 * i + 1].v), fold8(a[4 * i + 2].v, a[4 * i + 3].v));
  }
  const __m512 sums = fold1(fold2(four[0], four[1]), fold2(four[2], four[3]));
  // Lane 4*q + v holds vector 4*v + q.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_ps(out, _mm512_permutexvar_ps(order, sums));
}
inline void tree_sum8(const F32x16* a, float* out) {
  const __m512 low = fold4(fold8(a[0].v, a[1].v), fold8(a[2].v, a[3].v));
  const __m512 high = fold4(fold8(a[4].v, a[5].v), fold8(a[6].v, a[7].v));
  const __m512 two = fold2(low, high);
  const __m512 sums = fold1(two, two);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
  _mm256_storeu_ps(out, _mm512_castps512_ps256(_mm512_permutexvar_ps(order, sums)));
}
inline void tree_sum4(const F32x16* a, float* out) {
  const __m512 four = fold4(fold8(a[0].v, a[1].v), fold8(a[2].v, a[3].v));
  const __m512 two = fold2(four, four);
  const __m512 sums = fold1(two, two);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(order, sums)));
}
inline float tree_sum(F32x16 a) {
  const __m256 eight =
      _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float max_lane(F32x16 a) {
  const __m256 eight =
      _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

inline __m256i load_half(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline F32x16 widen_u8(__m128i bytes) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))};
}
inline F32x16 widen_i8(__m128i bytes) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}
inline F32x16 cvt_f16(const uint16_t* p) { return {_mm512_cvtph_ps(load_half(p))}; }
inline F32x16 cvt_bf16(const uint16_t* p) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_half(p)), 16))};
}
inline F32x16 cvt_i8(const int8_t* p) { return widen_i8(load_quarter(p)); }
inline F32x16 cvt_u8(const uint8_t* p) { return widen_u8(load_quarter(p)); }
inline float f16_to_f32(uint16_t x) { return _cvtsh_ss(x); }

// In integers: the instruction takes subnormal numbers for zero.
inline __m256i bf16_of(__m512 v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}
inline void to_bf16(F32x16 a, uint16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bf16_of(a.v));
}
inline void to_f16(F32x16 a, uint16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

inline void load_pairs(const float* p, F32x16& a, F32x16& b) {
  const __m512 low = _mm512_loadu_ps(p), high = _mm512_loadu_ps(p + 16);
  const __m512i even =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  a.v = _mm512_permutex2var_ps(low, even, high);
  b.v = _mm512_permutex2var_ps(low, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high);
}
inline void split_f16(const uint16_t* p, F32x16& a, F32x16& b) {
  const __m512i pairs = _mm512_loadu_si512(p);
  a.v = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs));
  b.v = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)));
}
inline void split_bf16(const uint16_t* p, F32x16& a, F32x16& b) {
  const __m512i pairs = _mm512_loadu_si512(p);
  a.v = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  b.v = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-65536)));
}
inline void split_i8(const int8_t* p, F32x16& a, F32x16& b) {
  const __m512i pairs = _mm512_cvtepi16_epi32(load_half(p));
  a.v = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(pairs, 24), 24));
  b.v = _mm512_cvtepi32_ps(_mm512_srai_epi32(pairs, 8));
}
inline void double_lanes(const float* p, F32x16& a, F32x16& b) {
  const __m512i low = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  const __m512 all = _mm512_loadu_ps(p);
  a.v = _mm512_permutexvar_ps(low, all);
  b.v = _mm512_permutexvar_ps(_mm512_add_epi32(low, _mm512_set1_epi32(8)), all);
}
inline F32x16 repeat_two(const float* p) {
  double two;
  __builtin_memcpy(&two, p, sizeof two);
  return {_mm512_castpd_ps(_mm512_set1_pd(two))};
}
inline void store_pairs(float* p, F32x16 a, F32x16 b) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  _mm512_storeu_ps(p, _mm512_permutex2var_ps(a.v, low, b.v));
  _mm512_storeu_ps(p + 16, _mm512_permutex2var_ps(a.v, high, b.v));
}

inline F32x16 unsigned_low(U8x32 a) { return widen_u8(_mm256_castsi256_si128(a.v)); }
inline F32x16 unsigned_high(U8x32 a) { return widen_u8(_mm256_extracti128_si256(a.v, 1)); }
inline F32x16 signed_low(U8x32 a) { return widen_i8(_mm256_castsi256_si128(a.v)); }
inline F32x16 signed_high(U8x32 a) { return widen_i8(_mm256_extracti128_si256(a.v, 1)); }
inline U8x32 bit_bytes(uint32_t mask, uint8_t value) {
  return {_mm256_maskz_set1_epi8(mask, static_cast<char>(value))};
}

struct Bf16x32 {
  __m512i v;
};
inline Bf16x32 load_bf16(const uint16_t* p) { return {_mm512_loadu_si512(p)}; }
inline Bf16x32 load_bf16_n(const uint16_t* p, int n) {
  return {_mm512_maskz_loadu_epi16((1u << n) - 1u, p)};
}
inline void store_bf16(uint16_t* p, Bf16x32 a) { _mm512_storeu_si512(p, a.v); }
#if HEARTH_ISA_LEVEL >= 3
inline Bf16x32 round_bf16(F32x16 low, F32x16 high) {
  return {(__m512i)_mm512_cvtne2ps_pbh(high.v, low.v)};
}
inline F32x16 dot_bf16(Bf16x32 a, Bf16x32 b, F32x16 acc) {
  return {_mm512_dpbf16_ps(acc.v, (__m512bh)a.v, (__m512bh)b.v)};
}
#else
inline Bf16x32 round_bf16(F32x16 low, F32x16 high) {
  return {_mm512_inserti64x4(_mm512_castsi256_si512(bf16_of(low.v)), bf16_of(high.v), 1)};
}
inline F32x16 dot_bf16(Bf16x32 a, Bf16x32 b, F32x16 acc) {
  const auto even = [](__m512i v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); };
  const auto odd = [](__m512i v) {
    return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(-65536)));
  };
  const __m512 first = _mm512_fmadd_ps(even(a.v), even(b.v), acc.v);
  return {_mm512_fmadd_ps(odd(a.v), odd(b.v), first)};
}
#endif

#define HEARTH_HAS_CODE_MAP
// The few weights that a scale (and an offset) can give are computed once per group of 32, and
// then looked up by the codes; a lookup ignores the bits above the table.
template <int kBits, int kShift, bool kOffset>
struct CodeMap {
  static_assert(kBits == 4 || kBits == 5);
  __m512 first, second;  // the weights of codes 0-15 and 16-31
  __m512 weights(float scale, float offset, int code) const {
    __m512 q = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    if (code + kShift != 0) q = _mm512_add_ps(q, _mm512_set1_ps(static_cast<float>(code + kShift)));
    q = _mm512_mul_ps(_mm512_set1_ps(scale), q);
    return kOffset ? _mm512_add_ps(q, _mm512_set1_ps(offset)) : q;
  }
  CodeMap(float scale, float offset)
      : first(weights(scale, offset, 0)),
        second(kBits == 5 ? weights(scale, offset, 16) : first) {}
  F32x16 lookup(__m128i codes) const {
    const __m512i wide = _mm512_cvtepu8_epi32(codes);
    if constexpr (kBits == 4) return {_mm512_permutexvar_ps(wide, first)};
    return {_mm512_permutex2var_ps(first, wide, second)};
  }
  F32x16 low(U8x32 codes) const { return lookup(_mm256_castsi256_si128(codes.v)); }
  F32x16 high(U8x32 codes) const { return lookup(_mm256_extracti128_si256(codes.v, 1)); }
  Bf16x32 bf16(U8x32 codes) const {
    const __m512i table = round_bf16({first}, {second}).v;
    return {_mm512_permutexvar_epi16(_mm512_cvtepu8_epi16(codes.v), table)};
  }
};

#define HEARTH_HAS_NIBBLE_PAIRS
// Two groups of 32 codes that share their bytes: the low nibbles are the first group, the high
// ones the second; weight = scale * code + offset. The product of a 17-bit scale and a 4-bit code
// is exact, so that the fused form gives the bits of the two steps. As bf16, both groups' tables
// lie in one register: entries 0-15 for the high nibbles, 16-31 for the low ones.
struct NibblePairs {
  __m512 first, second;
  __m256i bytes;
  static __m512 weights(float scale, float offset) {
    const __m512 q = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_fmadd_ps(_mm512_set1_ps(scale), q, _mm512_set1_ps(offset));
  }
  NibblePairs(const float* scale, const float* offset, U8x32 codes)
      : first(weights(scale[0], offset[0])),
        second(weights(scale[1], offset[1])),
        bytes(codes.v) {}
  struct Chunk {
    const NibblePairs& pairs;
    bool is_second;
    F32x16 lookup(__m128i codes) const {
      const __m512i wide = _mm512_cvtepu8_epi32(codes);  // a lookup takes the low four bits
      if (!is_second) return {_mm512_permutexvar_ps(wide, pairs.first)};
      return {_mm512_permutexvar_ps(_mm512_srli_epi32(wide, 4), pairs.second)};
    }
    F32x16 low() const { return lookup(_mm256_castsi256_si128(pairs.bytes)); }
    F32x16 high() const { return lookup(_mm256_extracti128_si256(pairs.bytes, 1)); }
    Bf16x32 bf16() const {
      const __m512i table = round_bf16({pairs.second}, {pairs.first}).v;
      const __m512i words = _mm512_cvtepu8_epi16(pairs.bytes);
      if (is_second) return {_mm512_permutexvar_epi16(_mm512_srli_epi16(words, 4), table)};
      // (word & 15) | 16
      const __m512i index = _mm512_ternarylogic_epi32(words, _mm512_set1_epi16(15),
                                                      _mm512_set1_epi16(16), 0xea);
      return {_mm512_permutexvar_epi16(index, table)};
    }
  };
  Chunk low_nibbles() const { return {*this, false}; }
  Chunk high_nibbles() const { return {*this, true}; }
};

#define HEARTH_HAS_LEVEL_CHUNK
// Codes (their low four bits) that choose from sixteen levels, with a scale and, with kMin, a
// minimum for each half: value = scale * level - min, computed for the levels and looked up.
template <bool kMin>
struct LevelChunk {
  __m512 first, second;
  __m256i codes;
  static __m512 values(F32x16 levels, float scale, float min) {
    const __m512 scaled = _mm512_mul_ps(_mm512_set1_ps(scale), levels.v);
    return kMin ? _mm512_sub_ps(scaled, _mm512_set1_ps(min)) : scaled;
  }
  LevelChunk(const int8_t* levels, const float* scale, const float* min, U8x32 c)
      : first(values(cvt_i8(levels), scale[0], min[0])),
        second(values(cvt_i8(levels), scale[1], min[1])),
        codes(c.v) {}
  F32x16 low() const {
    return {_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(_mm256_castsi256_si128(codes)), first)};
  }
  F32x16 high() const {
    return {_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(_mm256_extracti128_si256(codes, 1)),
                                  second)};
  }
  Bf16x32 bf16() const {
    const __m512i table = round_bf16({first}, {second}).v;
    const __m512i half = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(16), 1);
    // (word & 15) | half
    const __m512i index = _mm512_ternarylogic_epi32(_mm512_cvtepu8_epi16(codes),
                                                    _mm512_set1_epi16(15), half, 0xea);
    return {_mm512_permutexvar_epi16(index, table)};
  }
};

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
inline void prefetch_far(const void* p) {  // to the second cache
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
}
inline void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1); }

inline constexpr int kTileRows = 4, kTileColumns = 6;
inline constexpr int kGemvRows = 4;
inline constexpr int kItemTile = 6, kPanelVectors = 4;

inline F32x16 words_of(Bf16x32 a) { return {_mm512_castsi512_ps(a.v)}; }
inline F32x16 pair_words(F32x16 even, F32x16 odd) {
#if HEARTH_ISA_LEVEL >= 3
  const __m512i halves = round_bf16(even, odd).v;  // the even ones, then the odd ones
  const __m512i order = _mm512_setr_epi32(
      0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007, 0x180008,
      0x190009, 0x1a000a, 0x1b000b, 0x1c000c, 0x1d000d, 0x1e000e, 0x1f000f);
  return {_mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves))};
#else
  const __m512i low = _mm512_cvtepu16_epi32(bf16_of(even.v));
  const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16_of(odd.v)), 16);
  return {_mm512_castsi512_ps(_mm512_or_si512(low, high))};
#endif
}
inline F32x16 dot_words(F32x16 a, F32x16 b, F32x16 acc) {
  return dot_bf16({_mm512_castps_si512(a.v)}, {_mm512_castps_si512(b.v)}, acc);
}

}  // namespace hearth::HEARTH_ISA

#endif
