// Attention over the paged cache, by the definition of ref/attention.cc. Items (a row and a query
// head) are taken in chunks whose running state fits into L2; each block of keys and values is
// turned into padded floats once per chunk, and then every item that sees it is brought forward.
// Two items that see the same part of a block share the loads of its keys and values.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/api.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

struct AttentionChunk {
  const AttentionArgs* args;
  int64_t key_dim, value_dim;      // padded to whole vectors
  float *keys, *values;            // one block: kKvBlock x the dims
  float *q, *acc, *highest, *sum;  // per item
};

// [kKvBlock][dim] of the cache to floats with rows of `padded`.
inline void load_block(const std::byte* from, KvType type, int dim, int64_t padded, float* out) {
  for (int j = 0; j < kKvBlock; ++j, out += padded) {
    int d = 0;
    const float* wide = reinterpret_cast<const float*>(from) + int64_t{j} * dim;
    const uint16_t* half = reinterpret_cast<const uint16_t*>(from) + int64_t{j} * dim;
    for (; d + 16 <= dim; d += 16) {
      store(out + d, type == KvType::kF32 ? load(wide + d) : cvt_f16(half + d));
    }
    if (d == dim) continue;
    if (type == KvType::kF32) {
      store(out + d, load_n(wide + d, dim - d));
    } else {
      uint16_t last[16] = {};
      memcpy(last, half + d, static_cast<unsigned>(dim - d) * sizeof(uint16_t));
      store(out + d, cvt_f16(last));
    }
  }
}

// Dot products of kItems queries with the keys of a block.
template <int kItems>
void block_scores(const AttentionChunk& c, int64_t item, float (*score)[kKvBlock]) {
  const float* q = c.q + item * c.key_dim;
  for (int j = 0; j < kKvBlock; j += kKeyTile) {
    F32x16 acc[kItems * kKeyTile];
#pragma GCC unroll 16
    for (int i = 0; i < kItems * kKeyTile; ++i) acc[i] = zero();
    const float* key = c.keys + j * c.key_dim;
    for (int64_t d = 0; d < c.key_dim; d += 16) {
#pragma GCC unroll 16
      for (int t = 0; t < kKeyTile; ++t) {
        const F32x16 k = load(key + t * c.key_dim + d);
#pragma GCC unroll 2
        for (int i = 0; i < kItems; ++i) {
          acc[i * kKeyTile + t] = fma(load(q + i * c.key_dim + d), k, acc[i * kKeyTile + t]);
        }
      }
    }
    for (int i = 0; i < kItems; ++i) {
      if constexpr (kKeyTile == 8) tree_sum8(acc + i * kKeyTile, score[i] + j);
      else tree_sum4(acc + i * kKeyTile, score[i] + j);
    }
  }
}

// Scores to weights exp(score - highest), in place; updates the item's maximum and sum and
// returns the factor that older sums must be multiplied by.
inline float block_softmax(const AttentionChunk& c, int64_t item, int from, int to,
                           float* score) {
  const AttentionArgs& a = *c.args;
  F32x16 s[2] = {mul(load(score), splat(a.scale)), mul(load(score + 16), splat(a.scale))};
  if (a.softcap > 0.0f) {
    s[0] = capped(s[0], splat(a.softcap));
    s[1] = capped(s[1], splat(a.softcap));
  }
  if (from > 0 || to < kKvBlock) {  // what is not visible may be anything
    store(score, s[0]);
    store(score + 16, s[1]);
    for (int j = 0; j < from; ++j) score[j] = -__builtin_inff();
    for (int j = to; j < kKvBlock; ++j) score[j] = -__builtin_inff();
    s[0] = load(score);
    s[1] = load(score + 16);
  }
  const float before = c.highest[item], here = max_lane(max(s[0], s[1]));
  const float highest = here > before ? here : before;
  s[0] = exp(sub(s[0], splat(highest)));
  s[1] = exp(sub(s[1], splat(highest)));
  store(score, s[0]);
  store(score + 16, s[1]);
  float factor[16];
  store(factor, exp(splat(before - highest)));
  c.sum[item] = __builtin_fmaf(c.sum[item], factor[0], tree_sum(add(s[0], s[1])));
  c.highest[item] = highest;
  return factor[0];
}

// acc = acc * factor + sum over positions, for kVectors vectors from value v on.
template <int kItems, int kVectors>
void add_values(const AttentionChunk& c, int64_t item, int64_t v, int from, int to,
                const float* factor, const float (*weight)[kKvBlock]) {
  F32x16 acc[kItems * kVectors];
  float* state = c.acc + item * c.value_dim + v;
#pragma GCC unroll 2
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 8
    for (int n = 0; n < kVectors; ++n) {
      acc[i * kVectors + n] = mul(load(state + i * c.value_dim + 16 * n), splat(factor[i]));
    }
  }
  const float* value = c.values + from * c.value_dim + v;
  for (int j = from; j < to; ++j, value += c.value_dim) {
#pragma GCC unroll 2
    for (int i = 0; i < kItems; ++i) {
      const F32x16 w = splat(weight[i][j]);
#pragma GCC unroll 8
      for (int n = 0; n < kVectors; ++n) {
        acc[i * kVectors + n] = fma(w, load(value + 16 * n), acc[i * kVectors + n]);
      }
    }
  }
