// Q4_K: 256 values of 4 bits in 8 groups of 32, each with a 6-bit scale and a 6-bit minimum, 4.5
// bits a value: value = (d * scale) * q - (dmin * min).
//
//   byte  0  2     4           16                 144
//         |d |dmin |scales[12] |qs[128]            |
//
// qs[32 p + i] (p < 4, i < 32): value 64 p + i in the low nibble, 64 p + 32 + i in the high.
#pragma once

#include <cstdint>

#include "encoding/scales_6bit.h"

namespace hearth {

struct BlockQ4_K {
  static constexpr uint32_t kElems = 256;
  uint16_t d;     // f16
  uint16_t dmin;  // f16
  Scales6 scales;
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

}  // namespace hearth
