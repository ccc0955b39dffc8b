// Attention over the paged cache, by the definition in api.h (and ref/attention.cc). Items (a row
// and a query head of the group) are taken in chunks whose state fits into L2, and spans of
// kKvSpan positions one after the other, in two phases: the span's keys are packed, and every item
// gets its weights; then the values are packed, and every item's output is brought forward.
// Packing is shared by all items of the chunk; a tile of items shares the loads of the products.
// Few items take keys and values from the cache directly, in the same order of sums.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/api.h"
#include "kernels/cpu/attention-direct-inl.h"
#include "kernels/cpu/attention-tile-inl.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

struct AttentionChunk {
  const AttentionArgs* args;
  int64_t first, last;             // items; item i is head i % group of row i / group
  int64_t end;                     // of the positions that any of them sees
  int64_t q_words, value_dim;      // of an item, padded to whole vectors
  int64_t panel_words;             // of the panels of keys; a panel of values has kKvSpan steps
  float* packed;                   // one span's keys, and then its values
  float *q, *acc, *weights, *sum;  // per item: q_words, value_dim, kKvSpan, 16 lanes
  float *highest, *factor;         // per item
  int32_t *see_begin, *see_end;    // per item: the positions that it sees
  ReadAhead* ahead;
  bool few;                        // items: packing would be most of the time
  int64_t all_begin, all_end;      // the positions that every item sees
};

// Positions that are seen, counted from the beginning of a span.
struct Visible {
  int64_t begin, end;
  bool empty() const { return begin >= end; }
};

// What any of the items [first, last) sees of the span that begins at `base`.
inline Visible visible_of(const AttentionChunk& c, int64_t first, int64_t last, int64_t base) {
  if (c.all_begin <= base && c.all_end >= base + kKvSpan) return {0, kKvSpan};
  Visible all = {kKvSpan, 0};
  for (int64_t at = first - c.first; at < last - c.first; ++at) {
    const int64_t begin = c.see_begin[at] > base ? c.see_begin[at] - base : 0;
    const int64_t end = c.see_end[at] - base < kKvSpan ? c.see_end[at] - base : kKvSpan;
    if (begin >= end) continue;
    if (begin < all.begin) all.begin = begin;
    if (end > all.end) all.end = end;
  }
  return all;
}

// How many of the items left make the next tile: the last two are about equal.
inline int tile_items(int64_t left, int most) {
  if (left >= 2 * most) return most;
  return static_cast<int>(left > most ? (left + 1) / 2 : left);
}

// Scores of a tile, [items][kKvSpan], for the vectors [from, to) of positions: whole blocks.
template <class Kind>
void packed_scores(const AttentionChunk& c, int64_t item, int count, int from, int to,
                 float* scores) {
  const int64_t steps = (c.args->head_dim + Kind::kStep - 1) / Kind::kStep;
  while (from < to) {
    const int panel = from / kPanelVectors, lane = from % kPanelVectors;
    const int vectors = to - from < kPanelVectors - lane ? to - from : kPanelVectors - lane;
    run_tile_of<Kind>(count, vectors,
                      {.a = c.q + (item - c.first) * c.q_words,
                       .a_stride = c.q_words,
                       .b = c.packed + panel * c.panel_words + 16 * lane,
                       .steps = steps,
                       .c = scores + 16 * from,
                       .c_stride = kKvSpan,
                       .factor = nullptr,
                       .ahead = c.ahead});
    from += vectors;
  }
}

template <class Kind, KvType kType>
void direct_scores(const AttentionChunk& c, int64_t base, int64_t item, int count, int from,
                   int to, float* scores) {
  constexpr int kVectors = kKvBlock / 16;
  const AttentionArgs& a = *c.args;
  while (from < to) {
    const int64_t block = (base + 16 * from) / kKvBlock;
    from += kVectors * score_blocks_of<Kind, kType>(
                           count, (to - from) / kVectors,
                           {.blocks = a.k_blocks + block,
                            .head_offset = a.k_head_offset,
                            .dim = a.head_dim,
                            .q = c.q + (item - c.first) * c.q_words,
                            .q_words = c.q_words,
                            .scores = scores + 16 * from,
                            .ahead = a.v_blocks + block,
                            .ahead_offset = a.v_head_offset});
  }
}

