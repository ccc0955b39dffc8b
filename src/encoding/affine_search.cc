#include "encoding/affine_search.h"

#include <algorithm>
#include <cmath>

namespace hearth {

double AffineSums::error(double scale, double min) const {
  return wxx + scale * (scale * wqq - 2 * wxq + 2 * min * wq) + min * (min * w - 2 * wx);
}

AffineSums affine_sums(Values v, float q_max, Affine affine) {
  const IntegerLevels levels{0, q_max};
  const float inverse = inverse_or_zero(affine.scale);
  AffineSums sums;
  for (int i = 0; i < v.count; ++i) {
    const double x = v.x[i], w = v.weight[i];
    const double q = levels.nearest((v.x[i] - affine.min) * inverse);
    const double wx = w * x, wq = w * q;
    sums.w += w;
    sums.wx += wx;
    sums.wxx += wx * x;
    sums.wq += wq;
    sums.wqq += wq * q;
    sums.wxq += wx * q;
  }
  return sums;
}

namespace {

// The best scale and minimum for fixed levels.
Affine solve(const AffineSums& sums, bool min_may_rise) {
  const double det = sums.w * sums.wqq - sums.wq * sums.wq;
  double scale = 0, min = 0;
  if (det > 1e-9 * sums.w * sums.wqq) {
    scale = (sums.w * sums.wxq - sums.wx * sums.wq) / det;
    min = (sums.wqq * sums.wx - sums.wq * sums.wxq) / det;
  } else {  // all on one level
    min = sums.w > 0 ? sums.wx / sums.w : 0;
  }
  if (min > 0 && !min_may_rise) {
    min = 0;
    scale = sums.wqq > 0 ? sums.wxq / sums.wqq : 0;
  }
  return {static_cast<float>(std::clamp(scale, 0.0, 3e38)),
          static_cast<float>(std::clamp(min, -3e38, 3e38))};
}

struct Range {
  float lo, hi;
};

Range range_of(Values v) {
  Range range{v.x[0], v.x[0]};
  for (int i = 1; i < v.count; ++i) {
    range.lo = std::min(range.lo, v.x[i]);
    range.hi = std::max(range.hi, v.x[i]);
  }
  return range;
}

// Calls f for the range itself and for a fan of narrower and wider steps from its lower end, and
// for what least squares makes of each.
template <class F>
void for_each_affine_start(Values v, int q_max, bool min_may_rise, F&& f) {
  Range range = range_of(v);
  if (!min_may_rise) range.lo = std::min(range.lo, 0.0f);
  const double width = double{range.hi} - range.lo;
  // From level `q_max` - 1 or a little less at the upper end to a little more than `q_max`.
  constexpr int kTries = 16;
  f(Affine{static_cast<float>(width / q_max), range.lo});
  if (width == 0) return;
  for (int k = 0; k <= kTries; ++k) {
    const double levels = q_max + (k - 12) * 0.1 * (q_max < 8 ? 0.75 : 1.0);
    const Affine start{static_cast<float>(width / levels), range.lo};
    f(solve(affine_sums(v, static_cast<float>(q_max), start), min_may_rise));
    // The same step with the range cut at both ends.
    const Affine centred{start.scale,
                         static_cast<float>(range.lo + (width - q_max * (width / levels)) / 2)};
    if (min_may_rise || centred.min <= 0) {
      f(solve(affine_sums(v, static_cast<float>(q_max), centred), min_may_rise));
    }
  }
}

}  // namespace

Affine fit_affine(Values v, int q_max, bool min_may_rise) {
  Affine best{0, 0};
  double least = HUGE_VAL;
  const auto offer = [&](Affine affine) {
    const AffineSums sums = affine_sums(v, static_cast<float>(q_max), affine);
    const double error = sums.error(affine.scale, affine.min);
    const bool better = error < least - kNoise * sums.wxx;
    if (better) {
      least = error;
      best = affine;
    }
    return std::pair(sums, better);
  };
  for_each_affine_start(v, q_max, min_may_rise, offer);
  for (int round = 0; round < 3; ++round) {
    const AffineSums sums = affine_sums(v, static_cast<float>(q_max), best);
    if (!offer(solve(sums, min_may_rise)).second) break;
  }
  return best;
}

int StoredAffine::level(float x, int q_max) const {
  const IntegerLevels levels{0, static_cast<float>(q_max)};
  return static_cast<int>(
      levels.nearest((x - f16_to_f32(min)) * inverse_or_zero(f16_to_f32(scale))));
}

StoredAffine fit_stored_affine(Values v, int q_max) {
  StoredAffine best;
  double least = HUGE_VAL;
  const auto offer = [&](uint16_t scale, uint16_t min) {
    const Affine affine{f16_to_f32(scale), f16_to_f32(min)};
    const AffineSums sums = affine_sums(v, static_cast<float>(q_max), affine);
    const double error = sums.error(affine.scale, affine.min);
    if (error >= least - kNoise * sums.wxx) return;
    least = error;
    best = {scale, min};
  };
  for_each_affine_start(v, q_max, true, [&](Affine start) {
    offer(stored_f16(start.scale), stored_f16(start.min));
  });
  const StoredAffine middle = best;
  for (const int scale_steps : {-1, 0, 1}) {
    for (const int min_steps : {-1, 0, 1}) {
      offer(neighbour_f16(middle.scale, scale_steps), neighbour_f16(middle.min, min_steps));
    }
  }
  return best;
}

namespace {

// What the groups are to be scaled with, before d and dmin are known.
struct Wanted {
  std::array<float, 16> scale{};
  std::array<float, 16> min{};  // as it is subtracted: >= 0
  float top_scale = 0;
  float top_min = 0;
};

Wanted want(Values v, const AffineShape& shape) {
  Wanted wanted;
  const int size = v.count / shape.groups;
  for (int g = 0; g < shape.groups; ++g) {
    const Affine affine = fit_affine(v.part(g * size, size), shape.q_max, false);
    wanted.scale[g] = affine.scale;
    wanted.min[g] = -affine.min;
    wanted.top_scale = std::max(wanted.top_scale, wanted.scale[g]);
    wanted.top_min = std::max(wanted.top_min, wanted.min[g]);
  }
  return wanted;
}

// The normal equations of (d, dmin) with everything else fixed.
struct JointSums {
  double dd = 0, dm = 0, mm = 0, dx = 0, mx = 0;

