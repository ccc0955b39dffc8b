// Thirty-two bytes in one AVX2 register: the byte part of the vector layer for AVX2 and AVX-512.
#pragma once

#ifdef __AVX2__

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#ifndef HEARTH_ISA
#define HEARTH_ISA avx2
#define HEARTH_ISA_LEVEL 1
#endif

namespace hearth::HEARTH_ISA {

struct U8x32 {
  __m256i v;
};

inline __m128i load_quarter(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
inline U8x32 load_bytes(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
inline U8x32 and_bytes(U8x32 a, uint8_t mask) {
  return {_mm256_and_si256(a.v, _mm256_set1_epi8(static_cast<char>(mask)))};
}
inline U8x32 pick_bits(uint8_t mask, U8x32 a, U8x32 b) {
  const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
  return {_mm256_or_si256(_mm256_and_si256(m, a.v), _mm256_andnot_si256(m, b.v))};
}
template <int N>
inline U8x32 shr_words(U8x32 a) {
  return {_mm256_srli_epi16(a.v, N)};
}
template <int N>
inline U8x32 shl_words(U8x32 a) {
  return {_mm256_slli_epi16(a.v, N)};
}
inline U8x32 sub_bytes(U8x32 a, uint8_t b) {
  return {_mm256_sub_epi8(a.v, _mm256_set1_epi8(static_cast<char>(b)))};
}
inline U8x32 lookup_bytes(const int8_t* table, U8x32 codes) {
  const __m256i both = _mm256_broadcastsi128_si256(load_quarter(table));
  return {_mm256_shuffle_epi8(both, and_bytes(codes, 15).v)};
}
inline U8x32 nibbles16(const uint8_t* p) {
  const __m128i both = load_quarter(p);
  return {_mm256_inserti128_si256(_mm256_castsi128_si256(both), _mm_srli_epi16(both, 4), 1)};
}

}  // namespace hearth::HEARTH_ISA

#endif
