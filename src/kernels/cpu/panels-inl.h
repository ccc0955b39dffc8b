// Weights to panels, format by format, for the integer products: blocks of 16 rows become lines of
// their codes as unsigned bytes, with a scale for each row and group of values:
//   weight = scale * (code - offset), or scale * code + bias.
// struct NAME has the sizes of its block, kGroup (values under one scale: 16 or 32), kOffsetBits
// (offset = 2^kOffsetBits, or no offset when 0), kBias, and block(rows, out), which reads a block
// of each row. The readable truth is encoding->decode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "encoding/encoding.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/lines.h"

namespace hearth::HEARTH_ISA {

// A decoder gives a block as scales and biases, which come before the lines of their groups, and
// units: unit<kCount>(group, f) calls f(lines) once for the lines of kCount groups from `group` on,
// in which they are numbered from 0 on. Units come in order.
//
// This one puts them into a piece (where those of kPanels panels lie side by side). `ahead` is
// memory that will be wanted next: as many bytes are fetched there as are read, little by little,
// for a burst would hold up the reads.
struct PanelBlock {
  uint8_t* lines;
  float* scales;
  float* biases;
  const uint8_t* ahead;
  int group_lines;
  template <int kCount, class F>
  void unit(int, F f) {
    f(*this);
    lines += kCount * group_lines * kPanels * 64;
  }
  void line(int i, U8x64 v) const { store_line(lines + i * kPanels * 64, v); }
  // Two lines: of the low halves of bytes and of the high.
  void nibbles(int low, int high, U8x64 packed) const {
    line(low, and_line(packed, 15));
    line(high, and_line(shr_line<4>(packed), 15));
  }
  void scale(int group, F32x16 v) const { store(scales + group * kPanels * 16, v); }
  void bias(int group, F32x16 v) const { store(biases + group * kPanels * 16, v); }
};

inline void fetch_line(auto& out, int64_t bytes) {
  prefetch(out.ahead);
  out.ahead += bytes;
}

// Sixteen bytes of each of 16 rows.
HEARTH_INLINE inline void take_lines(Rows rows, int64_t at, auto& out, U8x64* lines) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) fetch_line(out, 64);
  load_lines(rows, at, lines);
}

// Thirty-two bytes of each.
HEARTH_INLINE inline void take_wide(Rows rows, int64_t at, auto& out, U8x64* lines) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) fetch_line(out, 64);
  load_wide(rows, at, lines);
}

// Four bytes of each of 16 rows, which begin or end 16 bytes of a block.
inline U8x64 first_words(Rows rows, int64_t at, auto& out) {
  U8x64 lines[4];
  fetch_line(out, 64);
  load_lines(rows, at, lines);
  return lines[0];
}
inline U8x64 last_words(Rows rows, int64_t end, auto& out) {
  U8x64 lines[4];
  fetch_line(out, 64);
  load_lines(rows, end - 16, lines);
  return lines[3];
}
// Two bytes of each, as float16.
inline F32x16 first_halves(Rows rows, int64_t at, auto& out) {
  U8x64 lines[4];
  fetch_line(out, 32);
  load_lines(rows, at, lines);
  return halves_low(lines[0]);
}
inline F32x16 last_halves(Rows rows, int64_t end, auto& out) {
  U8x64 lines[4];
  fetch_line(out, 32);
  load_lines(rows, end - 16, lines);
  return halves_high(lines[3]);
}

// All words of 16 rows' blocks of kBytes, which end with a word.
template <int kBytes>
HEARTH_INLINE inline void take_words(Rows rows, auto& out, U8x64* words) {
  static_assert(kBytes % 4 == 0 && kBytes >= 32);
#pragma GCC unroll 2
  for (int at = 0; at + 32 <= kBytes; at += 32) take_wide(rows, at, out, words + at / 4);
  constexpr int kLeft = kBytes % 32 / 4;
  if constexpr (kLeft > 0) {
    static_assert(kLeft <= 4);
    U8x64 last[4];
#pragma GCC unroll 4
    for (int i = 0; i < kLeft; ++i) fetch_line(out, 64);
    load_lines(rows, kBytes - 16, last);
#pragma GCC unroll 4
    for (int i = 0; i < kLeft; ++i) words[kBytes / 4 - kLeft + i] = last[4 - kLeft + i];
  }
}
// Four bytes or a float16 at an even byte of these.
HEARTH_INLINE inline U8x64 word_at(const U8x64* words, int byte) {
  const U8x64* w = words + byte / 4;
  return byte % 4 == 0 ? w[0] : join_halves(w[0], w[1]);
}
HEARTH_INLINE inline F32x16 half_at(const U8x64* words, int byte) {
  return byte % 4 == 0 ? halves_low(words[byte / 4]) : halves_high(words[byte / 4]);
}

