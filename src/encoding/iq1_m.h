// IQ1_M: 256 values in 32 groups of 8, each a point (of -1, 0, 1) of a grid of 2048 with an offset
// of an eighth up or down; two groups share a 3-bit scale; 1.75 bits a value:
// value = (d * (2 * scale + 1)) * (digit + offset).
//
//   byte  0            32        48             56
//         |qs[32]      |qh[16]   |scales[4] (u16)|
//
// Nibble g % 2 of qh[g / 2]: bits 0-2 are the upper bits of the grid point of group g (the lower
// eight are qs[g]); bit 3 set means offset -1/8, clear +1/8. scales[k] holds four 3-bit scales,
// each for two groups, from bit 0 on; its upper nibble is nibble k of the f16 d.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ1_M {
  static constexpr uint32_t kElems = 256;
  uint8_t qs[32];
  uint8_t qh[16];
  uint16_t scales[4];

  // The f16 scale, put together from its four nibbles.
  constexpr uint16_t d() const {
    return static_cast<uint16_t>(scales[0] >> 12 | (scales[1] >> 8 & 0xf0) |
                                 (scales[2] >> 4 & 0xf00) | (scales[3] & 0xf000));
  }
};
static_assert(sizeof(BlockIQ1_M) == 56);

}  // namespace hearth
