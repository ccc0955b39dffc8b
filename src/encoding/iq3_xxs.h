// IQ3_XXS: 256 values in 64 groups of 4, each a point of a grid of 256; two groups share a pattern
// of signs and eight a 4-bit scale; 3.0625 bits a value:
// value = (d * (0.5 + scale) * 0.5) * magnitude * sign.
//
//   byte  0  2                  66                98
//         |d |points[64]        |parts[8] (u32)    |
//
// points[g] is the grid point of values 4 g .. 4 g + 3. parts[p], little endian: 7 bits each for
// the signs (iq_signs) of values 32 p + 8 k .. + 7 (k < 4), and the upper four bits the scale.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ3_XXS {
  static constexpr uint32_t kElems = 256;
  uint16_t d;  // f16
  uint8_t points[64];
  uint16_t parts[16];  // two halves each, since blocks are aligned to 2
};
static_assert(sizeof(BlockIQ3_XXS) == 98);

}  // namespace hearth