#pragma GCC unroll 2
  for (int i = 0; i < kItems; ++i) {
#pragma GCC unroll 8
    for (int n = 0; n < kVectors; ++n) {
      store(state + i * c.value_dim + 16 * n, acc[i * kVectors + n]);
    }
  }
}

// Brings kItems items that see positions [from, to) of the loaded block forward.
template <int kItems>
void add_block(const AttentionChunk& c, int64_t item, int from, int to) {
  float score[kItems][kKvBlock], factor[kItems];
  block_scores<kItems>(c, item, score);
  for (int i = 0; i < kItems; ++i) factor[i] = block_softmax(c, item + i, from, to, score[i]);
  int64_t v = 0;
  for (; v + 16 * kValueTile <= c.value_dim; v += 16 * kValueTile) {
    add_values<kItems, kValueTile>(c, item, v, from, to, factor, score);
  }
  for (; v < c.value_dim; v += 16) {
    add_values<kItems, 1>(c, item, v, from, to, factor, score);
  }
}

struct Visible {
  int64_t begin, end;  // positions
};

inline Visible visible(const AttentionArgs& a, int64_t row) {
  const int64_t end = int64_t{a.positions[row]} + 1;
  return {a.window > 0 && end > a.window ? end - a.window : 0, end};
}

// Block b for all rows of [first, last) that see some of it.
inline void chunk_block(const AttentionChunk& c, int64_t first, int64_t last, int64_t b) {
  const AttentionArgs& a = *c.args;
  bool loaded = false;
  for (int64_t r = first; r < last; ++r) {
    const Visible see = visible(a, r);
    const int64_t low = see.begin - b * kKvBlock, high = see.end - b * kKvBlock;
    const int from = static_cast<int>(low > 0 ? low < kKvBlock ? low : kKvBlock : 0);
    const int to = static_cast<int>(high < kKvBlock ? high > 0 ? high : 0 : kKvBlock);
    if (from >= to) continue;
    if (!loaded) {
      load_block(a.k_blocks[b] + a.k_head_offset, a.kv_type, a.head_dim, c.key_dim, c.keys);
      load_block(a.v_blocks[b] + a.v_head_offset, a.kv_type, a.value_dim, c.value_dim, c.values);
      loaded = true;
    }
    int h = 0;
    const int64_t item = (r - first) * a.group;
    if constexpr (kItemTile == 2) {
      for (; h + 2 <= a.group; h += 2) add_block<2>(c, item + h, from, to);
    }
    for (; h < a.group; ++h) add_block<1>(c, item + h, from, to);
  }
}

inline void start_items(const AttentionChunk& c, int64_t first, int64_t last) {
  const AttentionArgs& a = *c.args;
  int64_t item = 0;
  for (int64_t r = first; r < last; ++r) {
    for (int h = 0; h < a.group; ++h, ++item) {
      float* q = c.q + item * c.key_dim;
      for (int64_t d = 0; d < c.key_dim; d += 16) store(q + d, zero());
      memcpy(q, a.q + r * a.q_stride + int64_t{h} * a.head_dim,
             static_cast<unsigned>(a.head_dim) * sizeof(float));
      float* acc = c.acc + item * c.value_dim;
      for (int64_t d = 0; d < c.value_dim; d += 16) store(acc + d, zero());
      c.highest[item] = -__builtin_inff();
      c.sum[item] = 0.0f;
    }
  }
}

inline void finish_items(const AttentionChunk& c, int64_t first, int64_t last) {
  const AttentionArgs& a = *c.args;
  int64_t item = 0;
  for (int64_t r = first; r < last; ++r) {
    for (int h = 0; h < a.group; ++h, ++item) {
      scale_row(c.acc + item * c.value_dim, 1.0f / c.sum[item],
                a.out + r * a.out_stride + int64_t{h} * a.value_dim, a.value_dim);
    }
  }
}

inline void attention(const AttentionArgs& a) {
  const auto padded = [](int dim) { return (int64_t{dim} + 15) / 16 * 16; };
  AttentionChunk c = {};
  c.args = &a;
  c.key_dim = padded(a.head_dim);
  c.value_dim = padded(a.value_dim);
  constexpr int64_t kStateBytes = 768 << 10;  // beside a block, in L2
  const int64_t row_bytes = a.group * (c.key_dim + c.value_dim + 2) * int64_t{sizeof(float)};
  int64_t chunk = kStateBytes / row_bytes;
  if (chunk < 1) chunk = 1;
  const int64_t items = chunk * a.group;
  c.keys = reinterpret_cast<float*>(a.scratch);
  c.values = c.keys + kKvBlock * c.key_dim;
  c.q = c.values + kKvBlock * c.value_dim;
  c.acc = c.q + items * c.key_dim;
  c.highest = c.acc + items * c.value_dim;
  c.sum = c.highest + items;
  for (int64_t first = 0; first < a.rows; first += chunk) {
    const int64_t last = first + chunk < a.rows ? first + chunk : a.rows;
    start_items(c, first, last);
    int64_t begin = INT64_MAX, end = 0;
    for (int64_t r = first; r < last; ++r) {
      const Visible see = visible(a, r);
      if (see.begin < begin) begin = see.begin;
      if (see.end > end) end = see.end;
    }
    for (int64_t b = begin / kKvBlock; b * kKvBlock < end; ++b) chunk_block(c, first, last, b);
    finish_items(c, first, last);
  }
}

}  // namespace hearth::HEARTH_ISA
