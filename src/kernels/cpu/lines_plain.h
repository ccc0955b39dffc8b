// Lines without vector instructions (see lines.h).
#pragma once

#include <cstdint>
#include <cstring>

#include "encoding/mxfp4.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/vec_plain.h"

namespace hearth::HEARTH_ISA {

inline constexpr int kPanels = 1;
inline constexpr int kMaxTileColumns = 2;

struct U8x64 {
  uint32_t row[16];  // four bytes each
};
struct I32x16 {
  int32_t lane[16];
};

template <class F>
inline U8x64 each_row(F f) {
  U8x64 out;
  for (int r = 0; r < 16; ++r) out.row[r] = f(r);
  return out;
}
template <class F>
inline I32x16 each_int(F f) {
  I32x16 out;
  for (int r = 0; r < 16; ++r) out.lane[r] = f(r);
  return out;
}

inline void load_lines(Rows rows, int64_t at, U8x64* out) {
  for (int j = 0; j < 4; ++j) {
    for (int r = 0; r < 16; ++r) memcpy(&out[j].row[r], rows[r] + at + 4 * j, 4);
  }
}
inline void load_wide(Rows rows, int64_t at, U8x64* out) {
  load_lines(rows, at, out);
  load_lines(rows, at + 16, out + 4);
}
inline U8x64 load_line(const uint8_t* p) {
  U8x64 out;
  memcpy(&out, p, sizeof out);
  return out;
}
inline void store_line(uint8_t* p, const U8x64& a) { memcpy(p, &a, sizeof a); }
inline uint32_t four_of(uint8_t b) { return b * 0x01010101u; }
inline U8x64 and_line(const U8x64& a, uint8_t mask) {
  return each_row([&](int r) { return a.row[r] & four_of(mask); });
}
inline U8x64 flip_line(const U8x64& a, uint8_t mask) {
  return each_row([&](int r) { return a.row[r] ^ four_of(mask); });
}
inline U8x64 add_line(const U8x64& a, uint8_t b) {  // no carry from byte to byte
  return each_row([&](int r) {
    const uint32_t low = four_of(127);
    return ((a.row[r] & low) + (four_of(b) & low)) ^ ((a.row[r] ^ four_of(b)) & ~low);
  });
}
inline U8x64 join_halves(const U8x64& a, const U8x64& b) {
  return each_row([&](int r) { return a.row[r] >> 16 | b.row[r] << 16; });
}
template <int N>
inline U8x64 shr_line(const U8x64& a) {
  return each_row([&](int r) { return a.row[r] >> N; });
}
template <int N>
inline U8x64 shl_line(const U8x64& a) {
  return each_row([&](int r) { return a.row[r] << N; });
}
inline U8x64 pick_line(uint8_t mask, const U8x64& a, const U8x64& b) {
  const uint32_t m = four_of(mask);
  return each_row([&](int r) { return (a.row[r] & m) | (b.row[r] & ~m); });
}
inline U8x64 lookup_line(const uint8_t* table, const U8x64& codes) {
  return each_row([&](int r) {
    uint32_t out = 0;
    for (int i = 0; i < 32; i += 8) out |= uint32_t{table[codes.row[r] >> i & 15]} << i;
    return out;
  });
}
// A number of four bits times this has bit i at bit 4 of byte i; no two products meet.
inline constexpr uint32_t kSpreadToBit4 = 1u << 4 | 1u << 11 | 1u << 18 | 1u << 25;
template <int N>
inline U8x64 raise_by_bits(const U8x64& codes, const U8x64& bits) {
  return each_row([&](int r) {
    return codes.row[r] + ((bits.row[r] >> N & 15u) * kSpreadToBit4 & four_of(16));
  });
}

inline I32x16 int_zero() { return {}; }
inline I32x16 int_splat(int32_t i) {
  return each_int([&](int) { return i; });
}
inline I32x16 int_add(const I32x16& a, const I32x16& b) {
  return each_int([&](int r) { return a.lane[r] + b.lane[r]; });
}
inline F32x16 to_float(const I32x16& a) {
  float out[16];
  for (int r = 0; r < 16; ++r) out[r] = static_cast<float>(a.lane[r]);
  return load(out);
}
template <int N>
inline I32x16 int_shl(const I32x16& a) {
  return each_int([&](int r) {
    return static_cast<int32_t>(static_cast<uint32_t>(a.lane[r]) << N);
  });
}
template <int N>
inline I32x16 int_sar(const I32x16& a) {
  return each_int([&](int r) { return a.lane[r] >> N; });
}
inline I32x16 int_sub(const I32x16& a, const I32x16& b) {
  return each_int([&](int r) { return a.lane[r] - b.lane[r]; });
}
inline int32_t int_sum(const I32x16& a) {
  int32_t sum = 0;
  for (int r = 0; r < 16; ++r) sum += a.lane[r];
  return sum;
}
inline I32x16 round_int(const F32x16& a) {
  float all[16];
  store(all, a);
  return each_int([&](int r) {
    // |x| < 2^22 here: the sum has no bits left for a fraction.
    return static_cast<int32_t>((all[r] + kRoundMagic) - kRoundMagic);
  });
}
inline void store_digits(int8_t* p, const I32x16& a) {
  for (int r = 0; r < 16; ++r) p[r] = static_cast<int8_t>(a.lane[r]);
}
inline uint32_t highest_bits(const F32x16& a, const F32x16& b) {
  float all[32];
  store(all, abs(a));
  store(all + 16, abs(b));
  uint32_t highest = 0;
  for (int i = 0; i < 32; ++i) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, all[i]);
    if (bits > highest) highest = bits;
  }
  return highest;
}

inline constexpr bool kDotIsWide = true;
inline I32x16 dot_bytes(const I32x16& acc, const U8x64& w, const I32x16& four) {
  return each_int([&](int r) {
    int32_t sum = acc.lane[r];
    for (int i = 0; i < 32; i += 8) {
      sum += static_cast<int32_t>(w.row[r] >> i & 255) *
             static_cast<int8_t>(static_cast<uint32_t>(four.lane[r]) >> i & 255);
    }
    return sum;
  });
}
inline I32x16 dot_bytes_wide(const I32x16& acc, const U8x64& w, const I32x16& four) {
  return dot_bytes(acc, w, four);
}

template <int I>
inline F32x16 byte_of(const U8x64& a) {
  return to_float(each_int([&](int r) { return static_cast<int32_t>(a.row[r] >> 8 * I & 255); }));
}
template <int I>
inline F32x16 signed_byte_of(const U8x64& a) {
  return to_float(each_int([&](int r) { return int32_t{static_cast<int8_t>(a.row[r] >> 8 * I)}; }));
}
inline F32x16 half_power(const U8x64& a) {
  float out[16];
  for (int r = 0; r < 16; ++r) out[r] = mxfp4_half_scale(static_cast<uint8_t>(a.row[r]));
  return load(out);
}
inline F32x16 halves(const U8x64& a, int shift) {
  float out[16];
  for (int r = 0; r < 16; ++r) out[r] = f16_to_f32(static_cast<uint16_t>(a.row[r] >> shift));
  return load(out);
}
inline F32x16 halves_low(const U8x64& a) { return halves(a, 0); }
inline F32x16 halves_high(const U8x64& a) { return halves(a, 16); }

}  // namespace hearth::HEARTH_ISA