// The scores of what is not seen, which may be anything, become -infinity.
inline void hide(float* score, int from, int to, Visible see) {
  alignas(64) static constexpr float kLane[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                  8, 9, 10, 11, 12, 13, 14, 15};
  const F32x16 none = splat(-__builtin_inff());
  for (int v = from; v < to; ++v) {
    if (see.begin <= 16 * v && see.end >= 16 * v + 16) continue;
    const F32x16 at = add(load(kLane), splat(static_cast<float>(16 * v)));
    F32x16 s = load(score + 16 * v);
    s = select_less(at, splat(static_cast<float>(see.begin)), none, s);
    store(score + 16 * v, select_less(at, splat(static_cast<float>(see.end)), s, none));
  }
}

// The largest score of an item in a tile, its cap applied and what it does not see hidden.
template <class Kind>
float prepare_scores(const AttentionArgs& a, float* score, int from, int to, Visible see) {
  if (a.softcap > 0.0f) {
    for (int v = from; v < to; ++v) {
      store(score + 16 * v, Kind::capped_score(load(score + 16 * v), a.softcap));
    }
  }
  if (see.begin > 16 * from || see.end < 16 * to) hide(score, from, to, see);
  F32x16 most = load(score + 16 * from), other = load(score + 16 * from + 16);
  for (int v = from + 2; v < to; v += 2) {
    most = max(load(score + 16 * v), most);
    other = max(load(score + 16 * v + 16), other);
  }
  return max_lane(max(most, other));
}

// Weights of a tile of items, and the factors that their older sums must be multiplied by.
template <class Kind, KvType kType>
void tile_weights(const AttentionChunk& c, int64_t item, int count, int64_t base, Visible tile) {
  alignas(64) float scores[kDirectItems * kKvSpan], before[16] = {}, after[16] = {};
  const int from = static_cast<int>(tile.begin / 32 * 2);
  const int to = static_cast<int>((tile.end + 31) / 32 * 2);
  if (c.few) direct_scores<Kind, kType>(c, base, item, count, from, to, scores);
  else packed_scores<Kind>(c, item, count, from, to, scores);
  const int64_t at = item - c.first;
  for (int i = 0; i < count; ++i) {
    const Visible see = visible_of(c, item + i, item + i + 1, base);
    const float here = prepare_scores<Kind>(*c.args, scores + i * kKvSpan, from, to, see);
    if (see.empty()) continue;  // weights of 0 and a factor of 1
    before[i] = c.highest[at + i];
    c.highest[at + i] = after[i] = here > before[i] ? here : before[i];
  }
  alignas(64) float factor[16];
  store(factor, Kind::weight(sub(load(before), load(after))));
  for (int i = 0; i < count; ++i) {
    const F32x16 highest = splat(after[i]);
    const float* score = scores + i * kKvSpan;
    float* to_words = c.weights + (at + i) * kKvSpan;
    F32x16 sum = mul(load(c.sum + 16 * (at + i)), splat(factor[i]));
    for (int v = from; v < to; v += 2) {
      const F32x16 first = Kind::weight(sub(load(score + 16 * v), highest));
      const F32x16 second = Kind::weight(sub(load(score + 16 * v + 16), highest));
      sum = Kind::put_weights(to_words + 16 * v / Kind::kStep, first, second, sum);
    }
    store(c.sum + 16 * (at + i), sum);
    c.factor[at + i] = factor[i];
  }
}

template <class Kind>
void packed_values(const AttentionChunk& c, int64_t item, int count, Visible tile) {
  const int64_t at = item - c.first;
  const int64_t from = tile.begin / Kind::kStep;
  const int64_t to = (tile.end + Kind::kStep - 1) / Kind::kStep;
  for (int64_t d = 0; d < c.value_dim; d += kPanelWidth) {
    const int64_t left = (c.value_dim - d) / 16;
    run_tile_of<Kind>(count, static_cast<int>(left < kPanelVectors ? left : kPanelVectors),
                      {.a = c.weights + at * kKvSpan + from,
                       .a_stride = kKvSpan,
                       .b = c.packed + d * (kKvSpan / Kind::kStep) + from * kPanelWidth,
                       .steps = to - from,
                       .c = c.acc + at * c.value_dim + d,
                       .c_stride = c.value_dim,
                       .factor = c.factor + at,
                       .ahead = c.ahead});
  }
}

