// Q4_0: 32 values of 4 bits under one scale, 4.5 bits a value: value = d * (q - 8).
//
//   byte  0  2              18
//         |d |qs[16]         |       qs[i]: value i in the low nibble, value i + 16 in the high
#pragma once

#include <cstdint>

namespace hearth {

struct BlockQ4_0 {
  static constexpr uint32_t kElems = 32;
  uint16_t d;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

}  // namespace hearth
