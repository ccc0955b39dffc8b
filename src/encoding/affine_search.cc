#include "encoding/affine_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

namespace hearth {
namespace {

struct Affine {
  float scale = 0;
  float min = 0;
};

// Sums over the values alone.
struct Energy {
  double w = 0, wx = 0, wxx = 0;
};

Energy energy(const Values& v) {
  Energy out;
  for (int i = 0; i < v.count; ++i) {
    out.w += v.weight[i];
    out.wx += v.weighted[i];
    out.wxx += v.weighted[i] * v.x[i];
  }
  return out;
}

// Sums over values and levels: with Energy all that the error depends on.
struct LevelSums {
  double wq = 0, wqq = 0, wxq = 0;

  double error(const Energy& e, double scale, double min) const {
    return e.wxx + scale * (scale * wqq - 2 * wxq + 2 * min * wq) + min * (min * e.w - 2 * e.wx);
  }
};

// Of the levels nearest to (x - min) / scale; scale 0 puts all on level 0.
LevelSums level_sums(const Values& v, int q_max, Affine affine) {
  const IntegerLevels levels{0, static_cast<float>(q_max)};
  const float inverse = inverse_or_zero(affine.scale);
  Double4 wq{}, wqq{}, wxq{}, w, wx;
  for (int i = 0; i < v.count; i += 4) {
    const Float4 level = levels.nearest((load4(v.x + i) - affine.min) * inverse);
    const auto q = __builtin_convertvector(level, Double4);
    load4(v.weight + i, w);
    load4(v.weighted + i, wx);
    const Double4 weighted_level = w * q;
    wq += weighted_level;
    wqq += weighted_level * q;
    wxq += wx * q;
  }
  return {sum4(wq), sum4(wqq), sum4(wxq)};
}

// A pair of unknowns and their normal equations.
struct Pair {
  double aa, ab, bb, ax, bx;

  bool solvable() const { return aa * bb - ab * ab > 1e-9 * aa * bb; }
  double a() const { return (bb * ax - ab * bx) / (aa * bb - ab * ab); }
  double b() const { return (aa * bx - ab * ax) / (aa * bb - ab * ab); }
};

float to_float(double value) { return static_cast<float>(std::clamp(value, -3e38, 3e38)); }

// The best scale (>= 0) and minimum for fixed levels.
Affine solve(const Energy& e, const LevelSums& sums, bool min_may_rise) {
  const Pair pair{sums.wqq, sums.wq, e.w, sums.wxq, e.wx};
  double scale = 0, min = e.wx / e.w;  // right if all are on level 0
  if (pair.solvable()) std::tie(scale, min) = std::pair(pair.a(), pair.b());
  if ((min > 0 && !min_may_rise) || (!pair.solvable() && sums.wqq > 0)) {
    min = 0;
    scale = sums.wqq > 0 ? sums.wxq / sums.wqq : 0;
  }
  return {to_float(std::max(scale, 0.0)), to_float(min)};
}

// A search for scale and minimum with one start after the other: the best so far.
class AffineSearch {
 public:
  AffineSearch(const Values& v, int q_max, bool min_may_rise)
      : v_(v), energy_(energy(v)), q_max_(q_max), min_may_rise_(min_may_rise) {}

  // Takes the levels that `start` gives, and for them the best scale and minimum.
  bool offer(Affine start) {
    const LevelSums sums = level_sums(v_, q_max_, start);
    const Affine solved = solve(energy_, sums, min_may_rise_);
    const double error = sums.error(energy_, solved.scale, solved.min);
    if (error >= least_ - kNoise * energy_.wxx) return false;
    least_ = error;
    best_ = solved;
    return true;
  }

  // Goes back and forth until nothing changes.
  void refine() {
    for (int round = 0; round < 3 && offer(best_); ++round) {
    }
  }

  Affine best() const { return best_; }

