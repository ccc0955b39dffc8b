// Q6_K: 256 values of 6 bits in 16 groups of 16, each with an 8-bit scale, 6.5625 bits a value:
// value = (d * scale) * (q - 32).
//
//   byte  0                128         192          208 210
//         |ql[128]         |qh[64]     |scales[16]  |d  |
//
// Value v = 128 h + 32 s + i (h < 2, s < 4, i < 32) has its low four bits in
// ql[64 h + 32 (s % 2) + i] (low nibble for s < 2, else high) and its upper two in qh[32 h + i]
// from bit 2 s on.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockQ6_K {
  static constexpr uint32_t kElems = 256;
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;  // f16
};
static_assert(sizeof(BlockQ6_K) == 210);

}  // namespace hearth