// Four digits of x in all lanes.
inline I32x16 four_digits(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return int_splat(four);
}

// f(i, byte i of every row) for the four bytes of a line.
template <class F>
inline void each_byte(U8x64 line, F f) {
  f(0, byte_of<0>(line));
  f(1, byte_of<1>(line));
  f(2, byte_of<2>(line));
  f(3, byte_of<3>(line));
}

// The small formats have blocks of 32 values, of which two neighbours take half the loads of one
// and one (put_pair, below): put(b, out, half, word) gives block b of them, of which half(at) and
// word(at) are the float16 and the four bytes at byte `at`.
//
// What follows puts the lines of a group; word(i) are bytes 4i .. 4i + 3 of its codes.
//
// Sixteen bytes of nibbles: the low ones first, the high ones 16 values later.
HEARTH_INLINE inline void put_nibbles(int group, auto& out, auto word) {
  out.template unit<1>(group, [&](auto& lines) HEARTH_INLINE {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) lines.nibbles(i, 4 + i, word(i));
  });
}

struct PanelQ4_0 : Q4_0 {
  static constexpr int kGroup = 32, kOffsetBits = 3, kCodes = int{offsetof(BlockQ4_0, qs)};
  static constexpr bool kBias = false;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    out.scale(0, first_halves(rows, 0, out));
    U8x64 codes[4];
    take_lines(rows, kCodes, out, codes);
    put_nibbles(0, out, [&](int i) HEARTH_INLINE { return codes[i]; });
  }
  HEARTH_INLINE static void put(int b, auto& out, auto half, auto word) {
    out.scale(b, half(0));
    put_nibbles(b, out, [&](int i) HEARTH_INLINE { return word(kCodes + 4 * i); });
  }
};

struct PanelQ4_1 : Q4_1 {
  static constexpr int kGroup = 32, kOffsetBits = 0, kCodes = int{offsetof(BlockQ4_1, qs)};
  static constexpr bool kBias = true;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    const U8x64 both = first_words(rows, 0, out);
    out.scale(0, halves_low(both));
    out.bias(0, halves_high(both));
    U8x64 codes[4];
    take_lines(rows, kCodes, out, codes);
    put_nibbles(0, out, [&](int i) HEARTH_INLINE { return codes[i]; });
  }
  HEARTH_INLINE static void put(int b, auto& out, auto half, auto word) {
    out.scale(b, half(0));
    out.bias(b, half(2));
    put_nibbles(b, out, [&](int i) HEARTH_INLINE { return word(kCodes + 4 * i); });
  }
};

// Sixteen bytes of nibbles and, in `high`, four of fifth bits.
template <int kLine>
HEARTH_INLINE inline void put_five(U8x64 packed, U8x64 high, auto& lines) {
  lines.line(kLine, raise_by_bits<4 * kLine>(and_line(packed, 15), high));
  lines.line(kLine + 4, raise_by_bits<4 * kLine + 16>(and_line(shr_line<4>(packed), 15), high));
}
HEARTH_INLINE inline void put_fives(int group, auto& out, U8x64 high, auto word) {
  out.template unit<1>(group, [&](auto& lines) HEARTH_INLINE {
    put_five<0>(word(0), high, lines);
    put_five<1>(word(1), high, lines);
    put_five<2>(word(2), high, lines);
    put_five<3>(word(3), high, lines);
  });
}

