// IQ1_S: 256 values in 32 groups of 8, each a point (of -1, 0, 1) of a grid of 2048; four groups
// share a 3-bit scale and an offset of an eighth up or down; 1.5625 bits a value:
// value = (d * (2 * scale + 1)) * (digit + offset).
//
//   byte  0  2            34            50
//         |d |qs[32]      |qh[8] (u16)  |
//
// Grid point of group g: qs[g] and above it the three bits of qh[g / 4] from bit 3 (g % 4) on.
// Bits 12-14 of qh are the scale; bit 15 set means offset -1/8, clear +1/8.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ1_S {
  static constexpr uint32_t kElems = 256;
  uint16_t d;  // f16
  uint8_t qs[32];
  uint16_t qh[8];
};
static_assert(sizeof(BlockIQ1_S) == 50);

}  // namespace hearth
