// Weights to panels, format by format, for the integer products: blocks of 16 rows become lines of
// their codes as unsigned bytes, with a scale for each row and group of values:
//   weight = scale * (code - offset), or scale * code + bias.
// struct NAME has the sizes of its block, kGroup (values under one scale: 16 or 32), kOffsetBits
// (offset = 2^kOffsetBits, or no offset when 0), kBias, and block(rows, at, out), which reads the
// block at byte `at` of each row. The readable truth is encoding->decode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "encoding/encoding.h"
#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/lines.h"

namespace hearth::HEARTH_ISA {

// Where a block's lines and scales go (those of kPanels panels lie side by side), and the memory
// that will be wanted next: as many bytes are fetched there as are read, little by little, for a
// burst would hold up the reads.
struct PanelBlock {
  uint8_t* lines;
  float* scales;
  float* biases;
  const uint8_t* ahead;
  void line(int i, U8x64 v) const { store_line(lines + i * kPanels * 64, v); }
  void scale(int group, F32x16 v) const { store(scales + group * kPanels * 16, v); }
  void bias(int group, F32x16 v) const { store(biases + group * kPanels * 16, v); }
};

inline void fetch_line(PanelBlock& out, int64_t bytes) {
  prefetch(out.ahead);
  out.ahead += bytes;
}

// Sixteen bytes of each of 16 rows.
inline void take_lines(const uint8_t* const* rows, int64_t at, PanelBlock& out, U8x64* lines) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) fetch_line(out, 64);
  load_lines(rows, at, lines);
}

// Two or four bytes of each of 16 rows.
inline F32x16 row_halves(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
  fetch_line(out, 32);
  return load_halves(rows, at);
}
inline U8x64 row_words(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
  fetch_line(out, 64);
  return load_words(rows, at);
}

// f(i, byte i of every row) for the four bytes of a line.
template <class F>
inline void each_byte(U8x64 line, F f) {
  f(0, byte_of<0>(line));
  f(1, byte_of<1>(line));
  f(2, byte_of<2>(line));
  f(3, byte_of<3>(line));
}

// Sixteen bytes of nibbles: the low ones first, the high ones 16 values later.
inline void put_nibbles(const uint8_t* const* rows, int64_t at, PanelBlock& out, int line) {
  U8x64 packed[4];
  take_lines(rows, at, out, packed);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    out.line(line + i, and_line(packed[i], 15));
    out.line(line + 4 + i, and_line(shr_line<4>(packed[i]), 15));
  }
}

struct PanelQ4_0 : Q4_0 {
  static constexpr int kGroup = 32, kOffsetBits = 3;
  static constexpr bool kBias = false;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    out.scale(0, row_halves(rows, at, out));
    put_nibbles(rows, at + int64_t{offsetof(BlockQ4_0, qs)}, out, 0);
  }
};

struct PanelQ4_1 : Q4_1 {
  static constexpr int kGroup = 32, kOffsetBits = 0;
  static constexpr bool kBias = true;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    const U8x64 both = row_words(rows, at, out);
    out.scale(0, halves_low(both));
    out.bias(0, halves_high(both));
    put_nibbles(rows, at + int64_t{offsetof(BlockQ4_1, qs)}, out, 0);
  }
};

// Sixteen bytes of nibbles and four of fifth bits.
template <int kLine>
inline void put_five(const U8x64* packed, U8x64 high, PanelBlock& out) {
  out.line(kLine, pick_line(16, spread_bits<4 * kLine>(high), and_line(packed[kLine], 15)));
  out.line(kLine + 4, pick_line(16, spread_bits<4 * kLine + 16>(high),
                                and_line(shr_line<4>(packed[kLine]), 15)));
}
inline void put_fives(const uint8_t* const* rows, int64_t nibbles, int64_t high,
                      PanelBlock& out) {
  U8x64 packed[4];
  take_lines(rows, nibbles, out, packed);
  const U8x64 bits = row_words(rows, high, out);
  put_five<0>(packed, bits, out);
  put_five<1>(packed, bits, out);
  put_five<2>(packed, bits, out);
  put_five<3>(packed, bits, out);
}

struct PanelQ5_0 : Q5_0 {
  static constexpr int kGroup = 32, kOffsetBits = 4;
  static constexpr bool kBias = false;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    out.scale(0, row_halves(rows, at, out));
    put_fives(rows, at + int64_t{offsetof(BlockQ5_0, qs)}, at + int64_t{offsetof(BlockQ5_0, qh)},
              out);
  }
};