struct PanelQ5_0 : Q5_0 {
  static constexpr int kGroup = 32, kOffsetBits = 4;
  static constexpr int kHigh = int{offsetof(BlockQ5_0, qh)}, kCodes = int{offsetof(BlockQ5_0, qs)};
  static constexpr bool kBias = false;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    out.scale(0, first_halves(rows, 0, out));
    U8x64 codes[4];
    take_lines(rows, kCodes, out, codes);
    put_fives(0, out, first_words(rows, kHigh, out),
              [&](int i) HEARTH_INLINE { return codes[i]; });
  }
  HEARTH_INLINE static void put(int b, auto& out, auto half, auto word) {
    out.scale(b, half(0));
    put_fives(b, out, word(kHigh),
              [&](int i) HEARTH_INLINE { return word(kCodes + 4 * i); });
  }
};

struct PanelQ5_1 : Q5_1 {
  static constexpr int kGroup = 32, kOffsetBits = 0;
  static constexpr int kHigh = int{offsetof(BlockQ5_1, qh)}, kCodes = int{offsetof(BlockQ5_1, qs)};
  static constexpr bool kBias = true;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    const U8x64 both = first_words(rows, 0, out);
    out.scale(0, halves_low(both));
    out.bias(0, halves_high(both));
    U8x64 codes[4];
    take_lines(rows, kCodes, out, codes);
    put_fives(0, out, first_words(rows, kHigh, out),
              [&](int i) HEARTH_INLINE { return codes[i]; });
  }
  HEARTH_INLINE static void put(int b, auto& out, auto half, auto word) {
    out.scale(b, half(0));
    out.bias(b, half(2));
    put_fives(b, out, word(kHigh),
              [&](int i) HEARTH_INLINE { return word(kCodes + 4 * i); });
  }
};

// Thirty-two signed bytes.
HEARTH_INLINE inline void put_bytes(int group, auto& out, auto word) {
  out.template unit<1>(group, [&](auto& lines) HEARTH_INLINE {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) lines.line(i, flip_line(word(i), 128));
  });
}

struct PanelQ8_0 : Q8_0 {
  static constexpr int kGroup = 32, kOffsetBits = 7, kCodes = int{offsetof(BlockQ8_0, qs)};
  static constexpr bool kBias = false;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    out.scale(0, first_halves(rows, 0, out));
    U8x64 codes[8];
    take_wide(rows, kCodes, out, codes);
    put_bytes(0, out, [&](int i) HEARTH_INLINE { return codes[i]; });
  }
  HEARTH_INLINE static void put(int b, auto& out, auto half, auto word) {
    out.scale(b, half(0));
    put_bytes(b, out, [&](int i) HEARTH_INLINE { return word(kCodes + 4 * i); });
  }
};

// Levels raised to unsigned bytes.
struct RaisedLevels {
  uint8_t of[16];
  constexpr RaisedLevels(const int8_t* levels, int by) : of() {
    for (int i = 0; i < 16; ++i) of[i] = static_cast<uint8_t>(levels[i] + by);
  }
};
inline constexpr RaisedLevels kIq4Raised(kIq4Levels, 128), kMxfp4Raised(kMxfp4Levels, 16);

HEARTH_INLINE inline void put_levels(const uint8_t* levels, int group, auto& out, auto word) {
  out.template unit<1>(group, [&](auto& lines) HEARTH_INLINE {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const U8x64 packed = word(i);
      lines.line(i, lookup_line(levels, packed));
      lines.line(4 + i, lookup_line(levels, shr_line<4>(packed)));
    }
  });
}

struct PanelIQ4_NL : IQ4_NL {
  static constexpr int kGroup = 32, kOffsetBits = 7, kCodes = int{offsetof(BlockIQ4_NL, qs)};
  static constexpr bool kBias = false;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    out.scale(0, first_halves(rows, 0, out));
    U8x64 codes[4];
    take_lines(rows, kCodes, out, codes);
    put_levels(kIq4Raised.of, 0, out, [&](int i) HEARTH_INLINE { return codes[i]; });
  }
  HEARTH_INLINE static void put(int b, auto& out, auto half, auto word) {
    out.scale(b, half(0));
    put_levels(kIq4Raised.of, b, out,
               [&](int i) HEARTH_INLINE { return word(kCodes + 4 * i); });
  }
};

struct PanelMXFP4 : MXFP4 {
  static constexpr int kGroup = 32, kOffsetBits = 4;
  static constexpr bool kBias = false;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    U8x64 header[4];
    load_lines(rows, 0, header);
    out.scale(0, half_power(header[0]));
    fetch_line(out, 16);
    U8x64 codes[4];
    take_lines(rows, int64_t{offsetof(BlockMXFP4, qs)}, out, codes);
    put_levels(kMxfp4Raised.of, 0, out, [&](int i) HEARTH_INLINE { return codes[i]; });
  }
};

