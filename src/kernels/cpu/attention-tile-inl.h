// What attention's two products are made of. Both are C[items][columns] += A[items][steps] *
// B[steps][columns]: scores from queries and keys, outputs from weights and values. B is packed
// in panels of kPanelWidth columns, which lie in the lanes, so that an element of A is a broadcast
// and no sum goes across lanes. A word (four bytes) is one step: a float (Exact), or a pair of
// neighbours in bfloat16 (Pairs).
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/api.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

inline constexpr int kPanelWidth = 16 * kPanelVectors;

// Values of the cache from `index` on, of which n count and the others are 0.
template <KvType kType>
inline F32x16 load_values(const std::byte* base, int64_t index, int64_t n) {
  if (n <= 0) return zero();
  if constexpr (kType == KvType::kF32) {
    const float* p = reinterpret_cast<const float*>(base) + index;
    return n >= 16 ? load(p) : load_n(p, static_cast<int>(n));
  } else {
    const uint16_t* p = reinterpret_cast<const uint16_t*>(base) + index;
    if (n >= 16) return cvt_f16(p);
    uint16_t last[16] = {};
    memcpy(last, p, static_cast<unsigned>(n) * sizeof(uint16_t));
    return cvt_f16(last);
  }
}

struct Exact {
  static constexpr int kStep = 1;  // positions or dimensions in a word
  static F32x16 step(F32x16 a, F32x16 b, F32x16 acc) { return fma(a, b, acc); }
  static F32x16 weight(F32x16 x) { return exp(x); }
  static float score_factor(const AttentionArgs& a) { return a.scale; }
  static F32x16 capped_score(F32x16 s, float cap) { return capped(s, splat(cap)); }

  // Sixteen words of 16 * kStep floats of which n count.
  template <class Load>
  static F32x16 row_words(Load values, int64_t n) {
    return values(0, n);
  }
  template <class Load>
  static F32x16 column_words(Load row) {
    return row(0);
  }
  // Two vectors of weights: stored, and added up.
  static F32x16 put_weights(float* to, F32x16 first, F32x16 second, F32x16 sum) {
    store(to, first);
    store(to + 16, second);
    return add(add(sum, first), second);
  }
};

struct Pairs {
  static constexpr int kStep = 2;
  static F32x16 step(F32x16 a, F32x16 b, F32x16 acc) { return dot_words(a, b, acc); }
  static F32x16 weight(F32x16 x) { return exp2_near(x); }
  // Scores are in powers of two, which costs nothing here.
  static float score_factor(const AttentionArgs& a) {
    return a.softcap > 0.0f ? a.scale : a.scale * kLog2E;
  }
  static F32x16 capped_score(F32x16 s, float cap) {
    return mul(capped(s, splat(cap)), splat(kLog2E));
  }

  template <class Load>
  static F32x16 row_words(Load values, int64_t n) {
    return words_of(round_bf16(values(0, n), values(16, n - 16)));
  }
  template <class Load>
  static F32x16 column_words(Load row) {
    return pair_words(row(0), row(1));
  }
  static F32x16 put_weights(float* to, F32x16 first, F32x16 second, F32x16 sum) {
    const F32x16 words = words_of(round_bf16(first, second));
    store(to, words);
    const F32x16 one = splat(1.0f);
    return dot_words(words, words_of(round_bf16(one, one)), sum);  // of the rounded ones
  }
};

// Reads memory ahead in the order in which it will be packed: keys of a span, its values, keys of
// the next. A block of one head is too short, and too far from the next, for what the processor
// foresees by itself; and many lines at once would stop it, so whoever has something to compute
// asks for a few at a time.
struct ReadAhead {
  struct Part {
    const std::byte* const* blocks;
    size_t head_offset;
    int64_t bytes;  // of a block of one head, whole lines
  };
  Part parts[2];    // keys, values
  int64_t first, end;  // blocks
  int64_t span, block;
  int part;
  const std::byte *at, *stop;
  int64_t allowed;  // lines

  [[gnu::noinline]] void read_slowly(int64_t lines) {
    for (; lines > 0 && allowed > 0; --lines, --allowed, at += 64) {
      if (at == stop) {
        next_block();
        if (allowed == 0) return;
      }
      prefetch(at);
    }
  }
  void next_block() {
    constexpr int kBlocks = kKvSpan / kKvBlock;
    if (block == span + kBlocks || block == end) {
      if (part == 1) span += kBlocks;
      part = 1 - part;
      block = span > first ? span : first;
    }
    if (block >= end) {
      allowed = 0;
      return;
    }
    at = parts[part].blocks[block++] + parts[part].head_offset;
    stop = at + parts[part].bytes;
  }
  void read(int64_t lines) {
    if (lines > allowed || stop - at < 64 * lines) return read_slowly(lines);
    for (int64_t i = 0; i < lines; ++i) prefetch(at + 64 * i);
    at += 64 * lines;
    allowed -= lines;
  }
};

struct Tile {
  const float* a;
  int64_t a_stride;     // words
  const float* b;       // [steps][kPanelWidth]
  int64_t steps;
  float* c;
  int64_t c_stride;
  const float* factor;  // per item: what c is multiplied by before; nullptr: c was nothing
  ReadAhead* ahead;
  int64_t lines;        // to read ahead for each step
};

