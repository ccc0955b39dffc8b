// The integer matrix product for one row of x (generation): lines go from the decoder straight into
// products, without a rest in memory. Sums and their order are those of int8_matmul-inl.h.
#pragma once

#include <cstdint>

#include "encoding/encoding.h"
#include "kernels/api.h"
#include "kernels/cpu/panels-inl.h"

namespace hearth::HEARTH_ISA {

// Products of first digits wait until the last digits of their piece are summed.
struct LateProducts {
  struct {
    alignas(64) float scale[16], sum[16];
  } of[kIntegerPiece / 16];
  int count;
  void add(F32x16 scale, F32x16 sum) {
    store(of[count].scale, scale);
    store(of[count].sum, sum);
    ++count;
  }
};

// The lines of kCount groups become sums: with the digits of x, or with its first digits too.
template <class Format, int kCount, bool kFirst>
struct LineSums {
  static constexpr int kLines = Format::kGroup / 4;
  const ActivationBlock* x;  // the first group's block
  const FirstDigits* first;
  I32x16 of[kCount], firsts[kCount];
  I32x16 high[kCount], high_firsts[kCount];  // sixteenfold, without offset

  static constexpr int which(int group) { return Format::kGroup == 32 ? 0 : 1 + group % 2; }
  static constexpr int block(int group) { return group * Format::kGroup / 32; }

  HEARTH_INLINE void begin() {
#pragma GCC unroll 8
    for (int g = 0; g < kCount; ++g) {
      of[g] = start(x[block(g)].minus[which(g)]);
      if constexpr (kFirst) firsts[g] = start(first[block(g)].minus[which(g)]);
      high[g] = high_firsts[g] = int_zero();
    }
  }
  HEARTH_INLINE static I32x16 start(int32_t minus) {
    if constexpr (Format::kOffsetBits == 0) return int_zero();
    else return int_shl<Format::kOffsetBits>(int_splat(minus));
  }
  HEARTH_INLINE static I32x16 dot(I32x16 sum, U8x64 line, const int8_t* digits) {
    const I32x16 four = four_digits(digits);
    // A byte of more than seven bits times a whole digit can overflow where the dot is not wide.
    if constexpr (Format::kOffsetBits == 7) return dot_bytes_wide(sum, line, four);
    else return dot_bytes(sum, line, four);
  }
  HEARTH_INLINE void add(int i, U8x64 line, I32x16* to, I32x16* to_first) {
    const int g = i / kLines, at = 4 * (i % 8);
    to[g] = dot(to[g], line, x[i / 8].digits + at);
    if constexpr (kFirst) to_first[g] = dot(to_first[g], line, first[i / 8].digits + at);
  }
  HEARTH_INLINE void line(int i, U8x64 v) { add(i, v, of, firsts); }
  HEARTH_INLINE void nibbles(int low, int up, U8x64 packed) {
    line(low, and_line(packed, 15));
    // The shift of every line becomes one of the sum.
    if constexpr (kDotIsWide) add(up, and_line(packed, 0xf0), high, high_firsts);
    else line(up, and_line(shr_line<4>(packed), 15));
  }
  HEARTH_INLINE F32x16 sum(int g) const { return to_float(int_add(of[g], int_sar<4>(high[g]))); }
  HEARTH_INLINE F32x16 first_sum(int g) const {
    return to_float(int_add(firsts[g], int_sar<4>(high_firsts[g])));
  }
};

// A row of x from a piece of k on.
struct RowOfX {
  const ActivationBlock* x;
  const FirstDigits* first;
  uint32_t mask;  // bit i: whether block i of the piece has first digits
};

// What takes a decoder's units (see PanelBlock).
template <class Format>
struct RowProducts {
  static constexpr int kGroups = Format::kElems / Format::kGroup;
  const uint8_t* ahead;
  RowOfX row;
  F32x16 acc;
  LateProducts* late;
  F32x16 *scales, *biases;  // [kGroups]: apart, so that all else can stay in registers

  HEARTH_INLINE void scale(int group, F32x16 v) { scales[group] = v; }
  HEARTH_INLINE void bias(int group, F32x16 v) { biases[group] = v; }
  template <int kCount, class F>
  HEARTH_INLINE void unit(int group, F f) {
    constexpr int kBlocks = kCount * Format::kGroup / 32;
    constexpr uint32_t kMask = (1u << kBlocks) - 1;
    if ((row.mask & kMask) != 0) products<kCount, true>(group, f);
    else products<kCount, false>(group, f);
    row = {row.x + kBlocks, row.first + kBlocks, row.mask >> kBlocks};
  }
  template <int kCount, bool kFirst, class F>
  HEARTH_INLINE void products(int group, F f) {
    using Sums = LineSums<Format, kCount, kFirst>;
    Sums s;
    s.x = row.x;
    s.first = row.first;
    s.begin();
    f(s);
#pragma GCC unroll 8
    for (int g = 0; g < kCount; ++g) {
      const F32x16 scale = scales[group + g];
      const ActivationBlock& b = s.x[Sums::block(g)];
      acc = fma(mul(scale, splat(b.scale)), s.sum(g), acc);
      if constexpr (Format::kBias)
        acc = fma(biases[group + g], splat(b.sums[Sums::which(g)]), acc);
      if constexpr (kFirst) {
        if ((row.mask >> Sums::block(g) & 1u) != 0)
          late->add(mul(scale, splat(s.first[Sums::block(g)].scale)), s.first_sum(g));
      }
    }
  }
};

// sums[row] += `blocks` blocks of 16 rows of weights, the values of one piece at most; from `ahead`
// on, which moves, as many bytes are fetched.
template <class Format>
void row_products(Rows rows, int64_t blocks, RowOfX x, float* sums, const uint8_t*& ahead) {
  LateProducts late;
  late.count = 0;
  F32x16 scales[RowProducts<Format>::kGroups], biases[RowProducts<Format>::kGroups];
  RowProducts<Format> out = {ahead, x, load(sums), &late, scales, biases};
  for (int64_t b = 0; b < blocks; ++b, rows.first += Format::kBytes) Format::block(rows, out);
  for (int i = 0; i < late.count; ++i)
    out.acc = fma(load(late.of[i].scale), load(late.of[i].sum), out.acc);
  store(sums, out.acc);
  ahead = out.ahead;
}

}  // namespace hearth::HEARTH_ISA