// Of `see`, what all items of the call see; `tile` is what these do.
template <class Kind, KvType kType>
void direct_values(const AttentionChunk& c, int64_t base, int64_t item, int count, Visible see,
                   Visible tile) {
  const AttentionArgs& a = *c.args;
  const int64_t at = item - c.first, block = base / kKvBlock;
  const bool last = block + 2 * kKvSpan / kKvBlock > (c.end + kKvBlock - 1) / kKvBlock;
  weigh_span_of<Kind, kType>(count, {.blocks = a.v_blocks + block,
                                     .head_offset = a.v_head_offset,
                                     .dim = a.value_dim,
                                     .see_begin = see.begin,
                                     .see_end = see.end,
                                     .begin = tile.begin / 2,
                                     .end = (tile.end + 1) / 2,
                                     .weights = c.weights + at * kKvSpan,
                                     .sums = c.acc + at * c.value_dim,
                                     .width = c.value_dim,
                                     .factor = c.factor + at,
                                     .ahead = last ? a.v_blocks + block
                                                   : a.k_blocks + block + kKvSpan / kKvBlock,
                                     .ahead_offset = last ? a.v_head_offset : a.k_head_offset});
}

// f(item, count, what any of them sees) for tiles of the items [first, last).
template <class F>
void for_tiles(const AttentionChunk& c, int64_t first, int64_t last, int64_t base, F f) {
  for (int64_t item = first; item < last;) {
    const int count = tile_items(last - item, c.few ? kDirectItems : kItemTile);
    const Visible tile = visible_of(c, item, item + count, base);
    if (!tile.empty()) f(item, count, tile);
    item += count;
  }
}

// f(block, where it begins in the span) for the blocks that hold what is seen of a span.
template <class F>
void for_blocks(int64_t base, Visible see, F f) {
  for (int64_t at = see.begin / kKvBlock * kKvBlock; at < see.end; at += kKvBlock) {
    f((base + at) / kKvBlock, at);
  }
}

template <class Kind, KvType kType>
void pack_span_keys(const AttentionChunk& c, int64_t base, Visible see) {
  const AttentionArgs& a = *c.args;
  for_blocks(base, see, [&](int64_t b, int64_t at) {
    pack_keys<Kind, kType>(a.k_blocks[b] + a.k_head_offset, a.head_dim,
                           c.packed + at / kPanelWidth * c.panel_words + at % kPanelWidth);
  });
}

template <class Kind, KvType kType>
void pack_span_values(const AttentionChunk& c, int64_t base, Visible see) {
  const AttentionArgs& a = *c.args;
  for_blocks(base, see, [&](int64_t b, int64_t at) {
    pack_values<Kind, kType>(a.v_blocks[b] + a.v_head_offset, a.value_dim, see.begin - at,
                             see.end - at, c.packed + at / Kind::kStep * kPanelWidth,
                             kKvSpan / Kind::kStep * kPanelWidth);
  });
}

// Whether a value that one item sees could spoil another that does not: a weight of 0 hides all
// but NaN and infinities.
template <KvType kType>
bool must_separate(const AttentionChunk& c, int64_t base, Visible chunk) {
  const AttentionArgs& a = *c.args;
  bool same = true, finite = true;
  for (int64_t item = c.first; item < c.last; item = (item / a.group + 1) * a.group) {
    const Visible see = visible_of(c, item, item + 1, base);
    same = same && see.begin == chunk.begin && see.end == chunk.end;
  }
  if (same) return false;
  for_blocks(base, chunk, [&](int64_t b, int64_t at) {
    const int64_t begin = chunk.begin > at ? chunk.begin - at : 0;
    const int64_t end = chunk.end - at < kKvBlock ? chunk.end - at : kKvBlock;
    const std::byte* block = a.v_blocks[b] + a.v_head_offset;
    finite = finite && values_finite<kType>(block, a.value_dim, begin, end);
  });
  return !finite;
}

