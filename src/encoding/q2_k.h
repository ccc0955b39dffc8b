// Q2_K: 256 values of 2 bits in 16 groups of 16, each with a 4-bit scale and a 4-bit minimum,
// 2.625 bits a value: value = (d * scale) * q - (dmin * min).
//
//   byte  0           16                 80 82   84
//         |scales[16] |qs[64]            |d |dmin |
//
// scales[g]: scale in the low nibble, minimum in the high. Value v = 128 h + 32 s + i (h < 2,
// s < 4, i < 32) is the two bits of qs[32 h + i] from bit 2 s on.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockQ2_K {
  static constexpr uint32_t kElems = 256;
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d;     // f16
  uint16_t dmin;  // f16
};
static_assert(sizeof(BlockQ2_K) == 84);

}  // namespace hearth
