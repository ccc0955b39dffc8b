// Weights to vectors, format by format: struct NAME has block(p, emit), which calls
// emit(i, chunk) for values 32*i ... of the block at p in order. A chunk gives its 32 values as
// low() and high() (16 floats each, bit-equal to encoding->decode) or as bf16() (these rounded).
// A format that is not here goes through encoding->decode.
#pragma once

#include <cstdint>
#include <cstring>

#include "encoding/iq4_nl.h"
#include "encoding/iq4_xs.h"
#include "encoding/mxfp4.h"
#include "encoding/q2_k.h"
#include "encoding/q3_k.h"
#include "encoding/q4_0.h"
#include "encoding/q4_1.h"
#include "encoding/q4_k.h"
#include "encoding/q5_0.h"
#include "encoding/q5_1.h"
#include "encoding/q5_k.h"
#include "encoding/q6_k.h"
#include "encoding/q8_0.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

// The numbers that GGUF gives these formats; the rows of encoding/ carry the same.
enum GgufId : uint32_t {
  kIdF32 = 0, kIdF16 = 1, kIdQ4_0 = 2, kIdQ4_1 = 3, kIdQ5_0 = 6, kIdQ5_1 = 7, kIdQ8_0 = 8,
  kIdQ2_K = 10, kIdQ3_K = 11, kIdQ4_K = 12, kIdQ5_K = 13, kIdQ6_K = 14, kIdIq4Nl = 20,
  kIdIq4Xs = 23, kIdBf16 = 30, kIdMxfp4 = 39,
};

#ifndef HEARTH_HAS_CODE_MAP
// The linear map of a format's codes (0 .. 2^kBits - 1) to weights: scale * (code + kShift), plus
// an offset where the format has one. Wider instruction sets look the few values up in a table.
template <int kBits, int kShift, bool kOffset>
struct CodeMap {
  F32x16 scale, offset;
  CodeMap(float s, float o) : scale(splat(s)), offset(splat(o)) {}
  F32x16 map(F32x16 code) const {
    if constexpr (kShift != 0) code = add(code, splat(static_cast<float>(kShift)));
    const F32x16 scaled = mul(scale, code);
    if constexpr (kOffset) return add(scaled, offset);
    return scaled;
  }
  static U8x32 clean(U8x32 codes) { return and_bytes(codes, (1 << kBits) - 1); }
  F32x16 low(U8x32 codes) const { return map(unsigned_low(clean(codes))); }
  F32x16 high(U8x32 codes) const { return map(unsigned_high(clean(codes))); }
  Bf16x32 bf16(U8x32 codes) const { return round_bf16(low(codes), high(codes)); }
};
#endif

// Codes may carry anything above their bits: a map looks at no more than it needs.
template <class Map>
struct CodedChunk {
  const Map& map;
  U8x32 codes;
  F32x16 low() const { return map.low(codes); }
  F32x16 high() const { return map.high(codes); }
  Bf16x32 bf16() const { return map.bf16(codes); }
};

// Signed bytes, a scale for each half.
struct ScaledChunk {
  F32x16 scale_low, scale_high;
  U8x32 codes;
  F32x16 low() const { return mul(scale_low, signed_low(codes)); }
  F32x16 high() const { return mul(scale_high, signed_high(codes)); }
  Bf16x32 bf16() const { return round_bf16(low(), high()); }
};

inline uint16_t load16(const uint8_t* p) {
  uint16_t out;
  memcpy(&out, p, sizeof out);
  return out;
}
inline uint32_t load32(const uint8_t* p) {
  uint32_t out;
  memcpy(&out, p, sizeof out);
  return out;
}

// The three plain formats, in blocks of 32 values; a shorter end is copied into a padded block.
struct F32 {
  static constexpr int kElems = 32, kBytes = 128, kValueBytes = 4;
  struct Chunk {
    const float* p;
    F32x16 low() const { return load(p); }
    F32x16 high() const { return load(p + 16); }
    Bf16x32 bf16() const { return round_bf16(low(), high()); }
  };
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    emit(0, Chunk{reinterpret_cast<const float*>(p)});
  }
};