struct PanelQ5_1 : Q5_1 {
  static constexpr int kGroup = 32, kOffsetBits = 0;
  static constexpr bool kBias = true;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    const U8x64 both = row_words(rows, at, out);
    out.scale(0, halves_low(both));
    out.bias(0, halves_high(both));
    put_fives(rows, at + int64_t{offsetof(BlockQ5_1, qs)}, at + int64_t{offsetof(BlockQ5_1, qh)},
              out);
  }
};

struct PanelQ8_0 : Q8_0 {
  static constexpr int kGroup = 32, kOffsetBits = 7;
  static constexpr bool kBias = false;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    out.scale(0, row_halves(rows, at, out));
    const int64_t qs = at + int64_t{offsetof(BlockQ8_0, qs)};
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      U8x64 codes[4];
      take_lines(rows, qs + 16 * half, out, codes);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) out.line(4 * half + i, flip_line(codes[i], 128));
    }
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

inline void put_levels(const uint8_t* levels, const uint8_t* const* rows, int64_t at,
                       PanelBlock& out, int line) {
  U8x64 packed[4];
  take_lines(rows, at, out, packed);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    out.line(line + i, lookup_line(levels, packed[i]));
    out.line(line + 4 + i, lookup_line(levels, shr_line<4>(packed[i])));
  }
}

struct PanelIQ4_NL : IQ4_NL {
  static constexpr int kGroup = 32, kOffsetBits = 7;
  static constexpr bool kBias = false;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    out.scale(0, row_halves(rows, at, out));
    put_levels(kIq4Raised.of, rows, at + int64_t{offsetof(BlockIQ4_NL, qs)}, out, 0);
  }
};

struct PanelMXFP4 : MXFP4 {
  static constexpr int kGroup = 32, kOffsetBits = 4;
  static constexpr bool kBias = false;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    float scale[16];
    for (int r = 0; r < 16; ++r) scale[r] = mxfp4_half_scale(rows[r][at]);
    out.scale(0, load(scale));
    put_levels(kMxfp4Raised.of, rows, at + int64_t{offsetof(BlockMXFP4, qs)}, out, 0);
  }
};

struct PanelIQ4_XS : IQ4_XS {
  static constexpr int kGroup = 32, kOffsetBits = 7;
  static constexpr bool kBias = false;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    U8x64 header[4];
    take_lines(rows, at, out, header);
    const F32x16 d = halves_low(header[0]);
    scales<0>(d, header, out);
    scales<1>(d, header, out);
    scales<2>(d, header, out);
    scales<3>(d, header, out);
    for (int g = 0; g < 8; ++g) {
      put_levels(kIq4Raised.of, rows, at + int64_t{offsetof(BlockIQ4_XS, qs)} + 16 * g, out, 8 * g);
    }
  }
  template <int kPair>
  static void scales(F32x16 d, const U8x64* header, PanelBlock& out) {
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
inline void put_group_scales(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
  U8x64 h[4];
  take_lines(rows, at, out, h);
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
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    put_group_scales(rows, at, out);
    const int64_t qs = at + int64_t{offsetof(BlockQ4_K, qs)};
    for (int pair = 0; pair < 4; ++pair) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        U8x64 packed[4];
        take_lines(rows, qs + 32 * pair + 16 * half, out, packed);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          const int line = 16 * pair + 4 * half + i;
          out.line(line, and_line(packed[i], 15));
          out.line(line + 8, and_line(shr_line<4>(packed[i]), 15));
        }
      }
    }
  }
};

