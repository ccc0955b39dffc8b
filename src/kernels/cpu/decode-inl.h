// Weights to vectors, format by format: struct NAME has block(p, emit), which calls
// emit(i, chunk) for values 32*i ... of the block at p in order. A chunk gives its 32 values as
// low() and high() (16 floats each, bit-equal to encoding->decode) or as bf16() (these rounded).
// A format that is not here goes through encoding->decode.
#pragma once

#include <cstdint>
#include <cstring>

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
  kIdQ4_K = 12, kIdQ5_K = 13, kIdQ6_K = 14, kIdBf16 = 30,
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

}  // namespace hearth::HEARTH_ISA
