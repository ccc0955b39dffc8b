// Q8_0: 32 signed bytes under one scale, 8.5 bits a value: value = d * q.
//
//   byte  0  2                              34
//         |d |qs[32]                         |
#pragma once

#include <cstdint>

namespace hearth {

struct BlockQ8_0 {
  static constexpr uint32_t kElems = 32;
  uint16_t d;  // f16
  int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

}  // namespace hearth