struct PanelIQ4_XS : IQ4_XS {
  static constexpr int kGroup = 32, kOffsetBits = 7;
  static constexpr bool kBias = false;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    U8x64 header[4];
    take_lines(rows, 0, out, header);
    const F32x16 d = halves_low(header[0]);
    scales<0>(d, header, out);
    scales<1>(d, header, out);
    scales<2>(d, header, out);
    scales<3>(d, header, out);
    for (int pair = 0; pair < 4; ++pair) {
      out.template unit<2>(2 * pair, [&](auto& lines) HEARTH_INLINE {
        U8x64 packed[8];
        take_wide(rows, int64_t{offsetof(BlockIQ4_XS, qs)} + 32 * pair, out, packed);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
          const int line = 8 * (i / 4) + i % 4;
          lines.line(line, lookup_line(kIq4Raised.of, packed[i]));
          lines.line(line + 4, lookup_line(kIq4Raised.of, shr_line<4>(packed[i])));
        }
      });
    }
  }
  template <int kPair>
  static void scales(F32x16 d, const U8x64* header, auto& out) {
    // In the lowest byte: the pair's four lower bits each, then its two upper bits each.
    const U8x64 low = shr_line<8 * kPair>(header[1]);
    const U8x64 high = shr_line<16 + 4 * kPair>(header[0]);
    const U8x64 even = pick_line(15, low, shl_line<4>(and_line(high, 3)));
    const U8x64 odd = pick_line(15, shr_line<4>(low), shl_line<2>(and_line(high, 12)));
    out.scale(2 * kPair, mul(d, sub(byte_of<0>(even), splat(32.0f))));
    out.scale(2 * kPair + 1, mul(d, sub(byte_of<0>(odd), splat(32.0f))));
  }
};

// The header of Q4_K and Q5_K: d, dmin, and eight pairs of six-bit scale and minimum.
HEARTH_INLINE inline void put_group_scales(Rows rows, auto& out) {
  U8x64 h[4];
  take_lines(rows, 0, out, h);
  const F32x16 d = halves_low(h[0]), dmin = sub(zero(), halves_high(h[0]));
  const U8x64 upper = and_line(shr_line<2>(h[1]), 0x30);
  const U8x64 upper_min = and_line(shr_line<2>(h[2]), 0x30);
  const U8x64 scale[2] = {and_line(h[1], 63), pick_line(15, h[3], upper)};
  const U8x64 min[2] = {and_line(h[2], 63), pick_line(15, shr_line<4>(h[3]), upper_min)};
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    each_byte(scale[half], [&](int i, F32x16 v) { out.scale(4 * half + i, mul(d, v)); });
    each_byte(min[half], [&](int i, F32x16 v) { out.bias(4 * half + i, mul(dmin, v)); });
  }
}

struct PanelQ4_K : Q4_K {
  static constexpr int kGroup = 32, kOffsetBits = 0;
  static constexpr bool kBias = true;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    put_group_scales(rows, out);
    const int64_t qs = int64_t{offsetof(BlockQ4_K, qs)};
    for (int pair = 0; pair < 4; ++pair) {
      out.template unit<2>(2 * pair, [&](auto& lines) HEARTH_INLINE {
        U8x64 packed[8];
        take_wide(rows, qs + 32 * pair, out, packed);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) lines.nibbles(i, 8 + i, packed[i]);
      });
    }
  }
};

struct PanelQ5_K : Q5_K {
  static constexpr int kGroup = 32, kOffsetBits = 0;
  static constexpr bool kBias = true;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    put_group_scales(rows, out);
    const int64_t qs = int64_t{offsetof(BlockQ5_K, qs)};
    const int64_t qh = int64_t{offsetof(BlockQ5_K, qh)};
    U8x64 high[8];  // the pair's two bits lowest
    take_wide(rows, qh, out, high);
    for (int pair = 0; pair < 4; ++pair) {
      out.template unit<2>(2 * pair, [&](auto& lines) HEARTH_INLINE {
        U8x64 packed[8];
        take_wide(rows, qs + 32 * pair, out, packed);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
          lines.line(i, pick_line(15, packed[i], and_line(shl_line<4>(high[i]), 16)));
          lines.line(i + 8, pick_line(15, shr_line<4>(packed[i]),
                                      and_line(shl_line<3>(high[i]), 16)));
          high[i] = shr_line<2>(high[i]);
        }
      });
    }
  }
};

