// IQ4_XS: 256 values of 4 bits in 8 groups of 32 that choose from the steps of IQ4_NL, each group
// with a 6-bit scale, 4.25 bits a value: value = (d * (scale - 32)) * kIq4Levels[q].
//
//   byte  0  2         4          8                 136
//         |d |scales_h |scales_l[4]|qs[128]           |
//
// Scale g has its low four bits in scales_l[g / 2] (low nibble for even g) and its upper two in
// scales_h from bit 2 g on. qs[16 g + i] (i < 16): value 32 g + i in the low nibble,
// 32 g + 16 + i in the high.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockIQ4_XS {
  static constexpr uint32_t kElems = 256;
  uint16_t d;  // f16
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];

  // Scale of group g (0..7), 0..63.
  constexpr int scale(int g) const {
    return ((scales_l[g / 2] >> (g % 2 * 4)) & 15) | ((scales_h >> (2 * g)) & 3) << 4;
  }
};
static_assert(sizeof(BlockIQ4_XS) == 136);

}  // namespace hearth