struct PanelQ5_K : Q5_K {
  static constexpr int kGroup = 32, kOffsetBits = 0;
  static constexpr bool kBias = true;
  // Bit kBit of every byte, moved to bit 4.
  template <int kBit>
  static U8x64 to_bit4(U8x64 a) {
    if constexpr (kBit <= 4) return shl_line<4 - kBit>(a);
    else return shr_line<kBit - 4>(a);
  }
  template <int kPair>
  static void pair(const uint8_t* const* rows, int64_t qs, const U8x64* high,
                   PanelBlock& out) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      U8x64 packed[4];
      take_lines(rows, qs + 32 * kPair + 16 * half, out, packed);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const int line = 16 * kPair + 4 * half + i;
        const U8x64 bits = high[4 * half + i];
        out.line(line, pick_line(15, packed[i], and_line(to_bit4<2 * kPair>(bits), 16)));
        out.line(line + 8, pick_line(15, shr_line<4>(packed[i]),
                                     and_line(to_bit4<2 * kPair + 1>(bits), 16)));
      }
    }
  }
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    put_group_scales(rows, at, out);
    const int64_t qs = at + int64_t{offsetof(BlockQ5_K, qs)};
    const int64_t qh = at + int64_t{offsetof(BlockQ5_K, qh)};
    U8x64 high[8];
    take_lines(rows, qh, out, high);
    take_lines(rows, qh + 16, out, high + 4);
    pair<0>(rows, qs, high, out);
    pair<1>(rows, qs, high, out);
    pair<2>(rows, qs, high, out);
    pair<3>(rows, qs, high, out);
  }
};

struct PanelQ6_K : Q6_K {
  static constexpr int kGroup = 16, kOffsetBits = 5;
  static constexpr bool kBias = false;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    const F32x16 d = row_halves(rows, at + int64_t{offsetof(BlockQ6_K, d)}, out);
    U8x64 scales[4];
    take_lines(rows, at + int64_t{offsetof(BlockQ6_K, scales)}, out, scales);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      out.scale(4 * i, mul(d, signed_byte_of<0>(scales[i])));
      out.scale(4 * i + 1, mul(d, signed_byte_of<1>(scales[i])));
      out.scale(4 * i + 2, mul(d, signed_byte_of<2>(scales[i])));
      out.scale(4 * i + 3, mul(d, signed_byte_of<3>(scales[i])));
    }
    for (int part = 0; part < 4; ++part) {  // of 64 values: 32 * half, 16 * (part & 1) on
      const int64_t half = part / 2, sixteen = part % 2;
      const int64_t ql = at + int64_t{offsetof(BlockQ6_K, ql)} + 64 * half + 16 * sixteen;
      const int64_t qh = at + int64_t{offsetof(BlockQ6_K, qh)} + 32 * half + 16 * sixteen;
      U8x64 a[4], b[4], high[4];
      take_lines(rows, ql, out, a);
      take_lines(rows, ql + 32, out, b);
      take_lines(rows, qh, out, high);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const int line = static_cast<int>(32 * half + 4 * sixteen) + i;
        const auto put = [&](int slot, U8x64 low, U8x64 up) {
          out.line(line + 8 * slot, pick_line(15, low, and_line(up, 0x30)));
        };
        put(0, a[i], shl_line<4>(high[i]));
        put(1, b[i], shl_line<2>(high[i]));
        put(2, shr_line<4>(a[i]), high[i]);
        put(3, shr_line<4>(b[i]), shr_line<2>(high[i]));
      }
    }
  }
};

struct PanelQ2_K : Q2_K {
  static constexpr int kGroup = 16, kOffsetBits = 0;
  static constexpr bool kBias = true;
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    const U8x64 both = row_words(rows, at + int64_t{offsetof(BlockQ2_K, d)}, out);
    const F32x16 d = halves_low(both), dmin = sub(zero(), halves_high(both));
    U8x64 scales[4];
    take_lines(rows, at + int64_t{offsetof(BlockQ2_K, scales)}, out, scales);
    for (int i = 0; i < 4; ++i) {
      each_byte(and_line(scales[i], 15),
                [&](int j, F32x16 v) { out.scale(4 * i + j, mul(d, v)); });
      each_byte(and_line(shr_line<4>(scales[i]), 15),
                [&](int j, F32x16 v) { out.bias(4 * i + j, mul(dmin, v)); });
    }
    for (int part = 0; part < 4; ++part) {
      U8x64 codes[4];
      take_lines(rows, at + int64_t{offsetof(BlockQ2_K, qs)} + 16 * part, out, codes);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const int line = 32 * (part / 2) + 4 * (part % 2) + i;
        out.line(line, and_line(codes[i], 3));
        out.line(line + 8, and_line(shr_line<2>(codes[i]), 3));
        out.line(line + 16, and_line(shr_line<4>(codes[i]), 3));
        out.line(line + 24, and_line(shr_line<6>(codes[i]), 3));
      }
    }
  }
};

