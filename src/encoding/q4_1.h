// Q4_1: 32 values of 4 bits with scale and minimum, 5 bits a value: value = d * q + m.
//
//   byte  0  2  4              20
//         |d |m |qs[16]         |    qs[i]: value i in the low nibble, value i + 16 in the high
#pragma once

#include <cstdint>

namespace hearth {

struct BlockQ4_1 {
  static constexpr uint32_t kElems = 32;
  uint16_t d;  // f16
  uint16_t m;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

}  // namespace hearth
