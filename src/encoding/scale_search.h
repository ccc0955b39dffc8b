// The search for scales that every lossy encode shares: least squares, weighted by importance.
//
// Once values x have been rounded to levels q, everything that the squared error depends on is in
// a few sums, and the best scale follows from them in closed form; once there is a scale, the
// best levels are the nearest ones. So all searches here try a fan of starting scales, go back
// and forth between the two a few times, and compare what counts: the error with the scale as the
// block stores it (f16, or an integer times f16), every value at its nearest level.
//
// Sums are double and inputs finite, so nothing overflows; a scale never leaves the range of f16.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "encoding/half.h"

namespace hearth {

// Some values of a block and the weight of each one's squared error.
struct Values {
  const float* x;
  const float* weight;
  int count;

  Values part(int begin, int n) const { return {x + begin, weight + begin, n}; }
};

// The whole numbers lo..hi.
struct IntegerLevels {
  float lo, hi;

  // The level nearest to v; lo for NaN.
  float nearest(float v) const {
    const float inside = v > lo ? (v < hi ? v : hi) : lo;
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves no room for a fraction
    return (inside + kRound) - kRound;
  }
};

// Sixteen rising levels.
struct TableLevels {
  std::array<int8_t, 16> levels;

  int nearest_index(float v) const {
    int index = 0;
    for (int step = 8; step > 0; step /= 2) {
      const int middle = levels[index + step - 1] + levels[index + step];
      if (2 * v > static_cast<float>(middle)) index += step;
    }
    return index;
  }
  float nearest(float v) const { return levels[nearest_index(v)]; }
};

// Differences of error smaller than this times the sum of w x^2 are rounding, not progress.
inline constexpr double kNoise = 1e-12;

inline float inverse_or_zero(float d) { return d == 0 ? 0.0f : 1.0f / d; }

// The nearest f16 that is finite.
inline uint16_t stored_f16(double value) {
  return f32_to_f16(static_cast<float>(std::clamp<double>(value, -kF16Max, kF16Max)));
}

// The f16 `steps` away from `half` in size; stays within 0 and the greatest.
inline uint16_t neighbour_f16(uint16_t half, int steps) {
  const int magnitude = std::clamp((half & 0x7fff) + steps, 0, 0x7bff);
  return static_cast<uint16_t>((half & 0x8000) | magnitude);
}

// What x = scale * q leaves of the error of all-zero: sum w x^2 - error = gain.
struct ScaleSums {
  double xq = 0;  // sum w x q
  double qq = 0;  // sum w q q