struct PanelQ3_K : Q3_K {
  static constexpr int kGroup = 16, kOffsetBits = 2;
  static constexpr bool kBias = false;
  // Four groups: the lower bits of their scales at bit kLow of each byte, the upper at kHigh.
  static void put_scales(F32x16 d, U8x64 low, U8x64 high, int group, PanelBlock& out) {
    const U8x64 six = pick_line(15, low, and_line(high, 0x30));
    each_byte(six, [&](int i, F32x16 v) { out.scale(group + i, mul(d, sub(v, splat(32.0f)))); });
  }
  // Bit kBit of every byte, moved to bit 2.
  template <int kBit>
  static U8x64 to_bit2(U8x64 a) {
    if constexpr (kBit <= 2) return shl_line<2 - kBit>(a);
    else return shr_line<kBit - 2>(a);
  }
  template <int kHalf>
  static void half(const uint8_t* const* rows, int64_t qs, const U8x64* high,
                   PanelBlock& out) {
    for (int sixteen = 0; sixteen < 2; ++sixteen) {
      U8x64 codes[4];
      take_lines(rows, qs + 32 * kHalf + 16 * sixteen, out, codes);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const U8x64 bits = high[4 * sixteen + i];
        const int line = 32 * kHalf + 4 * sixteen + i;
        const auto put = [&](int slot, U8x64 low, U8x64 up) {
          out.line(line + 8 * slot, pick_line(3, low, and_line(up, 4)));
        };
        put(0, codes[i], to_bit2<4 * kHalf>(bits));
        put(1, shr_line<2>(codes[i]), to_bit2<4 * kHalf + 1>(bits));
        put(2, shr_line<4>(codes[i]), to_bit2<4 * kHalf + 2>(bits));
        put(3, shr_line<6>(codes[i]), to_bit2<4 * kHalf + 3>(bits));
      }
    }
  }
  static void block(const uint8_t* const* rows, int64_t at, PanelBlock& out) {
    const F32x16 d = row_halves(rows, at + int64_t{offsetof(BlockQ3_K, d)}, out);
    const int64_t scales = at + int64_t{offsetof(BlockQ3_K, scales)};
    const U8x64 a = row_words(rows, scales, out), b = row_words(rows, scales + 4, out);
    const U8x64 c = row_words(rows, scales + 8, out);
    put_scales(d, a, shl_line<4>(c), 0, out);
    put_scales(d, b, shl_line<2>(c), 4, out);
    put_scales(d, shr_line<4>(a), c, 8, out);
    put_scales(d, shr_line<4>(b), shr_line<2>(c), 12, out);
    U8x64 high[8];
    take_lines(rows, at + int64_t{offsetof(BlockQ3_K, hmask)}, out, high);
    take_lines(rows, at + int64_t{offsetof(BlockQ3_K, hmask)} + 16, out, high + 4);
    half<0>(rows, at + int64_t{offsetof(BlockQ3_K, qs)}, high, out);
    half<1>(rows, at + int64_t{offsetof(BlockQ3_K, qs)}, high, out);
  }
};

// Any format that its row can take apart (encoding->unpack): readable code makes the codes, and
// only the transposition is fast.
struct PanelUnpacked {
  static constexpr int kElems = 256, kGroup = 16, kOffsetBits = 6;
  static constexpr bool kBias = false;
  static void block(const Encoding& encoding, const uint8_t* const* rows, int64_t at,
                    PanelBlock& out) {
    int8_t codes[16][kElems];
    float scales[16][kElems / kGroup];
    const uint8_t* unpacked[16];
    for (int r = 0; r < 16; ++r) {
      encoding.unpack(reinterpret_cast<const std::byte*>(rows[r] + at), codes[r], scales[r]);
      unpacked[r] = reinterpret_cast<const uint8_t*>(codes[r]);
    }
    for (int g = 0; g < kElems / kGroup; ++g) {
      float scale[16];
      for (int r = 0; r < 16; ++r) scale[r] = scales[r][g];
      out.scale(g, load(scale));
      U8x64 lines[4];
      load_lines(unpacked, 16 * g, lines);
      for (int i = 0; i < 4; ++i) out.line(4 * g + i, add_line(lines[i], 1 << kOffsetBits));
    }
  }
};

}  // namespace hearth::HEARTH_ISA
