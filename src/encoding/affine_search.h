// The search of scale_search.h for formats with a scale and a minimum: x = scale * q + min with
// q = 0..q_max.
#pragma once

#include <array>
#include <cstdint>

#include "encoding/scale_search.h"

namespace hearth {

// Scale and minimum, both f16, of a block that has only one of each.
struct StoredAffine {
  uint16_t scale = 0;
  uint16_t min = 0;

  // The level nearest to x, 0..q_max.
  int level(float x, int q_max) const;
};

StoredAffine fit_stored_affine(const Values& v, int q_max);

// A block in groups: x = (d * scale[g]) * q - (dmin * min[g]), with scale and min whole numbers
// 0..number_max.
struct AffineShape {
  int groups;
  int q_max;
  int number_max;
};

struct AffineGroups {
  uint16_t d = 0;
  uint16_t dmin = 0;
  std::array<uint8_t, 16> scale{};
  std::array<uint8_t, 16> min{};
  std::array<uint8_t, 256> level{};
};

// REQUIRES: at most 16 groups and 256 values.
AffineGroups fit_affine_groups(const Values& v, const AffineShape& shape);

}  // namespace hearth