struct F16 {
  static constexpr int kElems = 32, kBytes = 64, kValueBytes = 2;
  struct Chunk {
    const uint16_t* p;
    F32x16 low() const { return cvt_f16(p); }
    F32x16 high() const { return cvt_f16(p + 16); }
    Bf16x32 bf16() const { return round_bf16(low(), high()); }
  };
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    emit(0, Chunk{reinterpret_cast<const uint16_t*>(p)});
  }
};

struct Bf16 {
  static constexpr int kElems = 32, kBytes = 64, kValueBytes = 2;
  struct Chunk {
    const uint16_t* p;
    F32x16 low() const { return cvt_bf16(p); }
    F32x16 high() const { return cvt_bf16(p + 16); }
    Bf16x32 bf16() const { return load_bf16(p); }
  };
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    emit(0, Chunk{reinterpret_cast<const uint16_t*>(p)});
  }
};

struct Q8_0 {
  static constexpr int kElems = 32, kBytes = sizeof(BlockQ8_0), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const F32x16 d = splat(f16_to_f32(load16(p)));
    emit(0, ScaledChunk{d, d, load_bytes(p + offsetof(BlockQ8_0, qs))});
  }
};

struct Q4_0 {
  static constexpr int kElems = 32, kBytes = sizeof(BlockQ4_0), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const CodeMap<4, -8, false> map(f16_to_f32(load16(p)), 0.0f);
    emit(0, CodedChunk<CodeMap<4, -8, false>>{map, nibbles16(p + offsetof(BlockQ4_0, qs))});
  }
};

struct Q4_1 {
  static constexpr int kElems = 32, kBytes = sizeof(BlockQ4_1), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const CodeMap<4, 0, true> map(f16_to_f32(load16(p)), f16_to_f32(load16(p + 2)));
    emit(0, CodedChunk<CodeMap<4, 0, true>>{map, nibbles16(p + offsetof(BlockQ4_1, qs))});
  }
};

// Sixteen bytes of nibbles and a fifth bit for each.
inline U8x32 five_bits(const uint8_t* nibbles, const uint8_t* high) {
  return pick_bits(15, nibbles16(nibbles), bit_bytes(load32(high), 16));
}

struct Q5_0 {
  static constexpr int kElems = 32, kBytes = sizeof(BlockQ5_0), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const CodeMap<5, -16, false> map(f16_to_f32(load16(p)), 0.0f);
    emit(0, CodedChunk<CodeMap<5, -16, false>>{
                map, five_bits(p + offsetof(BlockQ5_0, qs), p + offsetof(BlockQ5_0, qh))});
  }
};

struct Q5_1 {
  static constexpr int kElems = 32, kBytes = sizeof(BlockQ5_1), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const CodeMap<5, 0, true> map(f16_to_f32(load16(p)), f16_to_f32(load16(p + 2)));
    emit(0, CodedChunk<CodeMap<5, 0, true>>{
                map, five_bits(p + offsetof(BlockQ5_1, qs), p + offsetof(BlockQ5_1, qh))});
  }
};

// The eight scales and minimums of a Q4_K or Q5_K block: value = scale * code + offset.
struct GroupScales {
  float scale[8], offset[8];
  explicit GroupScales(const uint8_t* block) {
    // Three words to sixteen bytes: scales 0-3 and 4-7, then minimums (layout: scales_6bit.h).
    const uint32_t a = load32(block + 4), b = load32(block + 8), c = load32(block + 12);
    const uint32_t words[4] = {a & 0x3f3f3f3fu, (c & 0x0f0f0f0fu) | (a >> 2 & 0x30303030u),
                               b & 0x3f3f3f3fu, (c >> 4 & 0x0f0f0f0fu) | (b >> 2 & 0x30303030u)};
    const F32x16 factor = two_halves(f16_to_f32(load16(block)), -f16_to_f32(load16(block + 2)));
    store(scale, mul(factor, cvt_u8(reinterpret_cast<const uint8_t*>(words))));
  }
};
static_assert(sizeof(GroupScales) == 64, "written as one vector");
static_assert(offsetof(BlockQ4_K, scales) == 4 && offsetof(BlockQ5_K, scales) == 4);

