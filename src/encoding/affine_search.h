// The search of scale_search.h for formats with a scale and a minimum: x = scale * q + min with
// q = 0..q_max.
#pragma once

#include <array>
#include <cstdint>

#include "encoding/scale_search.h"

namespace hearth {

// All that the error depends on once every q is fixed.
struct AffineSums {
  double w = 0, wx = 0, wxx = 0;     // of the values alone
  double wq = 0, wqq = 0, wxq = 0;  // with the levels

  double error(double scale, double min) const;
};

struct Affine {
  float scale = 0;
  float min = 0;
};

// The sums with q the level nearest to (x - min) / scale; scale 0 puts all on level 0.
AffineSums affine_sums(Values v, float q_max, Affine affine);

// The best scale (>= 0) and minimum, not yet rounded; min <= 0 where `min_may_rise` is false.
Affine fit_affine(Values v, int q_max, bool min_may_rise);

// Scale and minimum, both f16, of least error, for a block that has only one of each.
struct StoredAffine {
  uint16_t scale = 0;
  uint16_t min = 0;

  // The level of x, 0..q_max.
  int level(float x, int q_max) const;
};
StoredAffine fit_stored_affine(Values v, int q_max);

// A block of 256 in groups: x = (d * scale[g]) * q - (dmin * min[g]), with scale and min whole
// numbers 0..scale_max.
struct AffineShape {
  int groups;
  int q_max;
  int scale_max;
};

struct AffineGroups {
  uint16_t d = 0;
  uint16_t dmin = 0;
  std::array<uint8_t, 16> scale{};
  std::array<uint8_t, 16> min{};
  std::array<uint8_t, 256> level{};
};

AffineGroups fit_affine_groups(Values v, const AffineShape& shape);

}  // namespace hearth
