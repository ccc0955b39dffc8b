// The search for scales that every lossy encode shares: least squares, weighted by importance.
//
// Once values x have been rounded to levels q, everything that the squared error depends on is in
// a few sums, and the best scale follows from them in closed form; once there is a scale, the
// best levels are the nearest ones. So all searches here try a fan of starting scales, one pass
// over the values each, go back and forth between the two from the best of them, and in the end
// compare what counts: the error with the scale as the block stores it (f16, or a whole number
// times f16), every value at its nearest level.
//
// Sums are double and values finite, so nothing overflows; a scale never leaves the range of f16.
// affine_search.h does the same for formats that have a minimum as well.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "encoding/block_codec.h"
#include "encoding/half.h"

namespace hearth {

// Four numbers at a time: what the passes below are made of (GNU vectors of gcc and clang).
using Float4 = float __attribute__((vector_size(16)));
using Double4 = double __attribute__((vector_size(32)));

inline Float4 load4(const float* x) {
  Float4 out;
  std::memcpy(&out, x, sizeof(out));
  return out;
}
inline void load4(const double* x, Double4& out) { std::memcpy(&out, x, sizeof(out)); }
inline double sum4(const Double4& v) { return (v[0] + v[1]) + (v[2] + v[3]); }

// The whole numbers lo..hi.
struct IntegerLevels {
  float lo, hi;

  // The level nearest to v (float or Float4); lo for NaN.
  template <class T>
  T nearest(T v) const {
    const T low = T{} + lo, high = T{} + hi;
    const T below = v < high ? v : high;
    const T inside = v > low ? below : low;
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves no room for a fraction
    return (inside + kRound) - kRound;
  }
};

// Sixteen rising levels.
class TableLevels {
 public:
  constexpr explicit TableLevels(const int8_t (&levels)[16]) : lowest_(levels[0]) {
    for (int i = 0; i < 15; ++i) {
      middle_[i] = static_cast<float>(levels[i] + levels[i + 1]) / 2;
      step_[i] = static_cast<float>(levels[i + 1] - levels[i]);
    }
  }

  // The level nearest to v (float or Float4): the lowest, and a step up for every middle passed.
  template <class T>
  T nearest(T v) const {
    T level = T{} + lowest_;
    for (int i = 0; i < 15; ++i) level += v > T{} + middle_[i] ? T{} + step_[i] : T{};
    return level;
  }
  int nearest_index(float v) const {
    int index = 0;
    for (const float middle : middle_) index += v > middle ? 1 : 0;
    return index;
  }

 private:
  float lowest_;
  std::array<float, 15> middle_{}, step_{};
};

// Differences of error smaller than this times the sum of w x^2 are rounding, not progress.
inline constexpr double kNoise = 1e-12;

inline float inverse_or_zero(float d) { return d == 0 ? 0.0f : 1.0f / d; }

// The nearest f16 that is finite.
inline uint16_t stored_f16(double value) {
  return f32_to_f16(static_cast<float>(std::clamp<double>(value, -kF16Max, kF16Max)));
}

// The same, but only 0 becomes 0.
inline uint16_t stored_f16_not_zero(double value) {
  const uint16_t half = stored_f16(value);
  return (half & 0x7fff) == 0 && value != 0 ? half | 1 : half;
}

// The f16 `steps` away from `half` in size; stays within 0 and the greatest.
inline uint16_t neighbour_f16(uint16_t half, int steps) {
  const int magnitude = std::clamp((half & 0x7fff) + steps, 0, 0x7bff);
  return static_cast<uint16_t>((half & 0x8000) | magnitude);
}

// The value of greatest size, with its sign.
inline float greatest(const Values& v) {
  float out = 0;
  for (int i = 0; i < v.count; ++i) {
    if (std::fabs(v.x[i]) > std::fabs(out)) out = v.x[i];
  }
  return out;
}

// What x = scale * q takes off the error of all-zero: sum w x^2 - error = gain.
struct ScaleSums {
  double xq = 0;  // sum w x q
  double qq = 0;  // sum w q q

