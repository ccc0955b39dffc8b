// The integer matrix product for a few rows of x (generation): lines go from the decoder straight
// into products, without a rest in memory. Sums and their order are those of int8_matmul-inl.h.
#pragma once

#include <cstdint>

#include "encoding/encoding.h"
#include "kernels/api.h"
#include "kernels/cpu/panels-inl.h"

namespace hearth::HEARTH_ISA {

#if HEARTH_ISA_LEVEL >= 2
inline constexpr int kMaxDirectRows = 4;
#else
inline constexpr int kMaxDirectRows = 1;  // sixteen registers hold no more
#endif

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

// C rows of x from a piece of k on.
template <int C>
struct RowsOfX {
  const ActivationBlock* x;  // of the first row
  const FirstDigits* first;
  int64_t stride;            // bytes from row to row, of both
  uint32_t mask[C];          // bit i: whether block i of the piece has first digits

  template <class T>
  HEARTH_INLINE const T* of_row(const T* p, int c) const {
    return reinterpret_cast<const T*>(reinterpret_cast<const std::byte*>(p) + c * stride);
  }
  HEARTH_INLINE const ActivationBlock* block(int c) const { return of_row(x, c); }
  HEARTH_INLINE const FirstDigits* first_of(int c) const { return of_row(first, c); }
  HEARTH_INLINE uint32_t any() const {
    uint32_t all = mask[0];
#pragma GCC unroll 4
    for (int c = 1; c < C; ++c) all |= mask[c];
    return all;
  }
  HEARTH_INLINE void pass(int blocks) {
    x += blocks;
    first += blocks;
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) mask[c] >>= blocks;
  }
};

// The lines of kCount groups become sums: with the digits of C rows of x, or with their first
// digits too.
template <class Format, int C, int kCount, bool kFirst>
struct LineSums {
  static constexpr int kLines = Format::kGroup / 4;
  // The shift of every line may become one of the sum: for one row, that is less.
  static constexpr bool kShiftSums = kDotIsWide && C == 1;
  const RowsOfX<C>& x;
  I32x16 of[C * kCount], firsts[C * kCount];
  I32x16 high[kCount], high_firsts[kCount];  // sixteenfold, without offset

  static constexpr int which(int group) { return Format::kGroup == 32 ? 0 : 1 + group % 2; }
  static constexpr int block(int group) { return group * Format::kGroup / 32; }

  HEARTH_INLINE void begin() {
#pragma GCC unroll 8
    for (int g = 0; g < kCount; ++g) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        of[c * kCount + g] = start(x.block(c)[block(g)].minus[which(g)]);
        if constexpr (kFirst)
          firsts[c * kCount + g] = start(x.first_of(c)[block(g)].minus[which(g)]);
      }
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
  // To sums that lie kCount apart from row to row.
  HEARTH_INLINE void add(int i, U8x64 line, I32x16* to, I32x16* to_first) {
    const int g = i / kLines, at = 4 * (i % 8);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const int sum = c * kCount + g;
      to[sum] = dot(to[sum], line, x.block(c)[i / 8].digits + at);
      if constexpr (kFirst)
        to_first[sum] = dot(to_first[sum], line, x.first_of(c)[i / 8].digits + at);
    }
  }
  HEARTH_INLINE void line(int i, U8x64 v) { add(i, v, of, firsts); }
  HEARTH_INLINE void nibbles(int low, int up, U8x64 packed) {
    line(low, and_line(packed, 15));
    if constexpr (kShiftSums) add(up, and_line(packed, 0xf0), high, high_firsts);
    else line(up, and_line(shr_line<4>(packed), 15));
  }
  HEARTH_INLINE F32x16 sum(int c, int g) const {
    if constexpr (kShiftSums) return to_float(int_add(of[g], int_sar<4>(high[g])));
    else return to_float(of[c * kCount + g]);
  }
  HEARTH_INLINE F32x16 first_sum(int c, int g) const {
    if constexpr (kShiftSums) return to_float(int_add(firsts[g], int_sar<4>(high_firsts[g])));
    else return to_float(firsts[c * kCount + g]);
  }
};

// What takes a decoder's units (see PanelBlock).
template <class Format, int C>
struct RowProducts {
  static constexpr int kGroups = kGroupsAtOnce<Format>;
  const uint8_t* ahead;
  RowsOfX<C> rows;
  F32x16 acc[C];
  LateProducts* late;       // [C]
  F32x16 *scales, *biases;  // [kGroups]: apart, so that all else can stay in registers

  HEARTH_INLINE void scale(int group, F32x16 v) { scales[group] = v; }
  HEARTH_INLINE void bias(int group, F32x16 v) { biases[group] = v; }
  template <int kCount, class F>
  HEARTH_INLINE void unit(int group, F f) {
    constexpr int kBlocks = kCount * Format::kGroup / 32;
    constexpr uint32_t kMask = (1u << kBlocks) - 1;
    if ((rows.any() & kMask) != 0) products<kCount, true>(group, f);
    else products<kCount, false>(group, f);
    rows.pass(kBlocks);
  }
  template <int kCount, bool kFirst, class F>
  HEARTH_INLINE void products(int group, F f) {
    using Sums = LineSums<Format, C, kCount, kFirst>;
    Sums s = {.x = rows};
    s.begin();
    f(s);
#pragma GCC unroll 8
    for (int g = 0; g < kCount; ++g) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const F32x16 scale = scales[group + g];
        const ActivationBlock& b = rows.block(c)[Sums::block(g)];
        acc[c] = fma(mul(scale, splat(b.scale)), s.sum(c, g), acc[c]);
        if constexpr (Format::kBias)
          acc[c] = fma(biases[group + g], splat(b.sums[Sums::which(g)]), acc[c]);
        if constexpr (kFirst) {
          if ((rows.mask[c] >> Sums::block(g) & 1u) != 0)
            late[c].add(mul(scale, splat(rows.first_of(c)[Sums::block(g)].scale)),
                        s.first_sum(c, g));
        }
      }
    }
  }
};

// sums[c][row] += `blocks` blocks of 16 rows of weights, the values of one piece at most; from
// `ahead` on, which moves, as many bytes are fetched. Rows of sums are `stride` apart.
template <class Format, int C>
void row_products(Rows rows, int64_t blocks, const RowsOfX<C>& x, float* sums, int64_t stride,
                  const uint8_t*& ahead) {
  LateProducts late[C];
  F32x16 scales[RowProducts<Format, C>::kGroups], biases[RowProducts<Format, C>::kGroups];
  RowProducts<Format, C> out = {.ahead = ahead, .rows = x, .late = late, .scales = scales,
                                .biases = biases};
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c) {
    out.acc[c] = load(sums + c * stride);
    late[c].count = 0;
  }
  put_blocks<Format>(rows, blocks, out, [](int) {});
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c) {
    for (int i = 0; i < late[c].count; ++i)
      out.acc[c] = fma(load(late[c].of[i].scale), load(late[c].of[i].sum), out.acc[c]);
    store(sums + c * stride, out.acc[c]);
  }
  ahead = out.ahead;
}

}  // namespace hearth::HEARTH_ISA
