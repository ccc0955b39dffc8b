// IQ2_S: 256 values in 32 groups of 8, each a point of a grid of 1024 and eight signs; two groups
// share a 4-bit scale; 2.5625 bits a value:
// value = (d * (0.5 + scale) * 0.25) * magnitude * sign.
//
//   byte  0  2            34           66     74        82
//         |d |qs[32]      |signs[32]   |qh[8] |scales[8]|
//
// Grid point of group g: qs[g] and above it the two bits of qh[g / 4] from bit 2 (g % 4) on.
// Value i of a group is negative when bit i of signs[g] is set. scales as in IQ2_XS.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ2_S {
  static constexpr uint32_t kElems = 256;
  uint16_t d;  // f16
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2_S) == 82);

}  // namespace hearth
