// The vector layer in arrays of 16 (see vec.h). __builtin_fmaf is an instruction where the target
// has one, and otherwise libm's, which is slow and right.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/coefficients.h"

#ifndef HEARTH_ISA
#define HEARTH_ISA plain
#define HEARTH_ISA_LEVEL 0
#endif

namespace hearth::HEARTH_ISA {

struct F32x16 {
  float v[16];
};
struct U8x32 {
  uint8_t v[32];
};
struct Bf16x32 {
  uint16_t v[32];
};

template <class F>
inline F32x16 each(F f) {
  F32x16 out;
  for (int i = 0; i < 16; ++i) out.v[i] = f(i);
  return out;
}

inline uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
inline float float_of(uint32_t x) { return __builtin_bit_cast(float, x); }

inline F32x16 zero() { return F32x16{}; }
inline F32x16 splat(float s) {
  return each([&](int) { return s; });
}
inline F32x16 two_halves(float a, float b) {
  return each([&](int i) { return i < 8 ? a : b; });
}
inline F32x16 load(const float* p) {
  return each([&](int i) { return p[i]; });
}
inline F32x16 load_n(const float* p, int n) {
  return each([&](int i) { return i < n ? p[i] : 0.0f; });
}
inline void store(float* p, F32x16 a) { memcpy(p, a.v, sizeof a.v); }
inline void store_n(float* p, F32x16 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.v[i];
}

inline F32x16 add(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.v[i] - b.v[i]; });
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.v[i] / b.v[i]; });
}
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return each([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
}
inline F32x16 max(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline F32x16 abs(F32x16 a) {
  return each([&](int i) { return float_of(bits_of(a.v[i]) & 0x7fffffffu); });
}
inline F32x16 select_negative(F32x16 z, F32x16 a, F32x16 b) {
  return each([&](int i) { return z.v[i] >= 0.0f ? b.v[i] : a.v[i]; });
}
inline F32x16 select_less(F32x16 x, F32x16 y, F32x16 a, F32x16 b) {
  return each([&](int i) { return x.v[i] < y.v[i] ? a.v[i] : b.v[i]; });
}
inline F32x16 copy_sign(F32x16 magnitude, F32x16 sign) {
  return each([&](int i) {
    return float_of((bits_of(magnitude.v[i]) & 0x7fffffffu) | (bits_of(sign.v[i]) & 0x80000000u));
  });
}
inline F32x16 scale_pow2(F32x16 p, F32x16 shifted) {
  return each([&](int i) {
    const auto whole = static_cast<int32_t>(bits_of(shifted.v[i]) - bits_of(kRoundMagic));
    const uint32_t half = static_cast<uint32_t>(whole >> 1);
    const uint32_t rest = static_cast<uint32_t>(whole) - half;
    return p.v[i] * float_of((half + 127u) << 23) * float_of((rest + 127u) << 23);
  });
}

inline float tree_sum(F32x16 a) {
  for (int step = 8; step >= 1; step /= 2) {
    for (int i = 0; i < step; ++i) a.v[i] += a.v[i + step];
  }
  return a.v[0];
}
inline void tree_sum4(const F32x16* a, float* out) {
  for (int i = 0; i < 4; ++i) out[i] = tree_sum(a[i]);
}
inline void tree_sum8(const F32x16* a, float* out) {
  for (int i = 0; i < 8; ++i) out[i] = tree_sum(a[i]);
}
inline void tree_sum16(const F32x16* a, float* out) {
  for (int i = 0; i < 16; ++i) out[i] = tree_sum(a[i]);
}
inline float max_lane(F32x16 a) {
  float m = a.v[0];
  for (int i = 1; i < 16; ++i) m = a.v[i] > m ? a.v[i] : m;
  return m;
}

inline float f16_to_f32(uint16_t x) {
  const uint32_t sign = (x & 0x8000u) << 16, exponent = x >> 10 & 31u, mantissa = x & 0x3ffu;
  if (exponent == 0) {
    return float_of(sign | bits_of(static_cast<float>(mantissa) * 0x1p-24f));
  }
  if (exponent == 31) {
    return float_of(sign | 0x7f800000u | (mantissa != 0 ? 0x400000u : 0u) | mantissa << 13);
  }
  return float_of(sign | (exponent + 112u) << 23 | mantissa << 13);
}
inline F32x16 cvt_f16(const uint16_t* p) {
  return each([&](int i) { return f16_to_f32(p[i]); });
}
inline F32x16 cvt_bf16(const uint16_t* p) {
  return each([&](int i) { return float_of(static_cast<uint32_t>(p[i]) << 16); });
}
inline F32x16 cvt_i8(const int8_t* p) {
  return each([&](int i) { return static_cast<float>(p[i]); });
}
inline F32x16 cvt_u8(const uint8_t* p) {
  return each([&](int i) { return static_cast<float>(p[i]); });
}

inline uint16_t bf16_of(float x) {
  const uint32_t bits = bits_of(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
inline void to_bf16(F32x16 a, uint16_t* p) {
  for (int i = 0; i < 16; ++i) p[i] = bf16_of(a.v[i]);
}
inline uint16_t f16_of(float x) {
  const uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffffu;
  const uint32_t sign = bits >> 16 & 0x8000u;
  uint32_t out;
  if (magnitude > 0x7f800000u) {
    out = 0x7e00u | (magnitude >> 13 & 0x3ffu);
  } else if (magnitude >= 0x477ff000u) {
    out = 0x7c00u;
  } else if (magnitude < 0x38800000u) {
    out = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u;  // rounds at the spacing 2^-24
  } else {
    out = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13;
  }
  return static_cast<uint16_t>(sign | out);
}
inline void to_f16(F32x16 a, uint16_t* p) {
  for (int i = 0; i < 16; ++i) p[i] = f16_of(a.v[i]);
}

inline void load_pairs(const float* p, F32x16& a, F32x16& b) {
  a = each([&](int i) { return p[2 * i]; });
  b = each([&](int i) { return p[2 * i + 1]; });
}
inline void split_f16(const uint16_t* p, F32x16& a, F32x16& b) {
  a = each([&](int i) { return f16_to_f32(p[2 * i]); });
  b = each([&](int i) { return f16_to_f32(p[2 * i + 1]); });
}
inline void split_bf16(const uint16_t* p, F32x16& a, F32x16& b) {
  a = each([&](int i) { return float_of(static_cast<uint32_t>(p[2 * i]) << 16); });
  b = each([&](int i) { return float_of(static_cast<uint32_t>(p[2 * i + 1]) << 16); });
}
inline void split_i8(const int8_t* p, F32x16& a, F32x16& b) {
  a = each([&](int i) { return static_cast<float>(p[2 * i]); });
  b = each([&](int i) { return static_cast<float>(p[2 * i + 1]); });
}
inline void double_lanes(const float* p, F32x16& a, F32x16& b) {
  a = each([&](int i) { return p[i / 2]; });
  b = each([&](int i) { return p[8 + i / 2]; });
}
inline F32x16 repeat_two(const float* p) {
  return each([&](int i) { return p[i % 2]; });
}
inline void store_pairs(float* p, F32x16 a, F32x16 b) {
  for (int i = 0; i < 16; ++i) {
    p[2 * i] = a.v[i];
    p[2 * i + 1] = b.v[i];
  }
}

template <class F>
inline U8x32 each_byte(F f) {
  U8x32 out;
  for (int i = 0; i < 32; ++i) out.v[i] = static_cast<uint8_t>(f(i));
  return out;
}
inline U8x32 load_bytes(const uint8_t* p) {
  return each_byte([&](int i) { return p[i]; });
}
inline U8x32 and_bytes(U8x32 a, uint8_t mask) {
  return each_byte([&](int i) { return a.v[i] & mask; });
}
inline U8x32 pick_bits(uint8_t mask, U8x32 a, U8x32 b) {
  return each_byte([&](int i) { return (a.v[i] & mask) | (b.v[i] & ~mask); });
}
// No bits of the neighbour here: nobody looks at them.
template <int N>
inline U8x32 shr_words(U8x32 a) {
  return each_byte([&](int i) { return a.v[i] >> N; });
}
template <int N>
inline U8x32 shl_words(U8x32 a) {
  return each_byte([&](int i) { return a.v[i] << N; });
}
inline U8x32 sub_bytes(U8x32 a, uint8_t b) {
  return each_byte([&](int i) { return a.v[i] - b; });
}
inline U8x32 lookup_bytes(const int8_t* table, U8x32 codes) {
  return each_byte([&](int i) { return table[codes.v[i] & 15]; });
}
inline U8x32 nibbles16(const uint8_t* p) {
  return each_byte([&](int i) { return i < 16 ? p[i] : p[i - 16] >> 4; });
}
inline U8x32 bit_bytes(uint32_t mask, uint8_t value) {
  return each_byte([&](int i) { return mask >> i & 1u ? value : 0; });
}
inline F32x16 unsigned_low(U8x32 a) { return cvt_u8(a.v); }
inline F32x16 unsigned_high(U8x32 a) { return cvt_u8(a.v + 16); }
inline F32x16 signed_low(U8x32 a) { return cvt_i8(reinterpret_cast<const int8_t*>(a.v)); }
inline F32x16 signed_high(U8x32 a) { return cvt_i8(reinterpret_cast<const int8_t*>(a.v) + 16); }

inline Bf16x32 load_bf16(const uint16_t* p) {
  Bf16x32 out;
  memcpy(out.v, p, sizeof out.v);
  return out;
}
inline Bf16x32 load_bf16_n(const uint16_t* p, int n) {
  Bf16x32 out = {};
  memcpy(out.v, p, sizeof(uint16_t) * static_cast<unsigned>(n));
  return out;
}
inline void store_bf16(uint16_t* p, Bf16x32 a) { memcpy(p, a.v, sizeof a.v); }
inline Bf16x32 round_bf16(F32x16 low, F32x16 high) {
  Bf16x32 out;
  to_bf16(low, out.v);
  to_bf16(high, out.v + 16);
  return out;
}
inline F32x16 dot_bf16(Bf16x32 a, Bf16x32 b, F32x16 acc) {
  const auto wide = [](uint16_t x) { return float_of(static_cast<uint32_t>(x) << 16); };
  return each([&](int i) {
    const float first = __builtin_fmaf(wide(a.v[2 * i]), wide(b.v[2 * i]), acc.v[i]);
    return __builtin_fmaf(wide(a.v[2 * i + 1]), wide(b.v[2 * i + 1]), first);
  });
}

inline void prefetch(const void*) {}
inline void prefetch_far(const void*) {}
inline void prefetch_to_write(const void*) {}

// How many accumulators fit into registers: the tile of the matrix product (weights by columns),
// and of attention (queries by vectors of keys or of value columns).
inline constexpr int kTileRows = 2, kTileColumns = 2;
inline constexpr int kGemvRows = 4;
inline constexpr int kItemTile = 2, kPanelVectors = 2;

inline F32x16 words_of(Bf16x32 a) { return __builtin_bit_cast(F32x16, a); }
inline F32x16 pair_words(F32x16 even, F32x16 odd) {
  Bf16x32 out;
  for (int i = 0; i < 16; ++i) {
    out.v[2 * i] = bf16_of(even.v[i]);
    out.v[2 * i + 1] = bf16_of(odd.v[i]);
  }
  return words_of(out);
}
inline F32x16 dot_words(F32x16 a, F32x16 b, F32x16 acc) {
  return dot_bf16(__builtin_bit_cast(Bf16x32, a), __builtin_bit_cast(Bf16x32, b), acc);
}

}  // namespace hearth::HEARTH_ISA