struct PanelQ6_K : Q6_K {
  static constexpr int kGroup = 16, kOffsetBits = 5;
  static constexpr bool kBias = false;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    const F32x16 d = last_halves(rows, kBytes, out);
    U8x64 scales[4];
    take_lines(rows, int64_t{offsetof(BlockQ6_K, scales)}, out, scales);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      out.scale(4 * i, mul(d, signed_byte_of<0>(scales[i])));
      out.scale(4 * i + 1, mul(d, signed_byte_of<1>(scales[i])));
      out.scale(4 * i + 2, mul(d, signed_byte_of<2>(scales[i])));
      out.scale(4 * i + 3, mul(d, signed_byte_of<3>(scales[i])));
    }
    for (int half = 0; half < 2; ++half) {
      out.template unit<8>(8 * half, [&](auto& lines) HEARTH_INLINE {
        const int64_t ql = int64_t{offsetof(BlockQ6_K, ql)} + 64 * half;
        U8x64 a[8], b[8], high[8];
        take_wide(rows, ql, out, a);
        take_wide(rows, ql + 32, out, b);
        take_wide(rows, int64_t{offsetof(BlockQ6_K, qh)} + 32 * half, out, high);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
          const auto put = [&](int slot, U8x64 low, U8x64 up) HEARTH_INLINE {
            lines.line(i + 8 * slot, pick_line(15, low, and_line(up, 0x30)));
          };
          put(0, a[i], shl_line<4>(high[i]));
          put(1, b[i], shl_line<2>(high[i]));
          put(2, shr_line<4>(a[i]), high[i]);
          put(3, shr_line<4>(b[i]), shr_line<2>(high[i]));
        }
      });
    }
  }
};

struct PanelQ2_K : Q2_K {
  static constexpr int kGroup = 16, kOffsetBits = 0;
  static constexpr bool kBias = true;
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    const U8x64 both = last_words(rows, kBytes, out);
    const F32x16 d = halves_low(both), dmin = sub(zero(), halves_high(both));
    U8x64 scales[4];
    take_lines(rows, int64_t{offsetof(BlockQ2_K, scales)}, out, scales);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      each_byte(and_line(scales[i], 15),
                [&](int j, F32x16 v) { out.scale(4 * i + j, mul(d, v)); });
      each_byte(and_line(shr_line<4>(scales[i]), 15),
                [&](int j, F32x16 v) { out.bias(4 * i + j, mul(dmin, v)); });
    }
    for (int half = 0; half < 2; ++half) {
      out.template unit<8>(8 * half, [&](auto& lines) HEARTH_INLINE {
        U8x64 codes[8];
        take_wide(rows, int64_t{offsetof(BlockQ2_K, qs)} + 32 * half, out, codes);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
          lines.line(i, and_line(codes[i], 3));
          lines.line(i + 8, and_line(shr_line<2>(codes[i]), 3));
          lines.line(i + 16, and_line(shr_line<4>(codes[i]), 3));
          lines.line(i + 24, and_line(shr_line<6>(codes[i]), 3));
        }
      });
    }
  }
};

