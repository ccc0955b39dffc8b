// Attention's two products for few items, which take keys and values as they lie in the cache: a
// word is made in registers, used for all items of a tile and forgotten. The numbers and the order
// of the sums are those of the panels (attention-tile-inl.h).
#pragma once

#include <cstdint>

#include "kernels/api.h"
#include "kernels/cpu/attention-tile-inl.h"
#include "kernels/cpu/kv-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

// Scores of a tile for the kKvBlock positions of a block.
struct ScoreBlock {
  const std::byte* block;  // the keys of one head
  int64_t dim;
  const float* q;
  int64_t q_words;         // of an item
  float* scores;           // kKvSpan of an item
  ReadAhead* ahead;
};

template <class Kind, KvType kType, int kItems>
[[gnu::noinline]] void score_block(const ScoreBlock& t) {
  F32x16 acc[kItems][2];
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) acc[i][0] = acc[i][1] = zero();
  t.ahead->read(2 * kv_groups(kType, t.dim));
  const KeyBlock<Kind, kType> keys(t.block, t.dim);
  const float* q = t.q;
  const int64_t q_words = t.q_words;
  keys.for_pairs([&](int64_t, const F32x16 (*words)[Kind::kSteps]) {
    t.ahead->read(kNumberBytes<kType>);
#pragma GCC unroll 2
    for (int s = 0; s < Kind::kSteps; ++s, ++q) {
#pragma GCC unroll 8
      for (int i = 0; i < kItems; ++i) {
        const F32x16 item = splat(q[i * q_words]);
        acc[i][0] = Kind::step(item, words[0][s], acc[i][0]);
        acc[i][1] = Kind::step(item, words[1][s], acc[i][1]);
      }
    }
  });
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
    store(t.scores + i * kKvSpan, acc[i][0]);
    store(t.scores + i * kKvSpan + 16, acc[i][1]);
  }
}

template <class Kind, KvType kType, int kItems = kItemTile>
void score_block_of(int items, const ScoreBlock& t) {
  if constexpr (kItems > 1) {
    if (items < kItems) return score_block_of<Kind, kType, kItems - 1>(items, t);
  }
  score_block<Kind, kType, kItems>(t);
}

// What the values of pairs [begin, end) of a span add to the sums of a tile.
struct ValueRun {
  const std::byte* const* blocks;  // of the span
  size_t head_offset;
  int64_t dim;
  int64_t see_begin, see_end;      // positions of the span that count
  int64_t begin, end;
  const float* weights;            // kKvSpan words of an item
  float* sums;
  int64_t width;                   // of an item's sums
  const float* factor;             // per item: what sums are multiplied by before
  ReadAhead* ahead;

  const std::byte* block_of(int64_t pair) const {
    return blocks[2 * pair / kKvBlock] + head_offset;
  }
};

// The next kVectors vectors of dimensions, of pairs that count in whole.
template <class Kind, KvType kType, int kItems, int kVectors>
[[gnu::noinline]] void weigh_whole(const ValueRun& t, int64_t d) {
  constexpr int64_t kPairs = kKvBlock / 2, kLines = kVectors * kNumberBytes<kType> / 2;
  F32x16 acc[kItems][kVectors];
  float* sums = t.sums + d;
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) {
      acc[i][n] = mul(load(sums + i * t.width + 16 * n), splat(t.factor[i]));
    }
  }
  const float* weights = t.weights + t.begin * Kind::kSteps;
  for (int64_t pair = t.begin; pair < t.end;) {
    const ValueBlock<kType> values(t.block_of(pair), t.dim);
    const int64_t end = t.end < (pair / kPairs + 1) * kPairs ? t.end : (pair / kPairs + 1) * kPairs;
    if (d == 0) t.ahead->read(2 * values.groups);
    for (; pair < end; ++pair) {
      t.ahead->read(kLines > 0 ? kLines : 1);
      F32x16 words[kVectors][Kind::kSteps];
#pragma GCC unroll 4
      for (int n = 0; n < kVectors; ++n) {
        values.template words<Kind>(pair % kPairs, d + 16 * n, words[n]);
      }
#pragma GCC unroll 2
      for (int s = 0; s < Kind::kSteps; ++s, ++weights) {
#pragma GCC unroll 8
        for (int i = 0; i < kItems; ++i) {
          const F32x16 item = splat(weights[i * kKvSpan]);
#pragma GCC unroll 4
          for (int n = 0; n < kVectors; ++n) acc[i][n] = Kind::step(item, words[n][s], acc[i][n]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) store(sums + i * t.width + 16 * n, acc[i][n]);
  }
}

template <class Kind, KvType kType, int kItems>
void weigh_whole_all(const ValueRun& t) {
  int64_t d = 0;
  for (; d + kPanelWidth <= t.width; d += kPanelWidth) {
    weigh_whole<Kind, kType, kItems, kPanelVectors>(t, d);
  }
  for (; d + 32 <= t.width; d += 32) weigh_whole<Kind, kType, kItems, 2>(t, d);
  if (d < t.width) weigh_whole<Kind, kType, kItems, 1>(t, d);
}

template <class Kind, KvType kType, int kItems = kItemTile>
void weigh_whole_of(int items, const ValueRun& t) {
  if constexpr (kItems > 1) {
    if (items < kItems) return weigh_whole_of<Kind, kType, kItems - 1>(items, t);
  }
  weigh_whole_all<Kind, kType, kItems>(t);
}

// A pair of which one position counts: a panel of its own.
template <class Kind, KvType kType>
[[gnu::noinline]] void weigh_edge(int items, const ValueRun& t, int64_t pair) {
  alignas(64) float panel[Kind::kSteps * kPanelWidth];
  const ValueBlock<kType> values(t.block_of(pair), t.dim);
  const int64_t base = 2 * pair / kKvBlock * kKvBlock;
  for (int64_t d = 0; d < t.width; d += kPanelWidth) {
    const int64_t left = (t.width - d) / 16;
    const int vectors = static_cast<int>(left < kPanelVectors ? left : kPanelVectors);
    for (int n = 0; n < vectors; ++n) {
      F32x16 first, second, words[Kind::kSteps];
      values.visible(pair % (kKvBlock / 2), d + 16 * n, t.see_begin - base, t.see_end - base, first,
                     second);
      Kind::words_of_pairs(first, second, words);
      for (int s = 0; s < Kind::kSteps; ++s) store(panel + s * kPanelWidth + 16 * n, words[s]);
    }
    run_tile_of<Kind>(items, vectors,
                      {.a = t.weights + pair * Kind::kSteps,
                       .a_stride = kKvSpan,
                       .b = panel,
                       .steps = Kind::kSteps,
                       .c = t.sums + d,
                       .c_stride = t.width,
                       .factor = t.factor,
                       .ahead = t.ahead});
  }
}

template <class Kind, KvType kType>
void weigh_span_of(int items, ValueRun t) {
  alignas(64) static constexpr float kOnes[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const int64_t end = t.end;
  if (2 * t.begin < t.see_begin) {
    weigh_edge<Kind, kType>(items, t, t.begin++);
    t.factor = kOnes;
  }
  const bool edge = t.begin < end && 2 * end > t.see_end;
  t.end = edge ? end - 1 : end;
  if (t.begin < t.end) {
    weigh_whole_of<Kind, kType>(items, t);
    t.factor = kOnes;
  }
  if (edge) weigh_edge<Kind, kType>(items, t, end - 1);
}

}  // namespace hearth::HEARTH_ISA
