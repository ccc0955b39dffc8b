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

// How many items a tile has at most, and the vectors of values that so many are summed in.
inline constexpr int kDirectItems = kPanelVectors == 4 ? 8 : kItemTile;
template <int kItems>
inline constexpr int kDirectVectors = kItems <= kItemTile ? kPanelVectors : 2;

// Asks for what lies like `bytes` bytes at `offset` of a block that will be taken a little later: a
// block of one head is too short, and too far from the next, for what the processor foresees.
template <int64_t kBytes>
inline void read_ahead(const std::byte* block, int64_t offset) {
#pragma GCC unroll 8
  for (int64_t at = 0; at < kBytes; at += 64) prefetch(block + offset + at);
}
inline void read_scales_ahead(KvType type, const std::byte* block, int64_t width, int64_t dim) {
  const int64_t first = kv_numbers_bytes(type, width), end = kv_bytes(type, width, dim);
  for (int64_t at = first; at < end; at += 64) prefetch(block + at);
}

// Scores of a tile for the positions of neighbouring blocks.
struct ScoreBlocks {
  const std::byte* const* blocks;
  size_t head_offset;
  int64_t dim;
  const float* q;
  int64_t q_words;                // of an item
  float* scores;                  // kKvSpan of an item
  const std::byte* const* ahead;  // blocks that are taken later
  size_t ahead_offset;
};

template <class Kind, KvType kType, int kItems, int kBlocks>
[[gnu::noinline]] void score_blocks(const ScoreBlocks& t) {
  using Keys = KeyBlocks<Kind, kType, kBlocks>;
  const Keys keys(t.blocks, t.head_offset, t.dim);
  const std::byte* ahead[kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    ahead[b] = t.ahead[b] + t.ahead_offset;
    read_scales_ahead(kType, ahead[b], kv_key_width(t.dim), t.dim);
  }
  F32x16 acc[kItems][Keys::kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 4
    for (int n = 0; n < Keys::kVectors; ++n) acc[i][n] = zero();
  }
  const float* q = t.q;
  const int64_t q_words = t.q_words;
  keys.for_pairs([&](int64_t pair, const F32x16 (*words)[Kind::kSteps]) {
#pragma GCC unroll 2
    for (int b = 0; b < kBlocks; ++b) {
      read_ahead<Keys::kPairBytes>(ahead[b], pair * Keys::kPairBytes);
    }
#pragma GCC unroll 2
    for (int s = 0; s < Kind::kSteps; ++s, ++q) {
#pragma GCC unroll 8
      for (int i = 0; i < kItems; ++i) {
        const F32x16 item = splat(q[i * q_words]);
#pragma GCC unroll 4
        for (int n = 0; n < Keys::kVectors; ++n) {
          acc[i][n] = Kind::step(item, words[n][s], acc[i][n]);
        }
      }
    }
  });
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 4
    for (int n = 0; n < Keys::kVectors; ++n) store(t.scores + i * kKvSpan + 16 * n, acc[i][n]);
  }
}

// The first block, or the first two; returns how many.
template <class Kind, KvType kType, int kItems = kDirectItems>
int score_blocks_of(int items, int64_t blocks, const ScoreBlocks& t) {
  if constexpr (kItems > 1) {
    if (items < kItems) return score_blocks_of<Kind, kType, kItems - 1>(items, blocks, t);
  }
  if constexpr (kDirectVectors<kItems> == 4) {
    if (blocks >= 2) {
      score_blocks<Kind, kType, kItems, 2>(t);
      return 2;
    }
  }
  score_blocks<Kind, kType, kItems, 1>(t);
  return 1;
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
  const std::byte* const* ahead;   // blocks that are taken later, as many
  size_t ahead_offset;

  const std::byte* block_of(int64_t pair) const {
    return blocks[2 * pair / kKvBlock] + head_offset;
  }
};

// The next kVectors vectors of dimensions, of pairs that count in whole.
template <class Kind, KvType kType, int kItems, int kVectors>
[[gnu::noinline]] void weigh_whole(const ValueRun& t, int64_t d) {
  constexpr int64_t kPairs = kKvBlock / 2, kBytes = kVectors * 32 * kNumberBytes<kType>;
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
    const int64_t slot = pair % kPairs, left = t.end - pair;
    const int64_t some = left < kPairs - slot ? left : kPairs - slot;
    const std::byte* p = values.at(slot, d);
    const float* scale = values.scale_at(slot, d);
    const std::byte* block_ahead = t.ahead[pair / kPairs] + t.ahead_offset;
    const std::byte* ahead = block_ahead + (p - values.numbers);
    const int64_t row_bytes = values.width * 2 * kNumberBytes<kType>, groups = values.groups;
    if (d == 0) read_scales_ahead(kType, block_ahead, values.width, t.dim);
    for (int64_t i = 0; i < some; ++i, p += row_bytes, ahead += row_bytes, scale += 2 * groups) {
      read_ahead<kBytes>(ahead, 0);
      F32x16 words[kVectors][Kind::kSteps];
      values.template words<Kind, kVectors>(p, scale, words);
#pragma GCC unroll 2
      for (int s = 0; s < Kind::kSteps; ++s, ++weights) {
#pragma GCC unroll 8
        for (int item = 0; item < kItems; ++item) {
          const F32x16 weight = splat(weights[item * kKvSpan]);
#pragma GCC unroll 4
          for (int n = 0; n < kVectors; ++n) {
            acc[item][n] = Kind::step(weight, words[n][s], acc[item][n]);
          }
        }
      }
    }
    pair += some;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) store(sums + i * t.width + 16 * n, acc[i][n]);
  }
}

template <class Kind, KvType kType, int kItems>
void weigh_whole_all(const ValueRun& t) {
  constexpr int kMost = kDirectVectors<kItems>;
  int64_t d = 0;
  for (; d + 16 * kMost <= t.width; d += 16 * kMost) weigh_whole<Kind, kType, kItems, kMost>(t, d);
  for (; d < t.width; d += 16) weigh_whole<Kind, kType, kItems, 1>(t, d);
}

template <class Kind, KvType kType, int kItems = kDirectItems>
void weigh_whole_of(int items, const ValueRun& t) {
  if constexpr (kItems > 1) {
    if (items < kItems) return weigh_whole_of<Kind, kType, kItems - 1>(items, t);
  }
  weigh_whole_all<Kind, kType, kItems>(t);
}

// A pair of which one position counts.
template <class Kind, KvType kType>
[[gnu::noinline]] void weigh_edge(int items, const ValueRun& t, int64_t pair) {
  const ValueBlock<kType> values(t.block_of(pair), t.dim);
  const int64_t base = 2 * pair / kKvBlock * kKvBlock;
  for (int64_t d = 0; d < t.width; d += 16) {
    F32x16 first, second, words[Kind::kSteps];
    values.visible(pair % (kKvBlock / 2), d, t.see_begin - base, t.see_end - base, first, second);
    Kind::words_of_pairs(first, second, words);
    for (int i = 0; i < items; ++i) {
      float* sums = t.sums + i * t.width + d;
      F32x16 acc = mul(load(sums), splat(t.factor[i]));
      for (int s = 0; s < Kind::kSteps; ++s) {
        acc = Kind::step(splat(t.weights[i * kKvSpan + pair * Kind::kSteps + s]), words[s], acc);
      }
      store(sums, acc);
    }
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
