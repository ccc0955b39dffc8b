// Norms, rotations, activations and conversions. Every loop is sixteen at a time with a masked
// last step; the arithmetic of one element never depends on where it lies.
#pragma once

#include <cstdint>

#include "kernels/coefficients.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

// out[i] = f(a[i], b[i])
template <class F>
inline void map2(const float* a, const float* b, float* out, int64_t count, F f) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) store(out + i, f(load(a + i), load(b + i)));
  const int rest = static_cast<int>(count - i);
  if (rest > 0) store_n(out + i, f(load_n(a + i, rest), load_n(b + i, rest)), rest);
}

inline void rms_norm(const float* x, const float* weight, float eps, float* out, int64_t count) {
  F32x16 acc = zero();
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) acc = fma(load(x + i), load(x + i), acc);
  if (const int rest = static_cast<int>(count - i); rest > 0) {
    const F32x16 v = load_n(x + i, rest);
    acc = fma(v, v, acc);
  }
  const float mean = tree_sum(acc) / static_cast<float>(count);
  const F32x16 factor = splat(1.0f / __builtin_sqrtf(mean + eps));
  if (weight == nullptr) {
    map2(x, x, out, count, [&](F32x16 v, F32x16) { return mul(v, factor); });
  } else {
    map2(x, weight, out, count, [&](F32x16 v, F32x16 w) { return mul(mul(v, factor), w); });
  }
}

inline void rotate(F32x16& a, F32x16& b, F32x16 c, F32x16 s) {
  const F32x16 first = fma(a, c, sub(zero(), mul(b, s)));
  b = fma(a, s, mul(b, c));
  a = first;
}

inline void rope(float* head, const float* cos, const float* sin, int64_t pairs,
                 bool interleaved) {
  int64_t i = 0;
  F32x16 a, b;
  for (; i + 16 <= pairs; i += 16) {
    if (interleaved) {
      load_pairs(head + 2 * i, a, b);
    } else {
      a = load(head + i);
      b = load(head + i + pairs);
    }
    rotate(a, b, load(cos + i), load(sin + i));
    if (interleaved) {
      store_pairs(head + 2 * i, a, b);
    } else {
      store(head + i, a);
      store(head + i + pairs, b);
    }
  }
  const int rest = static_cast<int>(pairs - i);
  if (rest == 0) return;
  if (!interleaved) {
    a = load_n(head + i, rest);
    b = load_n(head + i + pairs, rest);
    rotate(a, b, load_n(cos + i, rest), load_n(sin + i, rest));
    store_n(head + i, a, rest);
    store_n(head + i + pairs, b, rest);
    return;
  }
  float pair[32] = {};
  for (int j = 0; j < 2 * rest; ++j) pair[j] = head[2 * i + j];
  load_pairs(pair, a, b);
  rotate(a, b, load_n(cos + i, rest), load_n(sin + i, rest));
  store_pairs(pair, a, b);
  for (int j = 0; j < 2 * rest; ++j) head[2 * i + j] = pair[j];
}

inline void silu_mul(const float* gate, const float* up, float* out, int64_t count) {
  map2(gate, up, out, count, [](F32x16 g, F32x16 u) { return mul(sigmoid_times(g, g), u); });
}

inline void gelu_tanh_mul(const float* gate, const float* up, float* out, int64_t count) {
  map2(gate, up, out, count, [](F32x16 g, F32x16 u) {
    const F32x16 z = mul(g, fma(splat(kGeluCubic), mul(g, g), splat(kGeluLinear)));
    return mul(sigmoid_times(g, z), u);
  });
}

// One round of mix.
inline void mix_round(const float* x, float* out, int64_t run) {
  const int64_t half = run / 2;
  for (int64_t i = 0; half >= 16 && i < half; i += 16) {
    F32x16 first, second;
    load_pairs(x + 2 * i, first, second);
    store(out + i, add(first, second));
    store(out + half + i, sub(first, second));
  }
  for (int64_t i = 0; half < 16 && i < half; ++i) {
    const float first = x[2 * i], second = x[2 * i + 1];
    out[i] = first + second;
    out[half + i] = first - second;
  }
}

