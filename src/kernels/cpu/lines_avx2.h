// Lines on AVX2, with AVX-VNNI where the file is compiled for it: two registers of eight rows
// each (see lines.h).
#pragma once

#ifdef __AVX2__

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/cpu/rows.h"
#include "kernels/cpu/vec_avx2.h"

namespace hearth::HEARTH_ISA {

inline constexpr int kPanels = 1;  // sixteen registers hold no more
inline constexpr int kMaxTileColumns = 4;

struct U8x64 {
  __m256i a, b;  // rows 0-7 and 8-15
};
struct I32x16 {
  __m256i a, b;
};

inline __m256i two_chunks(const uint8_t* low, const uint8_t* high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_quarter(low)), load_quarter(high),
                                 1);
}
inline void load_lines(Rows rows, int64_t at, U8x64* out) {
  __m256i half[2][4];
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    __m256i a[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) a[i] = two_chunks(rows[8 * h + i] + at, rows[8 * h + 4 + i] + at);
    const __m256i ab_low = _mm256_unpacklo_epi32(a[0], a[1]);
    const __m256i ab_high = _mm256_unpackhi_epi32(a[0], a[1]);
    const __m256i cd_low = _mm256_unpacklo_epi32(a[2], a[3]);
    const __m256i cd_high = _mm256_unpackhi_epi32(a[2], a[3]);
    half[h][0] = _mm256_unpacklo_epi64(ab_low, cd_low);
    half[h][1] = _mm256_unpackhi_epi64(ab_low, cd_low);
    half[h][2] = _mm256_unpacklo_epi64(ab_high, cd_high);
    half[h][3] = _mm256_unpackhi_epi64(ab_high, cd_high);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) out[j] = {half[0][j], half[1][j]};
}
inline void load_wide(Rows rows, int64_t at, U8x64* out) {
  load_lines(rows, at, out);
  load_lines(rows, at + 16, out + 4);
}
inline __m256i load_ymm(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline U8x64 load_line(const uint8_t* p) { return {load_ymm(p), load_ymm(p + 32)}; }
inline void store_line(uint8_t* p, U8x64 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), x.b);
}
inline __m256i all_bytes(uint8_t b) { return _mm256_set1_epi8(static_cast<char>(b)); }
inline U8x64 and_line(U8x64 x, uint8_t mask) {
  return {_mm256_and_si256(x.a, all_bytes(mask)), _mm256_and_si256(x.b, all_bytes(mask))};
}
inline U8x64 flip_line(U8x64 x, uint8_t mask) {
  return {_mm256_xor_si256(x.a, all_bytes(mask)), _mm256_xor_si256(x.b, all_bytes(mask))};
}
inline U8x64 add_line(U8x64 x, uint8_t b) {
  return {_mm256_add_epi8(x.a, all_bytes(b)), _mm256_add_epi8(x.b, all_bytes(b))};
}
inline __m256i join_ymm(__m256i a, __m256i b) {
  return _mm256_or_si256(_mm256_srli_epi32(a, 16), _mm256_slli_epi32(b, 16));
}
inline U8x64 join_halves(U8x64 x, U8x64 y) { return {join_ymm(x.a, y.a), join_ymm(x.b, y.b)}; }
template <int N>
inline U8x64 shr_line(U8x64 x) {
  return {_mm256_srli_epi32(x.a, N), _mm256_srli_epi32(x.b, N)};
}
template <int N>
inline U8x64 shl_line(U8x64 x) {
  return {_mm256_slli_epi32(x.a, N), _mm256_slli_epi32(x.b, N)};
}
inline __m256i pick_ymm(__m256i mask, __m256i a, __m256i b) {
  return _mm256_or_si256(_mm256_and_si256(mask, a), _mm256_andnot_si256(mask, b));
}
inline U8x64 pick_line(uint8_t mask, U8x64 x, U8x64 y) {
  return {pick_ymm(all_bytes(mask), x.a, y.a), pick_ymm(all_bytes(mask), x.b, y.b)};
}
inline U8x64 lookup_line(const uint8_t* table, U8x64 codes) {
  const __m256i both = _mm256_broadcastsi128_si256(load_quarter(table));
  const U8x64 clean = and_line(codes, 15);
  return {_mm256_shuffle_epi8(both, clean.a), _mm256_shuffle_epi8(both, clean.b)};
}
// Each row's byte with the bits goes to all its four bytes, of which each tests its own bit.
template <int N>
inline __m256i raise_ymm(__m256i codes, __m256i bits) {
  const __m256i index =
      _mm256_broadcastsi128_si256(_mm_set_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0));
  const __m256i own = _mm256_set1_epi32(N % 8 == 0 ? 0x08040201 : static_cast<int>(0x80402010));
  const __m256i byte = _mm256_shuffle_epi8(bits, _mm256_or_si256(index, all_bytes(N / 8)));
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(byte, own), own);
  return _mm256_add_epi8(codes, _mm256_and_si256(set, all_bytes(16)));
}
template <int N>
inline U8x64 raise_by_bits(U8x64 codes, U8x64 bits) {
  return {raise_ymm<N>(codes.a, bits.a), raise_ymm<N>(codes.b, bits.b)};
}

