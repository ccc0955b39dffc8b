// IQ2_XXS: 256 values in 32 groups of 8, each a point of a grid of 256 with a pattern of signs;
// four groups share a 4-bit scale; 2.0625 bits a value:
// value = (d * (0.5 + scale) * 0.25) * magnitude * sign.
//
//   byte  0  2                                66
//         |d |qs[32]: 8 x {4 bytes, 32 bits}   |
//
// In each of the 8 parts the four bytes are grid points; of the 32 bits, 7 each for the signs of
// the four groups (iq_signs) and the upper four the scale.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ2_XXS {
  static constexpr uint32_t kElems = 256;
  uint16_t d;  // f16
  uint16_t qs[32];
};
static_assert(sizeof(BlockIQ2_XXS) == 66);

}  // namespace hearth