template <class Kind, int kItems, int kVectors>
[[gnu::noinline]] void run_tile(const Tile& t) {
  F32x16 acc[kItems * kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) {
      acc[i * kVectors + n] = t.factor != nullptr ? mul(load(t.c + i * t.c_stride + 16 * n),
                                                        splat(t.factor[i]))
                                                  : zero();
    }
  }
  const float *a = t.a, *b = t.b;
  const int64_t a_stride = t.a_stride;
  for (int64_t left = t.steps; left > 0;) {
    int64_t some = left;
    if (t.ahead->allowed > 0) {
      some = left < 2 ? left : 2;
      t.ahead->read(some * t.lines);
    }
    left -= some;
    for (; some > 0; --some, ++a, b += kPanelWidth) {
      F32x16 column[kVectors];
#pragma GCC unroll 4
      for (int n = 0; n < kVectors; ++n) column[n] = load(b + 16 * n);
#pragma GCC unroll 8
      for (int i = 0; i < kItems; ++i) {
        const F32x16 item = splat(a[i * a_stride]);
#pragma GCC unroll 4
        for (int n = 0; n < kVectors; ++n) {
          acc[i * kVectors + n] = Kind::step(item, column[n], acc[i * kVectors + n]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) store(t.c + i * t.c_stride + 16 * n, acc[i * kVectors + n]);
  }
}

// A tile of so many items and vectors, each at least 1.
template <class Kind, int kItems = kItemTile, int kVectors = kPanelVectors>
void run_tile_of(int items, int vectors, const Tile& t) {
  if constexpr (kItems > 1) {
    if (items < kItems) return run_tile_of<Kind, kItems - 1, kVectors>(items, vectors, t);
  }
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return run_tile_of<Kind, kItems, kVectors - 1>(items, vectors, t);
  }
  run_tile<Kind, kItems, kVectors>(t);
}

// Sixteen positions by sixteen steps. kWhole: so many dimensions are left.
template <class Kind, KvType kType, bool kWhole>
inline void pack_keys_tile(const std::byte* block, int64_t at, int64_t dim, int64_t left,
                           float* to, ReadAhead& ahead, bool meanwhile) {
  constexpr int64_t kSize = kType == KvType::kF32 ? 4 : 2;
  F32x16 words[16];
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) {
    if (j % 4 == 3 && meanwhile) ahead.read(Kind::kStep * kSize);
    words[j] = Kind::row_words(
        [&](int from, int64_t n) { return load_values<kType>(block, at + j * dim + from, n); },
        kWhole ? 16 * Kind::kStep : left);
  }
  transpose16(words);
#pragma GCC unroll 16
  for (int s = 0; s < 16; ++s) store(to + s * kPanelWidth, words[s]);
}

// [kKvBlock][dim] of the cache into kKvBlock columns of a panel, a row of words for each step.
// Meanwhile `ahead` is read, a line for every two that are packed.
template <class Kind, KvType kType>
void pack_keys(const std::byte* block, int64_t dim, float* panel, ReadAhead& ahead,
               bool meanwhile) {
  constexpr int64_t kWide = 16 * Kind::kStep;
  for (int64_t half = 0; half < kKvBlock; half += 16) {
    for (int64_t d = 0; d < dim; d += kWide) {
      float* to = panel + d / Kind::kStep * kPanelWidth + half;
      const int64_t at = half * dim + d;
      if (dim - d >= kWide) {
        pack_keys_tile<Kind, kType, true>(block, at, dim, dim - d, to, ahead, meanwhile);
      } else {
        pack_keys_tile<Kind, kType, false>(block, at, dim, dim - d, to, ahead, meanwhile);
      }
    }
  }
}

// A step of one panel of values: positions from j on, dimensions from d on, as far as they count.
template <class Kind, KvType kType>
[[gnu::noinline]] void pack_values_edge(const std::byte* block, int64_t dim, int64_t j, int64_t d,
                                        int64_t begin, int64_t end, float* to) {
  for (int64_t n = 0; n < kPanelWidth && d + n < dim; n += 16) {
    store(to + n, Kind::column_words([&](int i) {
      return j + i >= begin && j + i < end
                 ? load_values<kType>(block, (j + i) * dim + d + n, dim - d - n)
                 : zero();
    }));
  }
}

// [kKvBlock][dim] of the cache, of which positions [begin, end) count and the others are 0, into
// the steps of panels that are panel_words apart.
template <class Kind, KvType kType>
void pack_values(const std::byte* block, int64_t dim, int64_t begin, int64_t end, float* panels,
                 int64_t panel_words, ReadAhead& ahead, bool meanwhile) {
  constexpr int64_t kSize = kType == KvType::kF32 ? 4 : 2;
  const bool whole = begin <= 0 && end >= kKvBlock;
  for (int64_t j = 0; j < kKvBlock; j += Kind::kStep, panels += kPanelWidth) {
    float* to = panels;
    for (int64_t d = 0; d < dim; d += kPanelWidth, to += panel_words) {
      if (!whole || dim - d < kPanelWidth) {
        pack_values_edge<Kind, kType>(block, dim, j, d, begin, end, to);
        continue;
      }
      const std::byte* row = block + (j * dim + d) * kSize;
#pragma GCC unroll 4
      for (int n = 0; n < kPanelVectors; ++n) {
        store(to + 16 * n, Kind::column_words([&](int i) {
          return load_values<kType>(row, i * dim + 16 * n, 16);
        }));
      }
    }
    if (meanwhile) ahead.read(dim * Kind::kStep * kSize / 128);
  }
}

// Whether no value at positions [begin, end) of a block is NaN or infinite.
template <KvType kType>
bool values_finite(const std::byte* block, int64_t dim, int64_t begin, int64_t end) {
  F32x16 sum = zero();
  for (int64_t i = begin * dim; i < end * dim; i += 16) {
    sum = fma(load_values<kType>(block, i, end * dim - i), zero(), sum);
  }
  return tree_sum(sum) == 0.0f;  // x * 0 is NaN for the others
}

}  // namespace hearth::HEARTH_ISA