#ifndef HEARTH_HAS_NIBBLE_PAIRS
// Two groups of 32 codes that share their bytes, where the vector layer knows nothing better.
struct NibblePairs {
  using Map = CodeMap<4, 0, true>;
  Map first, second;
  U8x32 bytes;
  NibblePairs(const float* scale, const float* offset, U8x32 codes)
      : first(scale[0], offset[0]), second(scale[1], offset[1]), bytes(codes) {}
  CodedChunk<Map> low_nibbles() const { return {first, bytes}; }
  CodedChunk<Map> high_nibbles() const { return {second, shr_words<4>(bytes)}; }
};
#endif

struct Q4_K {
  static constexpr int kElems = 256, kBytes = sizeof(BlockQ4_K), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const GroupScales s(p);
    const uint8_t* qs = p + offsetof(BlockQ4_K, qs);
    for (int g = 0; g < 8; g += 2, qs += 32) {
      const NibblePairs pairs(s.scale + g, s.offset + g, load_bytes(qs));
      emit(g, pairs.low_nibbles());
      emit(g + 1, pairs.high_nibbles());
    }
  }
};

struct Q5_K {
  static constexpr int kElems = 256, kBytes = sizeof(BlockQ5_K), kValueBytes = 0;
  using Map = CodeMap<5, 0, true>;
  template <int kGroup>
  static U8x32 fifth(U8x32 high) {  // bit kGroup of each byte, moved to bit 4
    if constexpr (kGroup <= 4) return shl_words<4 - kGroup>(high);
    else return shr_words<kGroup - 4>(high);
  }
  template <int kPair, class Emit>
  static void pair(const GroupScales& s, const uint8_t* qs, U8x32 high, Emit&& emit) {
    constexpr int g = 2 * kPair;
    const U8x32 both = load_bytes(qs + 32 * kPair);
    const Map even(s.scale[g], s.offset[g]), odd(s.scale[g + 1], s.offset[g + 1]);
    emit(g, CodedChunk<Map>{even, pick_bits(15, both, fifth<g>(high))});
    emit(g + 1, CodedChunk<Map>{odd, pick_bits(15, shr_words<4>(both), fifth<g + 1>(high))});
  }
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const GroupScales s(p);
    const uint8_t* qs = p + offsetof(BlockQ5_K, qs);
    const U8x32 high = load_bytes(p + offsetof(BlockQ5_K, qh));
    pair<0>(s, qs, high, emit);
    pair<1>(s, qs, high, emit);
    pair<2>(s, qs, high, emit);
    pair<3>(s, qs, high, emit);
  }
};