 private:
  const Values& v_;
  const Energy energy_;
  const int q_max_;
  const bool min_may_rise_;
  double least_ = HUGE_VAL;
  Affine best_;
};

// All values between level 0 and q_max.
Affine plain_affine(const Values& v, int q_max, bool min_may_rise) {
  const auto [lo, hi] = std::minmax_element(v.x, v.x + v.count);
  const float min = min_may_rise ? *lo : std::min(*lo, 0.0f);
  return {to_float((double{*hi} - min) / q_max), min};
}

// The best scale (>= 0) and minimum, not yet rounded; min <= 0 where `min_may_rise` is false.
Affine fit_affine(const Values& v, int q_max, bool min_may_rise) {
  const Affine plain = plain_affine(v, q_max, min_may_rise);
  AffineSearch search(v, q_max, min_may_rise);
  search.offer(plain);
  if (plain.scale == 0) return search.best();
  // A fan of smaller and greater steps; what does not fit then is cut off above, at both ends, or
  // below.
  constexpr int kTries = 7;
  for (int k = -kTries; k <= kTries; ++k) {
    const double levels = q_max + 0.16 * k * (q_max < 8 ? 0.8 : 1.0);
    const double scale = plain.scale * (q_max / levels);
    const double slack = q_max * (double{plain.scale} - scale);
    for (const double below : {0.0, 0.5, 1.0}) {
      const double min = plain.min + below * slack;
      if (min_may_rise || min <= 0) search.offer({to_float(scale), to_float(min)});
    }
  }
  search.refine();
  return search.best();
}

}  // namespace

int StoredAffine::level(float x, int q_max) const {
  const IntegerLevels levels{0, static_cast<float>(q_max)};
  const float inverse = inverse_or_zero(f16_to_f32(scale));
  return static_cast<int>(levels.nearest((x - f16_to_f32(min)) * inverse));
}

StoredAffine fit_stored_affine(const Values& v, int q_max) {
  const Energy e = energy(v);
  StoredAffine best;
  double least = HUGE_VAL;
  const auto offer = [&](StoredAffine stored) {
    const Affine affine{f16_to_f32(stored.scale), f16_to_f32(stored.min)};
    const LevelSums sums = level_sums(v, q_max, affine);
    const double error = sums.error(e, affine.scale, affine.min);
    if (error < least - kNoise * e.wxx) {
      least = error;
      best = stored;
    }
    const Affine solved = solve(e, sums, true);
    return StoredAffine{stored_f16(solved.scale), stored_f16(solved.min)};
  };
  const Affine plain = plain_affine(v, q_max, true);
  offer({stored_f16(plain.scale), stored_f16(plain.min)});
  const Affine free = fit_affine(v, q_max, true);
  StoredAffine next{stored_f16(free.scale), stored_f16(free.min)};
  for (int round = 0; round < 3; ++round) next = offer(next);
  const StoredAffine middle = best;
  for (const int scale_steps : {-1, 0, 1}) {
    for (const int min_steps : {-1, 0, 1}) {
      offer({neighbour_f16(middle.scale, scale_steps), neighbour_f16(middle.min, min_steps)});
    }
  }
  return best;
}

namespace {

// One choice of d, dmin and all whole numbers for a block in groups.
struct Choice {
  AffineGroups groups;
  double error = HUGE_VAL;
  uint16_t next_d = 0, next_dmin = 0;  // the best for these numbers and levels
};

class GroupSearch {
 public:
  GroupSearch(const Values& v, const AffineShape& shape)
      : v_(v), shape_(shape), size_(v.count / shape.groups) {
    for (int g = 0; g < shape.groups; ++g) {
      energy_[g] = energy(group(g));
      const Affine affine = fit_affine(group(g), shape.q_max, false);
      scale_[g] = affine.scale;
      min_[g] = -affine.min;
      top_plain_scale_ =
          std::max(top_plain_scale_, plain_affine(group(g), shape.q_max, false).scale);
    }
  }

  AffineGroups run() {
    const double top_scale = *std::max_element(scale_.begin(), scale_.end());
    std::array<float, 16> mins = min_;
    std::nth_element(mins.begin(), mins.begin() + 1, mins.end(), std::greater<>());
    const double top_min = mins[0], second_min = mins[1];
    // The greatest scale and minimum may take any of the last few numbers: this matters where
    // other groups are so small that their own numbers are coarse.
    constexpr int kEnds = 5;
    for (int n = 0; n < kEnds; ++n) {
      const int scale_number = std::max(shape_.number_max - n, 1);
      const int min_number = std::max(shape_.number_max - 3 * n % kEnds, 1);
      offer(stored_f16_not_zero(top_scale / scale_number),
            stored_f16_not_zero(top_min / min_number), 0);
    }
    constexpr int kReach = 16;
    // A group with an outlier may want a minimum only to be one level further on, which spoils
    // the others' minimums, or fewer levels, which spoils their scales.
    if (second_min > 0 && second_min < top_min / 2) {
      const uint16_t dmin = stored_f16_not_zero(second_min / shape_.number_max);
      offer(stored_f16_not_zero(top_scale / shape_.number_max), dmin, kReach);
      offer(stored_f16_not_zero(top_plain_scale_ / shape_.number_max), dmin, kReach);
    }
    // A small group has few levels and its error many dips, so now look further around.
    follow(best_.groups);
    offer(best_.groups.d, best_.groups.dmin, kReach);
    for (int round = 0; round < 3; ++round) {
      follow(best_.groups);
      if (!offer(best_.next_d, best_.next_dmin, 1)) break;
    }
    set_levels();
    return best_.groups;
  }

 private:
  Values group(int g) const { return v_.part(g * size_, size_); }

