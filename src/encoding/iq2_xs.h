// IQ2_XS: 256 values in 32 groups of 8, each a point of a grid of 512 with a pattern of signs;
// two groups share a 4-bit scale; 2.3125 bits a value:
// value = (d * (0.5 + scale) * 0.25) * magnitude * sign.
//
//   byte  0  2                      66        74
//         |d |qs[32]                |scales[8]|
//
// qs[g]: grid point in the low nine bits, signs (iq_signs) in the upper seven. scales[p]: low
// nibble for groups 4 p and 4 p + 1, high for 4 p + 2 and 4 p + 3.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ2_XS {
  static constexpr uint32_t kElems = 256;
  uint16_t d;  // f16
  uint16_t qs[32];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2_XS) == 74);

}  // namespace hearth