struct Q6_K {
  static constexpr int kElems = 256, kBytes = sizeof(BlockQ6_K), kValueBytes = 0;
  template <int kSlot>  // bits 2*kSlot and the next of each byte, moved to bits 4 and 5
  static U8x32 upper(U8x32 high) {
    if constexpr (kSlot <= 2) return shl_words<4 - 2 * kSlot>(high);
    else return shr_words<2>(high);
  }
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    float scale[16];
    store(scale, mul(splat(f16_to_f32(load16(p + offsetof(BlockQ6_K, d)))),
                     cvt_i8(reinterpret_cast<const int8_t*>(p + offsetof(BlockQ6_K, scales)))));
    const auto send = [&](int i, U8x32 codes) {
      const U8x32 signed_codes = sub_bytes(and_bytes(codes, 63), 32);
      emit(i, ScaledChunk{splat(scale[2 * i]), splat(scale[2 * i + 1]), signed_codes});
    };
    for (int half = 0; half < 2; ++half) {
      const uint8_t* ql = p + offsetof(BlockQ6_K, ql) + 64 * half;
      const U8x32 a = load_bytes(ql), b = load_bytes(ql + 32);
      const U8x32 high = load_bytes(p + offsetof(BlockQ6_K, qh) + 32 * half);
      send(4 * half, pick_bits(15, a, upper<0>(high)));
      send(4 * half + 1, pick_bits(15, b, upper<1>(high)));
      send(4 * half + 2, pick_bits(15, shr_words<4>(a), upper<2>(high)));
      send(4 * half + 3, pick_bits(15, shr_words<4>(b), upper<3>(high)));
    }
  }
};

#ifndef HEARTH_HAS_LEVEL_CHUNK
// Codes (their low four bits) that choose from sixteen levels, with a scale and, with kMin, a
// minimum for each half: value = scale * level - min.
template <bool kMin>
struct LevelChunk {
  F32x16 scale[2], min[2];
  U8x32 levels;
  LevelChunk(const int8_t* table, const float* s, const float* m, U8x32 codes)
      : scale{splat(s[0]), splat(s[1])},
        min{splat(m[0]), splat(m[1])},
        levels(lookup_bytes(table, codes)) {}
  F32x16 value(int half, F32x16 level) const {
    const F32x16 scaled = mul(scale[half], level);
    if constexpr (kMin) return sub(scaled, min[half]);
    return scaled;
  }
  F32x16 low() const { return value(0, signed_low(levels)); }
  F32x16 high() const { return value(1, signed_high(levels)); }
  Bf16x32 bf16() const { return round_bf16(low(), high()); }
};
#endif

// One scale and no minimum.
inline LevelChunk<false> level_chunk(const int8_t* levels, const uint8_t* nibbles, float scale) {
  const float both[2] = {scale, scale};
  return {levels, both, both, nibbles16(nibbles)};
}

struct IQ4_NL {
  static constexpr int kElems = 32, kBytes = sizeof(BlockIQ4_NL), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    emit(0, level_chunk(kIq4Levels, p + offsetof(BlockIQ4_NL, qs), f16_to_f32(load16(p))));
  }
};

struct MXFP4 {
  static constexpr int kElems = 32, kBytes = sizeof(BlockMXFP4), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    emit(0, level_chunk(kMxfp4Levels, p + offsetof(BlockMXFP4, qs), mxfp4_half_scale(*p)));
  }
};

struct IQ4_XS {
  static constexpr int kElems = 256, kBytes = sizeof(BlockIQ4_XS), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const uint8_t* low = p + offsetof(BlockIQ4_XS, scales_l);
    const uint8_t* qs = p + offsetof(BlockIQ4_XS, qs);
    const float d = f16_to_f32(load16(p));
    const uint32_t high = load16(p + offsetof(BlockIQ4_XS, scales_h));
    for (int g = 0; g < 8; ++g) {
      const uint32_t scale = (low[g / 2] >> (g % 2 * 4) & 15u) | (high >> (2 * g) & 3u) << 4;
      emit(g, level_chunk(kIq4Levels, qs + 16 * g,
                          d * static_cast<float>(static_cast<int>(scale) - 32)));
    }
  }
};

// Levels of fewer than four bits, repeated, so that what lies above the code does not matter.
inline constexpr int8_t kTwoBits[16] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};
inline constexpr int8_t kThreeBits[16] = {-4, -3, -2, -1, 0, 1, 2, 3, -4, -3, -2, -1, 0, 1, 2, 3};

