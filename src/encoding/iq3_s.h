// IQ3_S: 256 values in 64 groups of 4, each a point of a grid of 512, with a sign for each value;
// eight groups share a 4-bit scale; 3.4375 bits a value:
// value = (d * (1 + 2 * scale)) * magnitude * sign.
//
//   byte  0  2            66     74          106       110
//         |d |qs[64]      |qh[8] |signs[32]  |scales[4]|
//
// Grid point of group g: qs[g] and, as its ninth bit, bit g % 8 of qh[g / 8]. Value v is negative
// when bit v % 8 of signs[v / 8] is set. The scale of values 32 p .. 32 p + 31 is a nibble of
// scales[p / 2], low for even p.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ3_S {
  static constexpr uint32_t kElems = 256;
  uint16_t d;  // f16
  uint8_t qs[64];
  uint8_t qh[8];
  uint8_t signs[32];
  uint8_t scales[4];
};
static_assert(sizeof(BlockIQ3_S) == 110);

}  // namespace hearth
