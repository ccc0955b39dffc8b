// TQ2_0: 256 values of -1, 0 or 1 (2 can be read but is not written) under one scale, 2 bits each,
// 2.0625 bits a value: value = d * (q - 1).
//
//   byte  0                64 66
//         |qs[64]          |d |
//
// Value v = 128 h + 32 s + i (h < 2, s < 4, i < 32) is the two bits of qs[32 h + i] from bit 2 s.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockTQ2_0 {
  static constexpr uint32_t kElems = 256;
  uint8_t qs[64];
  uint16_t d;  // f16
};
static_assert(sizeof(BlockTQ2_0) == 66);

}  // namespace hearth