struct Q2_K {
  static constexpr int kElems = 256, kBytes = sizeof(BlockQ2_K), kValueBytes = 0;
  template <class Emit>
  static void block(const uint8_t* p, Emit&& emit) {
    const uint8_t* packed = p + offsetof(BlockQ2_K, scales);
    const U8x32 clean = and_bytes(nibbles16(packed), 15);  // scales, then minimums
    float scale[16], min[16];
    store(scale, mul(splat(f16_to_f32(load16(p + offsetof(BlockQ2_K, d)))), unsigned_low(clean)));
    store(min, mul(splat(f16_to_f32(load16(p + offsetof(BlockQ2_K, dmin)))),
                   unsigned_high(clean)));
    const auto send = [&](int i, U8x32 codes) {
      emit(i, LevelChunk<true>(kTwoBits, scale + 2 * i, min + 2 * i, codes));
    };
    for (int half = 0; half < 2; ++half) {
      const U8x32 codes = load_bytes(p + offsetof(BlockQ2_K, qs) + 32 * half);
      send(4 * half, codes);
      send(4 * half + 1, shr_words<2>(codes));
      send(4 * half + 2, shr_words<4>(codes));
      send(4 * half + 3, shr_words<6>(codes));
    }
  }
};

struct Q3_K {
  static constexpr int kElems = 256, kBytes = sizeof(BlockQ3_K), kValueBytes = 0;
  struct Scales {
    float of[16];
    explicit Scales(const uint8_t* p) {
      const uint8_t* s = p + offsetof(BlockQ3_K, scales);
      const uint32_t a = load32(s), b = load32(s + 4), c = load32(s + 8);
      const uint32_t words[4] = {(a & 0x0f0f0f0fu) | (c << 4 & 0x30303030u),
                                 (b & 0x0f0f0f0fu) | (c << 2 & 0x30303030u),
                                 (a >> 4 & 0x0f0f0f0fu) | (c & 0x30303030u),
                                 (b >> 4 & 0x0f0f0f0fu) | (c >> 2 & 0x30303030u)};
      const F32x16 whole = sub(cvt_u8(reinterpret_cast<const uint8_t*>(words)), splat(32.0f));
      store(of, mul(splat(f16_to_f32(load16(p + offsetof(BlockQ3_K, d)))), whole));
    }
  };
  template <int kChunk>  // bit kChunk of each byte, moved to bit 2
  static U8x32 third(U8x32 mask) {
    if constexpr (kChunk <= 2) return shl_words<2 - kChunk>(mask);
    else return shr_words<kChunk - 2>(mask);
  }
  template <int kChunk, class Emit>
  static void chunk(const Scales& scales, U8x32 codes, U8x32 mask, Emit&& emit) {
    const float* scale = scales.of + 2 * kChunk;
    emit(kChunk, LevelChunk<false>(kThreeBits, scale, scale,
                                   pick_bits(3, codes, third<kChunk>(mask))));
  }
  // Inlined by force: a decoder that is called keeps the accumulators in memory.
  template <class Emit>
  [[gnu::always_inline]] static void block(const uint8_t* p, Emit&& emit) {
    const Scales scales(p);
    const U8x32 mask = load_bytes(p + offsetof(BlockQ3_K, hmask));
    const U8x32 a = load_bytes(p + offsetof(BlockQ3_K, qs));
    const U8x32 b = load_bytes(p + offsetof(BlockQ3_K, qs) + 32);
    chunk<0>(scales, a, mask, emit);
    chunk<1>(scales, shr_words<2>(a), mask, emit);
    chunk<2>(scales, shr_words<4>(a), mask, emit);
    chunk<3>(scales, shr_words<6>(a), mask, emit);
    chunk<4>(scales, b, mask, emit);
    chunk<5>(scales, shr_words<2>(b), mask, emit);
    chunk<6>(scales, shr_words<4>(b), mask, emit);
    chunk<7>(scales, shr_words<6>(b), mask, emit);
  }
};

}  // namespace hearth::HEARTH_ISA