template <class Kind, KvType kType>
void chunk_span(const AttentionChunk& c, int64_t base) {
  const AttentionArgs& a = *c.args;
  const Visible chunk = visible_of(c, c.first, c.last, base);
  if (chunk.empty()) return;
  c.ahead->allowed += c.ahead->parts[0].bytes / 64 * (kKvSpan / kKvBlock);
  if (!c.few) pack_span_keys<Kind, kType>(c, base, chunk);
  for_tiles(c, c.first, c.last, base, [&](int64_t item, int count, Visible tile) {
    tile_weights<Kind, kType>(c, item, count, base, tile);
  });
  // All items together, or those of one row after the other.
  c.ahead->allowed += c.ahead->parts[1].bytes / 64 * (kKvSpan / kKvBlock);
  const bool separate = must_separate<kType>(c, base, chunk);
  for (int64_t first = c.first; first < c.last;) {
    const int64_t row_end = (first / a.group + 1) * a.group;
    const int64_t last = separate && row_end < c.last ? row_end : c.last;
    const Visible see = visible_of(c, first, last, base);
    if (!c.few) pack_span_values<Kind, kType>(c, base, see);
    for_tiles(c, first, last, base, [&](int64_t item, int count, Visible tile) {
      if (c.few) direct_values<Kind, kType>(c, base, item, count, see, tile);
      else packed_values<Kind>(c, item, count, tile);
    });
    first = last;
  }
}

template <class Kind, KvType kType>
void start_items(const AttentionChunk& c) {
  const AttentionArgs& a = *c.args;
  const int64_t run = kv_mixed(kType, a.head_dim);
  const F32x16 factor = splat(Kind::score_factor(a) / static_cast<float>(run));
  alignas(64) float mixed[kHeadMost];
  for (int64_t item = c.first; item < c.last; ++item) {
    const int64_t at = item - c.first;
    const float* q = a.q + item / a.group * a.q_stride + item % a.group * a.head_dim;
    if (run > 1) {
      mix(q, mixed, a.head_dim, run);
      q = mixed;
    }
    for (int64_t d = 0; d < a.head_dim; d += 16 * Kind::kStep) {
      const auto values = [&](int from, int64_t n) {
        if (n <= 0) return zero();
        const float* p = q + d + from;
        return mul(n >= 16 ? load(p) : load_n(p, static_cast<int>(n)), factor);
      };
      store(c.q + at * c.q_words + d / Kind::kStep, Kind::row_words(values, a.head_dim - d));
    }
    for (int64_t d = 0; d < c.value_dim; d += 16) store(c.acc + at * c.value_dim + d, zero());
    store(c.sum + 16 * at, zero());
    c.highest[at] = -__builtin_inff();
    const int32_t position = a.positions[item / a.group];
    c.see_begin[at] = a.window > 0 && position >= a.window ? position - a.window + 1 : 0;
    c.see_end[at] = position + 1;
  }
}

inline void finish_items(const AttentionChunk& c) {
  const AttentionArgs& a = *c.args;
  for (int64_t item = c.first; item < c.last; ++item) {
    const int64_t at = item - c.first;
    float* out = a.out + item / a.group * a.out_stride + item % a.group * a.value_dim;
    const F32x16 inverse = splat(1.0f / tree_sum(load(c.sum + 16 * at)));
    for (int64_t d = 0; d < a.value_dim; d += 16) {
      // -0 + 0 is 0: the sign of a zero may come from what was hidden.
      const F32x16 y = add(mul(load(c.acc + at * c.value_dim + d), inverse), zero());
      if (a.value_dim - d >= 16) store(out + d, y);
      else store_n(out + d, y, static_cast<int>(a.value_dim - d));
    }
  }
}