inline I32x16 int_zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline I32x16 int_splat(int32_t i) { return {_mm256_set1_epi32(i), _mm256_set1_epi32(i)}; }
inline I32x16 int_add(I32x16 x, I32x16 y) {
  return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
inline F32x16 to_float(I32x16 x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
template <int N>
inline I32x16 int_shl(I32x16 x) {
  return {_mm256_slli_epi32(x.a, N), _mm256_slli_epi32(x.b, N)};
}
template <int N>
inline I32x16 int_sar(I32x16 x) {
  return {_mm256_srai_epi32(x.a, N), _mm256_srai_epi32(x.b, N)};
}
inline I32x16 int_sub(I32x16 x, I32x16 y) {
  return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
}
inline int32_t int_sum(I32x16 x) {
  const __m256i eight = _mm256_add_epi32(x.a, x.b);
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight),
                                     _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}
inline I32x16 round_int(F32x16 x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
inline void store_digits(int8_t* p, I32x16 x) {
  const __m128i low = _mm_packs_epi32(_mm256_castsi256_si128(x.a),
                                      _mm256_extracti128_si256(x.a, 1));
  const __m128i high = _mm_packs_epi32(_mm256_castsi256_si128(x.b),
                                       _mm256_extracti128_si256(x.b, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(low, high));
}
inline uint32_t highest_bits(F32x16 x, F32x16 y) {
  const F32x16 p = abs(x), q = abs(y);
  const __m256i eight = _mm256_max_epu32(
      _mm256_max_epu32(_mm256_castps_si256(p.a), _mm256_castps_si256(p.b)),
      _mm256_max_epu32(_mm256_castps_si256(q.a), _mm256_castps_si256(q.b)));
  const __m128i four = _mm_max_epu32(_mm256_castsi256_si128(eight),
                                     _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(two, _mm_shuffle_epi32(two, 0xb1))));
}

#ifdef __AVXVNNI__
inline constexpr bool kDotIsWide = true;
inline I32x16 dot_bytes(I32x16 acc, U8x64 w, I32x16 four) {
  return {_mm256_dpbusd_avx_epi32(acc.a, w.a, four.a), _mm256_dpbusd_avx_epi32(acc.b, w.b, four.b)};
}
inline I32x16 dot_bytes_wide(I32x16 acc, U8x64 w, I32x16 four) { return dot_bytes(acc, w, four); }
#else
inline constexpr bool kDotIsWide = false;
inline __m256i dot_ymm(__m256i acc, __m256i w, __m256i four, int16_t factor) {
  const __m256i pairs = _mm256_maddubs_epi16(w, four);
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(factor)));
}
inline I32x16 dot_bytes(I32x16 acc, U8x64 w, I32x16 four) {
  return {dot_ymm(acc.a, w.a, four.a, 1), dot_ymm(acc.b, w.b, four.b, 1)};
}
inline I32x16 dot_bytes_wide(I32x16 acc, U8x64 w, I32x16 four) {
  const U8x64 top = and_line(shr_line<7>(w), 1);
  acc = {dot_ymm(acc.a, top.a, four.a, 128), dot_ymm(acc.b, top.b, four.b, 128)};
  return dot_bytes(acc, and_line(w, 127), four);
}
#endif

template <int I>
inline __m256i byte_ymm(__m256i x) {
  return _mm256_and_si256(_mm256_srli_epi32(x, 8 * I), _mm256_set1_epi32(255));
}
template <int I>
inline F32x16 byte_of(U8x64 x) {
  return to_float({byte_ymm<I>(x.a), byte_ymm<I>(x.b)});
}
template <int I>
inline F32x16 signed_byte_of(U8x64 x) {
  return to_float({_mm256_srai_epi32(_mm256_slli_epi32(x.a, 24 - 8 * I), 24),
                   _mm256_srai_epi32(_mm256_slli_epi32(x.b, 24 - 8 * I), 24)});
}
inline __m256 half_power_ymm(__m256i x) {
  const __m256i e = _mm256_and_si256(x, _mm256_set1_epi32(255));
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
  const __m256i tiny = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
  const __m256i small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, tiny, small));
}
inline F32x16 half_power(U8x64 x) { return {half_power_ymm(x.a), half_power_ymm(x.b)}; }
// The low 16 bits of each row's 32, as float16.
inline F32x16 narrow_halves(__m256i a, __m256i b) {
  const __m256i mask = _mm256_set1_epi32(0xffff);
  const __m256i packed = _mm256_packus_epi32(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
  const __m256i ordered = _mm256_permute4x64_epi64(packed, 0xd8);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(ordered)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(ordered, 1))};
}
inline F32x16 halves_low(U8x64 x) { return narrow_halves(x.a, x.b); }
inline F32x16 halves_high(U8x64 x) {
  return narrow_halves(_mm256_srli_epi32(x.a, 16), _mm256_srli_epi32(x.b, 16));
}

}  // namespace hearth::HEARTH_ISA

#endif