  double scale() const { return qq > 0 ? xq / qq : 0; }
  double gain(double d) const { return d * (2 * xq - d * qq); }
};

// Of the levels nearest to x * inverse.
template <class Levels>
ScaleSums scale_sums(Values v, float inverse, const Levels& levels) {
  ScaleSums sums;
  for (int i = 0; i < v.count; ++i) {
    const double q = levels.nearest(v.x[i] * inverse);
    const double wq = v.weight[i] * q;
    sums.xq += wq * v.x[i];
    sums.qq += wq * q;
  }
  return sums;
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

// The value of greatest size, with its sign.
inline float greatest(Values v) {
  float out = 0;
  for (int i = 0; i < v.count; ++i) {
    if (std::fabs(v.x[i]) > std::fabs(out)) out = v.x[i];
  }
  return out;
}

// Calls f(sums) for the fan's every start, and for what least squares makes of it.
template <class Levels, class F>
void for_each_start(Values v, const Levels& levels, const Fan& fan, F&& f) {
  const float top = greatest(v);
  if (top == 0) return;
  for (const float sign : {1.0f, -1.0f}) {
    if (sign < 0 && !fan.mirrored) break;
    for (int n = 0; n <= 2 * fan.tries; ++n) {
      const int k = n % 2 == 0 ? -n / 2 : (n + 1) / 2;
      const float level = sign * fan.extreme * (1 + static_cast<float>(k) * fan.step);
      f(scale_sums(v, level / top, levels), top / level);
    }
  }
}

// The scale of least error, not yet rounded to anything.
template <class Levels>
float fit_scale(Values v, const Levels& levels, const Fan& fan) {
  double best_gain = 0, best = 0;
  const auto offer = [&](const ScaleSums& sums) {
    const double scale = sums.scale();
    if (sums.gain(scale) <= best_gain * (1 + kNoise)) return false;
    best_gain = sums.gain(scale);
    best = scale;
    return true;
  };
  for_each_start(v, levels, fan, [&](const ScaleSums& sums, float) { offer(sums); });
  for (int round = 0; round < 3; ++round) {
    if (!offer(scale_sums(v, inverse_or_zero(static_cast<float>(best)), levels))) break;
  }
  return static_cast<float>(best);
}

// The f16 scale of least error for a block that has only one.
template <class Levels>
uint16_t fit_stored_scale(Values v, const Levels& levels, const Fan& fan) {
  double best_gain = 0;
  uint16_t best = 0;
  const auto offer = [&](uint16_t half) {
    const float d = f16_to_f32(half);
    const ScaleSums sums = scale_sums(v, inverse_or_zero(d), levels);
    if (sums.gain(d) > best_gain) {
      best_gain = sums.gain(d);
      best = half;
    }
    return sums;
  };
  for_each_start(v, levels, fan, [&](const ScaleSums& sums, float start) {
    offer(stored_f16(start));
    offer(stored_f16(sums.scale()));
  });
  const uint16_t middle = best;
  for (const int steps : {-2, -1, 1, 2}) offer(neighbour_f16(middle, steps));
  return best;
}

// Blocks of groups that share one f16: x = (d * scale[g]) * q.
struct GroupShape {
  int groups;
  int group_elems;
  int scale_lo, scale_hi;  // of the whole numbers that scale a group
};

struct GroupFit {
  uint16_t d = 0;
  std::array<int, 16> scale{};
  double gain = 0;

  float group_scale(int g) const { return f16_to_f32(d) * static_cast<float>(scale[g]); }
};

// The best whole-number scales under `d`, near the free scales `wanted`; adds up in `total` the
// sums from which the best d for these scales follows.
template <class Levels>
GroupFit choose_group_scales(Values v, const Levels& levels, const GroupShape& shape,
                             const float* wanted, uint16_t half, ScaleSums& total) {
  GroupFit fit{.d = half};
  const float d = f16_to_f32(half);
  if (d == 0) return fit;
  const IntegerLevels scales{static_cast<float>(shape.scale_lo), static_cast<float>(shape.scale_hi)};
  for (int g = 0; g < shape.groups; ++g) {
    const Values group = v.part(g * shape.group_elems, shape.group_elems);
    const int middle = static_cast<int>(scales.nearest(wanted[g] / d));
    double best_gain = 0;
    ScaleSums best_sums;
    const int lo = std::max(middle - 1, shape.scale_lo), hi = std::min(middle + 1, shape.scale_hi);
    for (int scale = lo; scale <= hi; ++scale) {
      const float group_scale = d * static_cast<float>(scale);
      const ScaleSums sums = scale_sums(group, inverse_or_zero(group_scale), levels);
      if (sums.gain(group_scale) <= best_gain) continue;
      best_gain = sums.gain(group_scale);
      best_sums = sums;
      fit.scale[g] = scale;
    }
    fit.gain += best_gain;
    total.xq += fit.scale[g] * best_sums.xq;
    total.qq += double(fit.scale[g]) * fit.scale[g] * best_sums.qq;
  }
  return fit;
}

template <class Levels>
GroupFit fit_groups(Values v, const Levels& levels, const GroupShape& shape, const Fan& fan) {
  std::array<float, 16> wanted{};
  float top = 0;
  for (int g = 0; g < shape.groups; ++g) {
    wanted[g] = fit_scale(v.part(g * shape.group_elems, shape.group_elems), levels, fan);
    if (std::fabs(wanted[g]) > std::fabs(top)) top = wanted[g];
  }
  GroupFit best;
  if (top == 0) return best;
  // The greatest scale may take any of the last few numbers at either end.
  constexpr int kEnds = 3;
  for (int end = 0; end < 2 * kEnds; ++end) {
    const int number = end < kEnds ? shape.scale_lo + end : shape.scale_hi - (end - kEnds);
    uint16_t half = stored_f16(double{top} / number);
    if ((half & 0x7fff) == 0) half = neighbour_f16(half, 1);
    for (int round = 0; round < 3; ++round) {
      ScaleSums total;
      const GroupFit fit = choose_group_scales(v, levels, shape, wanted.data(), half, total);
      if (fit.gain > best.gain) best = fit;
      const uint16_t next = stored_f16(total.scale());
      if (next == half) break;
      half = next;
    }
  }
  return best;
}

}  // namespace hearth
