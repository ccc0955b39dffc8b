// What attention's two products are made of. Both are C[items][columns] += A[items][steps] *
// B[steps][columns]: scores from queries and keys, outputs from weights and values. B is packed
// in panels of kPanelWidth columns, which lie in the lanes, so that an element of A is a broadcast
// and no sum goes across lanes; attention-direct-inl.h does without panels. A word (four bytes) is
// one step: a float (Exact), or a pair of neighbours in bfloat16 (Pairs).
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/api.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/kv-inl.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

inline constexpr int kPanelWidth = 16 * kPanelVectors;

struct Exact {
  static constexpr int kStep = 1, kSteps = 2;  // positions or dimensions in a word; words of a pair
  static F32x16 step(F32x16 a, F32x16 b, F32x16 acc) { return fma(a, b, acc); }
  static F32x16 weight(F32x16 x) { return exp(x); }
  static float score_factor(const AttentionArgs& a) { return a.scale; }
  static F32x16 capped_score(F32x16 s, float cap) { return capped(s, splat(cap)); }

  // Sixteen words of 16 * kStep floats of which n count.
  template <class Load>
  static F32x16 row_words(Load values, int64_t n) {
    return values(0, n);
  }
  // The words of sixteen pairs.
  static void words_of_pairs(F32x16 first, F32x16 second, F32x16* words) {
    words[0] = first;
    words[1] = second;
  }
  // Two vectors of weights: stored, and added up.
  static F32x16 put_weights(float* to, F32x16 first, F32x16 second, F32x16 sum) {
    store(to, first);
    store(to + 16, second);
    return add(add(sum, first), second);
  }
};

struct Pairs {
  static constexpr int kStep = 2, kSteps = 1;
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
  static void words_of_pairs(F32x16 first, F32x16 second, F32x16* words) {
    words[0] = pair_words(first, second);
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
  ReadAhead* ahead;     // a line for each step
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
      t.ahead->read(some);
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

// Keys of a block into kKvBlock columns of a panel, a row of words for each step.
template <class Kind, KvType kType>
[[gnu::noinline]] void pack_keys(const std::byte* block, int64_t dim, float* panel) {
  const KeyBlocks<Kind, kType, 1> keys(&block, 0, dim);
  keys.for_pairs([&](int64_t pair, const F32x16 (*words)[Kind::kSteps]) {
    float* to = panel + pair * Kind::kSteps * kPanelWidth;
#pragma GCC unroll 2
    for (int s = 0; s < Kind::kSteps; ++s, to += kPanelWidth) {
      store(to, words[0][s]);
      store(to + 16, words[1][s]);
    }
  });
}

// Values of a block, of which positions [begin, end) count and the others are 0, into the steps of
// panels that are panel_words apart.
template <class Kind, KvType kType>
[[gnu::noinline]] void pack_values(const std::byte* block, int64_t dim, int64_t begin, int64_t end,
                                   float* panels, int64_t panel_words) {
  const ValueBlock<kType> values(block, dim);
  for (int64_t pair = 0; pair < kKvBlock / 2; ++pair) {
    const bool whole = begin <= 2 * pair && end >= 2 * pair + 2;
    float* row = panels + pair * Kind::kSteps * kPanelWidth;
    for (int64_t d = 0; d < values.width; d += 16) {
      F32x16 words[1][Kind::kSteps];
      if (whole) {
        values.template words<Kind, 1>(values.at(pair, d), values.scale_at(pair, d), words);
      } else {
        F32x16 first, second;
        values.visible(pair, d, begin, end, first, second);
        Kind::words_of_pairs(first, second, words[0]);
      }
      float* to = row + d / kPanelWidth * panel_words + d % kPanelWidth;
#pragma GCC unroll 2
      for (int s = 0; s < Kind::kSteps; ++s) store(to + s * kPanelWidth, words[0][s]);
    }
  }
}

// Whether no value at positions [begin, end) of a block is NaN or infinite. Where dimensions do not
// fill their vectors it may say no without need.
template <KvType kType>
bool values_finite(const std::byte* block, int64_t dim, int64_t begin, int64_t end) {
  const ValueBlock<kType> values(block, dim);
  F32x16 sum = zero();
  for (int64_t pair = begin / 2; 2 * pair < end; ++pair) {
    for (int64_t d = 0; d < values.width; d += 16) {
      F32x16 first, second;
      values.visible(pair, d, begin, end, first, second);
      sum = fma(first, zero(), fma(second, zero(), sum));
    }
  }
  return tree_sum(sum) == 0.0f;  // x * 0 is NaN for the others
}

}  // namespace hearth::HEARTH_ISA