struct PanelQ3_K : Q3_K {
  static constexpr int kGroup = 16, kOffsetBits = 2;
  static constexpr bool kBias = false;
  // Four groups: the lower bits of their scales at bit kLow of each byte, the upper at kHigh.
  static void put_scales(F32x16 d, U8x64 low, U8x64 high, int group, auto& out) {
    const U8x64 six = pick_line(15, low, and_line(high, 0x30));
    each_byte(six, [&](int i, F32x16 v) { out.scale(group + i, mul(d, sub(v, splat(32.0f)))); });
  }
  HEARTH_INLINE static void block(Rows rows, auto& out) {
    const F32x16 d = last_halves(rows, kBytes, out);
    const int64_t scales = int64_t{offsetof(BlockQ3_K, scales)};
    U8x64 lines[4];  // of which the last three are the scales
    load_lines(rows, scales - 4, lines);
    for (int i = 0; i < 3; ++i) fetch_line(out, 64);
    const U8x64 a = lines[1], b = lines[2], c = lines[3];
    put_scales(d, a, shl_line<4>(c), 0, out);
    put_scales(d, b, shl_line<2>(c), 4, out);
    put_scales(d, shr_line<4>(a), c, 8, out);
    put_scales(d, shr_line<4>(b), shr_line<2>(c), 12, out);
    U8x64 high[8];  // the half's four bits lowest
    take_wide(rows, int64_t{offsetof(BlockQ3_K, hmask)}, out, high);
    for (int half = 0; half < 2; ++half) {
      out.template unit<8>(8 * half, [&](auto& lines) HEARTH_INLINE {
        U8x64 codes[8];
        take_wide(rows, int64_t{offsetof(BlockQ3_K, qs)} + 32 * half, out, codes);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
          const auto put = [&](int slot, U8x64 low, U8x64 up) HEARTH_INLINE {
            lines.line(i + 8 * slot, pick_line(3, low, and_line(up, 4)));
          };
          put(0, codes[i], shl_line<2>(high[i]));
          put(1, shr_line<2>(codes[i]), shl_line<1>(high[i]));
          put(2, shr_line<4>(codes[i]), high[i]);
          put(3, shr_line<6>(codes[i]), shr_line<1>(high[i]));
          high[i] = shr_line<4>(high[i]);
        }
      });
    }
  }
};

// Any format that its row can take apart (encoding->unpack): readable code makes the codes, and
// only the transposition is fast.
struct PanelUnpacked {
  static constexpr int kElems = 256, kGroup = 16, kOffsetBits = 6;
  static constexpr bool kBias = false;
  static void block(const Encoding& encoding, Rows rows, PanelBlock& out) {
    int8_t codes[16][kElems];
    float scales[16][kElems / kGroup];
    for (int r = 0; r < 16; ++r)
      encoding.unpack(reinterpret_cast<const std::byte*>(rows[r]), codes[r], scales[r]);
    const Rows unpacked = {reinterpret_cast<const uint8_t*>(codes[0]), kElems};
    out.unit<kElems / kGroup>(0, [&](auto& to) {
      for (int g = 0; g < kElems / kGroup; ++g) {
        float scale[16];
        for (int r = 0; r < 16; ++r) scale[r] = scales[r][g];
        out.scale(g, load(scale));
        U8x64 lines[4];
        load_lines(unpacked, 16 * g, lines);
        for (int i = 0; i < 4; ++i) to.line(4 * g + i, add_line(lines[i], 1 << kOffsetBits));
      }
    });
  }
};

// Whether a format takes two blocks at once, and how many groups it gives at once at most.
template <class Format>
inline constexpr bool kHasPair = requires(PanelBlock& out) {
  Format::put(0, out, [](int) { return F32x16(); }, [](int) { return U8x64(); });
};
template <class Format>
inline constexpr int kGroupsAtOnce =
    int{Format::kElems} / int{Format::kGroup} * (kHasPair<Format> ? 2 : 1);

template <class Format>
HEARTH_INLINE inline void put_pair(Rows rows, auto& out) {
  U8x64 words[2 * Format::kBytes / 4];
  take_words<2 * Format::kBytes>(rows, out, words);
#pragma GCC unroll 2
  for (int b = 0; b < 2; ++b) {
    const int first = b * int{Format::kBytes};
    Format::put(b, out, [&](int at) HEARTH_INLINE { return half_at(words, first + at); },
                [&](int at) HEARTH_INLINE { return word_at(words, first + at); });
  }
}

// Gives `blocks` blocks to `out`; done(n) after every n of them.
template <class Format>
HEARTH_INLINE inline void put_blocks(Rows rows, int64_t blocks, auto& out, auto done) {
  if constexpr (kHasPair<Format>) {
    for (; blocks >= 2; blocks -= 2, rows.first += 2 * Format::kBytes) {
      put_pair<Format>(rows, out);
      done(2);
    }
  }
  for (; blocks > 0; --blocks, rows.first += Format::kBytes) {
    Format::block(rows, out);
    done(1);
  }
}

}  // namespace hearth::HEARTH_ISA
