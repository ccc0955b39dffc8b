// Q5_0: 32 values of 5 bits under one scale, 5.5 bits a value: value = d * (q - 16).
//
//   byte  0  2      6              22
//         |d |qh[4] |qs[16]         |
//
// qs[i]: the low 4 bits of value i in the low nibble, of value i + 16 in the high. The fifth bit
// of value i is bit i of qh, read as one little-endian number.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockQ5_0 {
  static constexpr uint32_t kElems = 32;
  uint16_t d;  // f16
  uint8_t qh[4];
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

}  // namespace hearth
