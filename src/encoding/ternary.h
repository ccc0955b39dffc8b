// Rounding to -1, 0, 1 under one scale, as the TQ formats do.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "encoding/half.h"
#include "encoding/scale_search.h"

namespace hearth {

// The best f16 scale for at most 256 values: exact but for its rounding. The values that become
// +-1 are always the greatest few, so all choices are tried in one walk down the sorted values.
inline uint16_t fit_ternary_scale(const Values& v) {
  std::array<int, 256> order;
  std::iota(order.begin(), order.begin() + v.count, 0);
  std::sort(order.begin(), order.begin() + v.count, [&](int a, int b) {
    return std::fabs(v.x[a]) > std::fabs(v.x[b]);
  });
  double sum = 0, weight = 0, best_gain = 0, best = 0;
  for (int i = 0; i < v.count; ++i) {
    const double w = v.weight[order[i]];
    sum += w * std::fabs(v.x[order[i]]);
    weight += w;
    if (weight <= 0 || sum * sum / weight <= best_gain) continue;
    best_gain = sum * sum / weight;
    best = sum / weight;
  }
  return stored_f16(best);
}

// x -> -1, 0 or 1, whichever times the scale is nearest.
class TernaryRounding {
 public:
  explicit TernaryRounding(uint16_t d) : half_(f16_to_f32(d) / 2) {}
  int operator()(float x) const { return std::fabs(x) > half_ ? (x < 0 ? -1 : 1) : 0; }

 private:
  float half_;
};

}  // namespace hearth
