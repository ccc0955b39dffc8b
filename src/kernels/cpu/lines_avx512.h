// Lines on AVX-512, with VNNI where the file is compiled for it (see lines.h).
#pragma once

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/cpu/rows.h"
#include "kernels/cpu/vec_avx512.h"

namespace hearth::HEARTH_ISA {

inline constexpr int kPanels = 2;       // of 16 rows side by side
inline constexpr int kMaxTileColumns = 6;

struct U8x64 {
  __m512i v;
};
struct I32x16 {
  __m512i v;
};

// In every lane of 16 bytes: word j of a[i] becomes word i of out[j].
inline void turn_words(const __m512i* a, U8x64* out) {
  const __m512i ab_low = _mm512_unpacklo_epi32(a[0], a[1]);
  const __m512i ab_high = _mm512_unpackhi_epi32(a[0], a[1]);
  const __m512i cd_low = _mm512_unpacklo_epi32(a[2], a[3]);
  const __m512i cd_high = _mm512_unpackhi_epi32(a[2], a[3]);
  out[0].v = _mm512_unpacklo_epi64(ab_low, cd_low);
  out[1].v = _mm512_unpackhi_epi64(ab_low, cd_low);
  out[2].v = _mm512_unpacklo_epi64(ab_high, cd_high);
  out[3].v = _mm512_unpackhi_epi64(ab_high, cd_high);
}
// Sixteen bytes of rows 0, 4, 8 and 12 from `first` on.
inline __m512i four_chunks(const uint8_t* first, int64_t stride) {
  const uint8_t *b = first + 4 * stride, *c = first + 8 * stride, *d = c + 4 * stride;
  const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(load_quarter(first)),
                                         load_quarter(b), 1);
  return _mm512_inserti32x4(_mm512_inserti32x4(low, load_quarter(c), 2), load_quarter(d), 3);
}
inline void load_lines(Rows rows, int64_t at, U8x64* out) {
  __m512i a[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) a[i] = four_chunks(rows[i] + at, rows.stride);
  turn_words(a, out);
}
// Thirty-two bytes of each of 16 rows: half the loads, and each lane of 16 bytes changes its place
// once.
inline __m512i two_rows(const uint8_t* first, const uint8_t* second) {
  return _mm512_inserti64x4(
      _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(first))),
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second)), 1);
}
inline void load_wide(Rows rows, int64_t at, U8x64* out) {
  U8x64 part[2][4];  // [rows 0 - 7 or 8 - 15][words j and 4 + j]
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    __m512i a[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const uint8_t* row = rows.first + at + i * rows.stride + 8 * h * rows.stride;
      a[i] = two_rows(row, row + 4 * rows.stride);
    }
    turn_words(a, part[h]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    out[j].v = _mm512_shuffle_i32x4(part[0][j].v, part[1][j].v, 0x88);
    out[4 + j].v = _mm512_shuffle_i32x4(part[0][j].v, part[1][j].v, 0xdd);
  }
}
inline U8x64 load_line(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store_line(uint8_t* p, U8x64 a) { _mm512_storeu_si512(p, a.v); }
inline __m512i all_bytes(uint8_t b) { return _mm512_set1_epi8(static_cast<char>(b)); }
inline U8x64 and_line(U8x64 a, uint8_t mask) { return {_mm512_and_si512(a.v, all_bytes(mask))}; }
inline U8x64 flip_line(U8x64 a, uint8_t mask) { return {_mm512_xor_si512(a.v, all_bytes(mask))}; }
inline U8x64 add_line(U8x64 a, uint8_t b) { return {_mm512_add_epi8(a.v, all_bytes(b))}; }
// The upper halves of a's words below the lower halves of b's.
inline U8x64 join_halves(U8x64 a, U8x64 b) {
  const __m512i both = _mm512_mask_blend_epi16(0x55555555, a.v, b.v);
  return {_mm512_rol_epi32(both, 16)};
}
template <int N>
inline U8x64 shr_line(U8x64 a) {
  return {_mm512_srli_epi32(a.v, N)};
}
template <int N>
inline U8x64 shl_line(U8x64 a) {
  return {_mm512_slli_epi32(a.v, N)};
}
inline U8x64 pick_line(uint8_t mask, U8x64 a, U8x64 b) {
  return {_mm512_ternarylogic_epi32(all_bytes(mask), a.v, b.v, 0xca)};
}
inline U8x64 lookup_line(const uint8_t* table, U8x64 codes) {
  const __m512i wide = _mm512_broadcast_i32x4(load_quarter(table));
  return {_mm512_shuffle_epi8(wide, and_line(codes, 15).v)};
}
// Each row's byte with the bits goes to all its four bytes, of which each tests its own bit.
template <int N>
inline U8x64 raise_by_bits(U8x64 codes, U8x64 bits) {
  const __m512i index =
      _mm512_broadcast_i32x4(_mm_set_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0));
  const __m512i byte =
      _mm512_shuffle_epi8(bits.v, _mm512_or_si512(index, all_bytes(N / 8)));
  const __mmask64 set =
      _mm512_test_epi8_mask(byte, _mm512_set1_epi32(N % 8 == 0 ? 0x08040201 : 0x80402010));
  return {_mm512_mask_add_epi8(codes.v, set, codes.v, all_bytes(16))};
}