  double scale() const { return qq > 0 ? xq / qq : 0; }
  double gain(double d) const { return d * (2 * xq - d * qq); }
};

// Of the levels nearest to x * inverse. REQUIRES: v.count a multiple of 4.
template <class Levels>
ScaleSums scale_sums(const Values& v, float inverse, const Levels& levels) {
  Double4 xq{}, qq{}, w, wx;
  for (int i = 0; i < v.count; i += 4) {
    const Float4 level = levels.nearest(load4(v.x + i) * inverse);
    const auto q = __builtin_convertvector(level, Double4);
    load4(v.weight + i, w);
    load4(v.weighted + i, wx);
    xq += wx * q;
    qq += w * (q * q);
  }
  return {sum4(xq), sum4(qq)};
}

// Where a search for a scale starts: the value of greatest size is put on level `extreme` times
// 1 + k * step, k = 0, 1, -1, ... tries, -tries, and with `mirrored` on minus that as well. The
// plain start comes first and wins all ties: what is exact with it stays exact.
struct Fan {
  float extreme;
  float step;
  int tries;
  bool mirrored;
};

// The scale of least error, not yet rounded to anything.
template <class Levels>
float fit_scale(const Values& v, const Levels& levels, const Fan& fan) {
  const float top = greatest(v);
  if (top == 0) return 0;
  double best_gain = 0, best = 0;
  const auto offer = [&](float inverse) {
    const ScaleSums sums = scale_sums(v, inverse, levels);
    const double scale = sums.scale(), gain = sums.gain(scale);
    if (gain <= best_gain * (1 + kNoise)) return false;
    best_gain = gain;
    best = scale;
    return true;
  };
  for (const float extreme : {fan.extreme, -fan.extreme}) {
    if (extreme == -fan.extreme && !fan.mirrored) break;
    for (int n = 0; n <= 2 * fan.tries; ++n) {
      const int k = n % 2 == 0 ? -n / 2 : (n + 1) / 2;
      offer(extreme * (1 + static_cast<float>(k) * fan.step) / top);
    }
  }
  for (int round = 0; round < 3; ++round) {
    if (!offer(inverse_or_zero(static_cast<float>(best)))) break;
  }
  return static_cast<float>(best);
}

// The f16 scale of least error for a block that has only one.
template <class Levels>
uint16_t fit_stored_scale(const Values& v, const Levels& levels, const Fan& fan) {
  double best_gain = 0;
  uint16_t best = 0;
  const auto offer = [&](uint16_t half) {
    const float d = f16_to_f32(half);
    const ScaleSums sums = scale_sums(v, inverse_or_zero(d), levels);
    if (sums.gain(d) > best_gain) {
      best_gain = sums.gain(d);
      best = half;
    }
    return stored_f16(sums.scale());
  };
  const float top = greatest(v);
  offer(stored_f16(top / fan.extreme));
  if (fan.mirrored) offer(stored_f16(-top / fan.extreme));
  uint16_t half = stored_f16(fit_scale(v, levels, fan));
  for (int round = 0; round < 3; ++round) half = offer(half);
  const uint16_t middle = best;
  for (const int steps : {-2, -1, 1, 2}) offer(neighbour_f16(middle, steps));
  return best;
}

// Blocks of groups that share one f16: x = (d * scale[g]) * q.
struct GroupShape {
  int groups;
  int scale_lo, scale_hi;  // of the whole numbers that scale a group
};

struct GroupFit {
  uint16_t d = 0;
  std::array<int, 16> scale{};
  double gain = 0;
  uint16_t next_d = 0;  // the best d for these scales and levels

  float group_scale(int g) const { return f16_to_f32(d) * static_cast<float>(scale[g]); }
};

// The best whole-number scales under `half`, near the free scales `wanted`.
template <class Levels>
GroupFit choose_group_scales(const Values& v, const Levels& levels, const GroupShape& shape,
                             const float* wanted, uint16_t half) {
  GroupFit fit{.d = half};
  const float d = f16_to_f32(half);
  if (d == 0) return fit;
  const IntegerLevels numbers{static_cast<float>(shape.scale_lo),
                              static_cast<float>(shape.scale_hi)};
  const int size = v.count / shape.groups;
  ScaleSums total;
  for (int g = 0; g < shape.groups; ++g) {
    const Values group = v.part(g * size, size);
    const int middle = static_cast<int>(numbers.nearest(wanted[g] / d));
    const int lo = std::max(middle - 1, shape.scale_lo), hi = std::min(middle + 1, shape.scale_hi);
    double best_gain = 0;
    ScaleSums best_sums;
    for (int scale = lo; scale <= hi; ++scale) {
      const float group_scale = d * static_cast<float>(scale);
      const ScaleSums sums = scale_sums(group, inverse_or_zero(group_scale), levels);
      if (sums.gain(group_scale) <= best_gain) continue;
      best_gain = sums.gain(group_scale);
      best_sums = sums;
      fit.scale[g] = scale;
    }
    const double scale = fit.scale[g];
    fit.gain += best_gain;
    total.xq += scale * best_sums.xq;
    total.qq += scale * scale * best_sums.qq;
  }
  fit.next_d = stored_f16(total.scale());
  return fit;
}

template <class Levels>
GroupFit fit_groups(const Values& v, const Levels& levels, const GroupShape& shape,
                    const Fan& fan) {
  std::array<float, 16> wanted{};
  float top = 0;
  const int size = v.count / shape.groups;
  for (int g = 0; g < shape.groups; ++g) {
    wanted[g] = fit_scale(v.part(g * size, size), levels, fan);
    if (std::fabs(wanted[g]) > std::fabs(top)) top = wanted[g];
  }
  GroupFit best;
  const auto offer = [&](uint16_t half) {
    const GroupFit fit = choose_group_scales(v, levels, shape, wanted.data(), half);
    const bool better = fit.gain > best.gain;
    if (better) best = fit;
    return better;
  };
  // The greatest scale may take any of the last few numbers at either end.
  constexpr int kEnds = 3;
  for (int n = 0; n < kEnds && top != 0; ++n) {
    offer(stored_f16_not_zero(double{top} / (shape.scale_lo + n)));
    offer(stored_f16_not_zero(double{top} / (shape.scale_hi - n)));
  }
  for (int round = 0; round < 3 && best.next_d != best.d; ++round) {
    if (!offer(best.next_d)) break;
  }
  return best;
}

}  // namespace hearth
