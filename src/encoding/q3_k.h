// Q3_K: 256 values of 3 bits in 16 groups of 16, each with a 6-bit scale, 3.4375 bits a value:
// value = (d * (scale - 32)) * (q - 4).
//
//   byte  0         32             96          108 110
//         |hmask[32]|qs[64]        |scales[12] |d  |
//
// Value v = 128 h + 32 s + i (h < 2, s < 4, i < 32) has its low two bits in qs[32 h + i] from bit
// 2 s on, and its third bit in hmask[i] at bit 4 h + s. Scale g has its low four bits in byte
// g % 8 (low nibble for g < 8, else high) and its upper two in byte 8 + g % 4 from bit 2 (g / 4).
#pragma once

#include <cstdint>

namespace hearth {

struct BlockQ3_K {
  static constexpr uint32_t kElems = 256;
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;  // f16

  // Scale of group g (0..15), 0..63.
  constexpr int scale(int g) const {
    const int low = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4;
    const int high = (scales[8 + g % 4] >> (g / 4 * 2)) & 3;
    return low | high << 4;
  }
};
static_assert(sizeof(BlockQ3_K) == 110);

}  // namespace hearth
