// MXFP4: 32 four-bit floats (sign, two bits of exponent, one of mantissa) under a power of two,
// 4.25 bits a value (OCP Microscaling): value = 2^(e - 128) * kMxfp4Levels[q], the levels being
// twice the four-bit floats.
//
//   byte  0 1              17
//         |e|qs[16]         |        qs[i]: value i in the low nibble, value i + 16 in the high
#pragma once

#include <cstdint>

namespace hearth {

inline constexpr int8_t kMxfp4Levels[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                            0, -1, -2, -3, -4, -6, -8, -12};

struct BlockMXFP4 {
  static constexpr uint32_t kElems = 32;
  uint8_t e;
  uint8_t qs[16];
};
static_assert(sizeof(BlockMXFP4) == 17);

}  // namespace hearth