// Divides the scratch; returns how many items a chunk has.
template <class Kind>
int64_t lay_out(AttentionChunk& c) {
  const AttentionArgs& a = *c.args;
  const auto padded = [](int64_t n, int64_t to) { return (n + to - 1) / to * to; };
  c.q_words = padded(a.head_dim, 16 * Kind::kStep) / Kind::kStep;
  c.value_dim = padded(a.value_dim, 16);
  c.panel_words = c.q_words * kPanelWidth;
  const int64_t key_words = c.panel_words * (kKvSpan / kPanelWidth);
  const int64_t value_words = padded(c.value_dim, kPanelWidth) * (kKvSpan / Kind::kStep);
  constexpr int64_t kStateBytes = 512 << 10;  // beside the packed span, in L2
  const int64_t item_words = c.q_words + c.value_dim + kKvSpan + 16 + 4;
  int64_t items = kStateBytes / (item_words * int64_t{sizeof(float)});
  if (items < kItemTile) items = kItemTile;
  const auto address = reinterpret_cast<uintptr_t>(a.scratch);
  c.packed = reinterpret_cast<float*>(a.scratch + (64 - address % 64) % 64);
  c.q = c.packed + (key_words > value_words ? key_words : value_words);
  c.acc = c.q + items * c.q_words;
  c.weights = c.acc + items * c.value_dim;
  c.sum = c.weights + items * kKvSpan;
  c.highest = c.sum + items * 16;
  c.factor = c.highest + items;
  c.see_begin = reinterpret_cast<int32_t*>(c.factor + items);
  c.see_end = c.see_begin + items;
  return items;
}

inline void start_reading(const AttentionChunk& c, int64_t begin, int64_t lines) {
  c.ahead->end = (c.end + kKvBlock - 1) / kKvBlock;
  c.ahead->span = begin / kKvSpan * (kKvSpan / kKvBlock);
  c.ahead->first = c.ahead->block = begin / kKvBlock;
  c.ahead->part = 0;
  c.ahead->at = c.ahead->stop = nullptr;
  c.ahead->allowed = lines;
  c.ahead->read(lines);
}

template <class Kind, KvType kType>
void attend(const AttentionArgs& a) {
  AttentionChunk c = {};
  c.args = &a;
  ReadAhead ahead = {{{a.k_blocks, a.k_head_offset, kv_key_bytes(kType, a.head_dim)},
                      {a.v_blocks, a.v_head_offset, kv_value_bytes(kType, a.value_dim)}}};
  c.ahead = &ahead;
  const int64_t items = lay_out<Kind>(c), all = a.rows * a.group;
  for (c.first = 0; c.first < all; c.first = c.last) {
    c.last = c.first + items < all ? c.first + items : all;
    start_items<Kind, kType>(c);
    c.few = c.last - c.first <= kDirectItems;
    int64_t begin = INT64_MAX;
    c.end = c.all_begin = 0;
    c.all_end = INT64_MAX;
    for (int64_t at = 0; at < c.last - c.first; ++at) {
      if (c.see_begin[at] < begin) begin = c.see_begin[at];
      if (c.see_end[at] > c.end) c.end = c.see_end[at];
      if (c.see_begin[at] > c.all_begin) c.all_begin = c.see_begin[at];
      if (c.see_end[at] < c.all_end) c.all_end = c.see_end[at];
    }
    start_reading(c, begin, ahead.parts[0].bytes / 64 * (kKvSpan / kKvBlock));
    for (int64_t base = begin / kKvSpan * kKvSpan; base < c.end; base += kKvSpan) {
      chunk_span<Kind, kType>(c, base);
    }
    finish_items(c);
  }
}

template <KvType kType>
void attend_type(const AttentionArgs& a) {
  a.compute == Compute::kBf16 ? attend<Pairs, kType>(a) : attend<Exact, kType>(a);
}

inline void attention(const AttentionArgs& a) {
  switch (a.kv_type) {
    case KvType::kF32: return attend_type<KvType::kF32>(a);
    case KvType::kF16: return attend_type<KvType::kF16>(a);
    case KvType::kBf16: return attend_type<KvType::kBf16>(a);
    case KvType::kInt8: return attend_type<KvType::kInt8>(a);
  }
}

}  // namespace hearth::HEARTH_ISA
