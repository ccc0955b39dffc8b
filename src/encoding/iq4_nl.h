// IQ4_NL: 32 values of 4 bits that choose from 16 unequal steps, 4.5 bits a value:
// value = d * kIq4Levels[q].
//
//   byte  0  2              18
//         |d |qs[16]         |       qs[i]: value i in the low nibble, value i + 16 in the high
#pragma once

#include <cstdint>

namespace hearth {

inline constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

struct BlockIQ4_NL {
  static constexpr uint32_t kElems = 32;
  uint16_t d;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18);

}  // namespace hearth
