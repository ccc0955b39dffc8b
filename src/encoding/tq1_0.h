// TQ1_0: 256 values of -1, 0 or 1 under one scale, five to a byte, 1.6875 bits a value:
// value = d * (digit - 1).
//
//   byte  0                48    52 54
//         |qs[48]          |qh[4]|d |
//
// A byte is a fraction in [0, 1) of 256 steps, written in base three; digit n is
// floor(3 * frac(byte / 256 * 3^n)). Values 32 n + i (n < 5, i < 32) are digit n of qs[i], values
// 160 + 16 n + i (n < 5, i < 16) of qs[32 + i], and 240 + 4 n + i (n < 4, i < 4) of qh[i].
#pragma once

#include <cstdint>

namespace hearth {

struct BlockTQ1_0 {
  static constexpr uint32_t kElems = 256;
  uint8_t qs[48];
  uint8_t qh[4];
  uint16_t d;  // f16
};
static_assert(sizeof(BlockTQ1_0) == 54);

}  // namespace hearth