inline I32x16 int_zero() { return {_mm512_setzero_si512()}; }
inline I32x16 int_splat(int32_t i) { return {_mm512_set1_epi32(i)}; }
inline I32x16 int_add(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline F32x16 to_float(I32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
template <int N>
inline I32x16 int_shl(I32x16 a) {
  return {_mm512_slli_epi32(a.v, N)};
}
template <int N>
inline I32x16 int_sar(I32x16 a) {
  return {_mm512_srai_epi32(a.v, N)};
}
inline I32x16 int_sub(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
inline int32_t int_sum(I32x16 a) { return _mm512_reduce_add_epi32(a.v); }
inline I32x16 round_int(F32x16 a) { return {_mm512_cvtps_epi32(a.v)}; }
inline void store_digits(int8_t* p, I32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
inline uint32_t highest_bits(F32x16 a, F32x16 b) {
  const __m512i both = _mm512_max_epu32(_mm512_castps_si512(abs(a).v),
                                        _mm512_castps_si512(abs(b).v));
  return _mm512_reduce_max_epu32(both);
}

#ifdef __AVX512VNNI__
inline constexpr bool kDotIsWide = true;
inline I32x16 dot_bytes(I32x16 acc, U8x64 w, I32x16 four) {
  return {_mm512_dpbusd_epi32(acc.v, w.v, four.v)};
}
inline I32x16 dot_bytes_wide(I32x16 acc, U8x64 w, I32x16 four) { return dot_bytes(acc, w, four); }
#else
inline constexpr bool kDotIsWide = false;
inline I32x16 dot_bytes(I32x16 acc, U8x64 w, I32x16 four) {
  const __m512i pairs = _mm512_maddubs_epi16(w.v, four.v);
  return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))};
}
inline I32x16 dot_bytes_wide(I32x16 acc, U8x64 w, I32x16 four) {
  const __m512i top = _mm512_and_si512(_mm512_srli_epi16(w.v, 7), all_bytes(1));
  const __m512i ones = _mm512_maddubs_epi16(top, four.v);
  acc.v = _mm512_add_epi32(acc.v, _mm512_madd_epi16(ones, _mm512_set1_epi16(128)));
  return dot_bytes(acc, and_line(w, 127), four);
}
#endif

template <int I>
inline F32x16 byte_of(U8x64 a) {
  const __m512i moved = I == 0 ? a.v : _mm512_srli_epi32(a.v, 8 * I);
  return {_mm512_cvtepi32_ps(I == 3 ? moved : _mm512_and_si512(moved, _mm512_set1_epi32(255)))};
}
template <int I>
inline F32x16 signed_byte_of(U8x64 a) {
  const __m512i moved = I == 3 ? a.v : _mm512_slli_epi32(a.v, 24 - 8 * I);
  return {_mm512_cvtepi32_ps(_mm512_srai_epi32(moved, 24))};
}
inline F32x16 half_power(U8x64 a) {
  const __m512i e = _mm512_and_si512(a.v, _mm512_set1_epi32(255));
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
  const __m512i tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
  const __mmask16 small = _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2));
  return {_mm512_castsi512_ps(_mm512_mask_blend_epi32(small, normal, tiny))};
}
inline F32x16 halves_low(U8x64 a) { return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))}; }
inline F32x16 halves_high(U8x64 a) {
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(a.v, 16)))};
}

}  // namespace hearth::HEARTH_ISA

#endif