inline void mix(const float* x, float* out, int64_t count, int64_t run) {
  alignas(64) float other[kMixMost];
  int rounds = 0;
  while (int64_t{1} << rounds < run) ++rounds;
  for (int64_t begin = 0; begin < count; begin += run) {
    const float* from = x + begin;
    if (rounds == 0) out[begin] = *from;
    for (int left = rounds; left > 0; --left) {  // the last one writes to `out`
      float* to = left % 2 == 1 ? out + begin : other;
      mix_round(from, to, run);
      from = to;
    }
  }
}

inline void add_rows(const float* a, const float* b, float* out, int64_t count) {
  map2(a, b, out, count, [](F32x16 x, F32x16 y) { return add(x, y); });
}

inline void scale_row(const float* x, float factor, float* out, int64_t count) {
  map2(x, x, out, count, [&](F32x16 v, F32x16) { return mul(v, splat(factor)); });
}

inline F32x16 capped(F32x16 x, F32x16 cap) { return mul(cap, tanh(div(x, cap))); }

inline void softcap_row(float* x, float cap, int64_t count) {
  map2(x, x, x, count, [&](F32x16 v, F32x16) { return capped(v, splat(cap)); });
}

// 16-bit results: the last step goes through a buffer.
template <class F>
inline void narrow_row(const float* x, uint16_t* out, int64_t count, F convert) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) convert(load(x + i), out + i);
  if (const int rest = static_cast<int>(count - i); rest > 0) {
    uint16_t last[16];
    convert(load_n(x + i, rest), last);
    for (int j = 0; j < rest; ++j) out[i + j] = last[j];
  }
}

inline void to_bf16_row(const float* x, uint16_t* out, int64_t count) {
  narrow_row(x, out, count, [](F32x16 v, uint16_t* p) { to_bf16(v, p); });
}

inline void to_f16_row(const float* x, uint16_t* out, int64_t count) {
  narrow_row(x, out, count, [](F32x16 v, uint16_t* p) { to_f16(v, p); });
}

// Sum of exp(x - highest) over at most kLogSumBlock values; what lies past the end adds 0.
inline float exp_sum(const float* x, float highest, int64_t count) {
  F32x16 acc = zero();
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) acc = add(acc, exp(sub(load(x + i), splat(highest))));
  if (const int rest = static_cast<int>(count - i); rest > 0) {
    float last[16] = {};
    store_n(last, exp(sub(load_n(x + i, rest), splat(highest))), rest);
    acc = add(acc, load(last));
  }
  return tree_sum(acc);
}

// Zero times a number is zero, times anything else NaN, which stays in a sum.
inline bool all_finite(const float* x, int64_t count) {
  F32x16 acc[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 64 <= count; i += 64) {
    for (int n = 0; n < 4; ++n) acc[n] = fma(load(x + i + 16 * n), zero(), acc[n]);
  }
  for (; i < count; i += 16) {
    const F32x16 v = i + 16 <= count ? load(x + i) : load_n(x + i, static_cast<int>(count - i));
    acc[0] = fma(v, zero(), acc[0]);
  }
  return tree_sum(add(add(acc[0], acc[1]), add(acc[2], acc[3]))) == 0.0f;
}

inline double log_sum_exp(const float* x, int64_t count) {
  float highest = -__builtin_inff();
  for (int64_t i = 0; i < count; ++i) {
    if (x[i] != x[i]) return x[i];
    if (x[i] > highest) highest = x[i];
  }
  if (__builtin_isinf(highest)) return highest;
  double total = 0.0;
  for (int64_t i = 0; i < count; i += kLogSumBlock) {
    total += exp_sum(x + i, highest, count - i < kLogSumBlock ? count - i : kLogSumBlock);
  }
  return highest + log_of_sum(total);
}

}  // namespace hearth::HEARTH_ISA