  void add(const AffineSums& sums, double scale, double min) {
    dd += scale * scale * sums.wqq;
    dm -= scale * min * sums.wq;
    mm += min * min * sums.w;
    dx += scale * sums.wxq;
    mx -= min * sums.wx;
  }
};

struct Choice {
  AffineGroups groups;
  double error = HUGE_VAL;
};

// The best whole numbers for every group under d and dmin, near the wanted ones.
Choice choose(Values v, const AffineShape& shape, const Wanted& wanted, uint16_t d_half,
              uint16_t dmin_half, JointSums& joint) {
  Choice choice{.groups = {.d = d_half, .dmin = dmin_half}, .error = 0};
  const float d = f16_to_f32(d_half), dmin = f16_to_f32(dmin_half);
  const IntegerLevels numbers{0, static_cast<float>(shape.scale_max)};
  const int size = v.count / shape.groups;
  for (int g = 0; g < shape.groups; ++g) {
    const Values group = v.part(g * size, size);
    const int scale = static_cast<int>(numbers.nearest(wanted.scale[g] * inverse_or_zero(d)));
    const int min = static_cast<int>(numbers.nearest(wanted.min[g] * inverse_or_zero(dmin)));
    double least = HUGE_VAL;
    AffineSums least_sums;
    for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, shape.scale_max); ++s) {
      for (int m = std::max(min - 1, 0); m <= std::min(min + 1, shape.scale_max); ++m) {
        const Affine affine{d * static_cast<float>(s), -(dmin * static_cast<float>(m))};
        const AffineSums sums = affine_sums(group, static_cast<float>(shape.q_max), affine);
        const double error = sums.error(affine.scale, affine.min);
        if (error >= least) continue;
        least = error;
        least_sums = sums;
        choice.groups.scale[g] = static_cast<uint8_t>(s);
        choice.groups.min[g] = static_cast<uint8_t>(m);
      }
    }
    choice.error += least;
    joint.add(least_sums, choice.groups.scale[g], choice.groups.min[g]);
  }
  return choice;
}

// d and dmin of least error for the numbers chosen; what cannot be solved stays.
std::pair<uint16_t, uint16_t> solve(const JointSums& joint, uint16_t d, uint16_t dmin) {
  const double det = joint.dd * joint.mm - joint.dm * joint.dm;
  if (det > 1e-9 * joint.dd * joint.mm) {
    d = stored_f16((joint.mm * joint.dx - joint.dm * joint.mx) / det);
    dmin = stored_f16((joint.dd * joint.mx - joint.dm * joint.dx) / det);
  } else if (joint.mm == 0 && joint.dd > 0) {
    d = stored_f16(joint.dx / joint.dd);
  } else if (joint.dd == 0 && joint.mm > 0) {
    dmin = stored_f16(joint.mx / joint.mm);
  }
  // Neither is ever negative: the whole numbers could not make up for it.
  return {static_cast<uint16_t>(d >> 15 ? 0 : d), static_cast<uint16_t>(dmin >> 15 ? 0 : dmin)};
}

uint16_t stored_not_zero(double value) {
  const uint16_t half = stored_f16(value);
  return half == 0 && value > 0 ? 1 : half;
}

void set_levels(Values v, const AffineShape& shape, AffineGroups& groups) {
  const IntegerLevels levels{0, static_cast<float>(shape.q_max)};
  const int size = v.count / shape.groups;
  for (int i = 0; i < v.count; ++i) {
    const float scale = f16_to_f32(groups.d) * static_cast<float>(groups.scale[i / size]);
    const float min = f16_to_f32(groups.dmin) * static_cast<float>(groups.min[i / size]);
    groups.level[i] = static_cast<uint8_t>(levels.nearest((v.x[i] + min) * inverse_or_zero(scale)));
  }
}

}  // namespace

AffineGroups fit_affine_groups(Values v, const AffineShape& shape) {
  const Wanted wanted = want(v, shape);
  Choice best;
  // The greatest scale and minimum may take any of the last few numbers.
  constexpr int kStarts = 3;
  for (int start = 0; start < kStarts; ++start) {
    uint16_t d = stored_not_zero(double{wanted.top_scale} / (shape.scale_max - start));
    uint16_t dmin = stored_not_zero(double{wanted.top_min} / (shape.scale_max - start));
    for (int round = 0; round < 3; ++round) {
      JointSums joint;
      const Choice choice = choose(v, shape, wanted, d, dmin, joint);
      if (choice.error < best.error) best = choice;
      const auto [next_d, next_dmin] = solve(joint, d, dmin);
      if (next_d == d && next_dmin == dmin) break;
      d = next_d;
      dmin = next_dmin;
    }
  }
  set_levels(v, shape, best.groups);
  return best.groups;
}

}  // namespace hearth