  // The numbers chosen become the ones wanted, so that the next choice can move on from them.
  void follow(const AffineGroups& groups) {
    for (int g = 0; g < shape_.groups; ++g) {
      scale_[g] = f16_to_f32(groups.d) * groups.scale[g];
      min_[g] = f16_to_f32(groups.dmin) * groups.min[g];
    }
  }

  // Tries d and dmin with the best numbers, minimums up to `reach` from the wanted included.
  bool offer(uint16_t d, uint16_t dmin, int reach) {
    Choice choice{.groups = {.d = d, .dmin = dmin}, .error = 0};
    Pair joint{};
    for (int g = 0; g < shape_.groups; ++g) {
      const LevelSums sums = choose(g, reach, choice);
      const double scale = choice.groups.scale[g], min = choice.groups.min[g];
      joint.aa += scale * scale * sums.wqq;
      joint.ab -= scale * min * sums.wq;
      joint.bb += min * min * energy_[g].w;
      joint.ax += scale * sums.wxq;
      joint.bx -= min * energy_[g].wx;
    }
    choice.next_d = d;
    choice.next_dmin = dmin;
    if (joint.solvable()) {
      choice.next_d = stored_f16(std::max(joint.a(), 0.0));
      choice.next_dmin = stored_f16(std::max(joint.b(), 0.0));
    } else if (joint.bb == 0 && joint.aa > 0) {
      choice.next_d = stored_f16(std::max(joint.ax / joint.aa, 0.0));
    } else if (joint.aa == 0 && joint.bb > 0) {
      choice.next_dmin = stored_f16(std::max(joint.bx / joint.bb, 0.0));
    }
    if (choice.error >= best_.error) return false;
    best_ = choice;
    return true;
  }

  // The best numbers for group g under the d and dmin of `choice`, near the wanted ones.
  LevelSums choose(int g, int reach, Choice& choice) const {
    const float d = f16_to_f32(choice.groups.d), dmin = f16_to_f32(choice.groups.dmin);
    const IntegerLevels numbers{0, static_cast<float>(shape_.number_max)};
    const Energy& e = energy_[g];
    const int near_scale = static_cast<int>(numbers.nearest(scale_[g] * inverse_or_zero(d)));
    const int near_min = static_cast<int>(numbers.nearest(min_[g] * inverse_or_zero(dmin)));
    double least = HUGE_VAL;
    LevelSums least_sums;
    // Returns the minimum that suits the levels best.
    const auto offer = [&](int scale, int min) {
      const Affine affine{d * static_cast<float>(scale), -(dmin * static_cast<float>(min))};
      const LevelSums sums = level_sums(group(g), shape_.q_max, affine);
      const double error = sums.error(e, affine.scale, affine.min);
      if (error < least) {
        least = error;
        least_sums = sums;
        choice.groups.scale[g] = static_cast<uint8_t>(scale);
        choice.groups.min[g] = static_cast<uint8_t>(min);
      }
      const double best_min = (affine.scale * sums.wq - e.wx) / e.w;
      return static_cast<int>(numbers.nearest(to_float(best_min) * inverse_or_zero(dmin)));
    };
    const int lo = std::max(near_scale - 1, 0), hi = std::min(near_scale + 1, shape_.number_max);
    for (int scale = lo; scale <= hi; ++scale) {
      const int next = offer(scale, near_min);
      if (next != near_min) offer(scale, next);
      // Beyond half a step between levels it is all the same again, one level on.
      const float half_step = d * static_cast<float>(scale) / 2;
      const int far = static_cast<int>(std::min(half_step * inverse_or_zero(dmin) + 1, 16.0f));
      for (int off = 1; off <= std::min(far, reach); ++off) {
        if (near_min + off <= shape_.number_max) offer(scale, near_min + off);
        if (near_min - off >= 0) offer(scale, near_min - off);
      }
    }
    choice.error += least;
    return least_sums;
  }

  void set_levels() {
    AffineGroups& out = best_.groups;
    const IntegerLevels levels{0, static_cast<float>(shape_.q_max)};
    for (int i = 0; i < v_.count; ++i) {
      const float scale = f16_to_f32(out.d) * static_cast<float>(out.scale[i / size_]);
      const float min = f16_to_f32(out.dmin) * static_cast<float>(out.min[i / size_]);
      const float level = levels.nearest((v_.x[i] + min) * inverse_or_zero(scale));
      out.level[i] = static_cast<uint8_t>(level);
    }
  }

  const Values& v_;
  const AffineShape shape_;
  const int size_;
  std::array<Energy, 16> energy_{};
  std::array<float, 16> scale_{}, min_{};  // wanted
  float top_plain_scale_ = 0;
  Choice best_;
};

}  // namespace

AffineGroups fit_affine_groups(const Values& v, const AffineShape& shape) {
  return GroupSearch(v, shape).run();
}

}  // namespace hearth
