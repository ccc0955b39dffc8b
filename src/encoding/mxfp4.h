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

// 2^(e - 128), exact: 0 and 1 are subnormal. 255, NaN in the standard, is 2^127 here as in GGUF.
inline float mxfp4_half_scale(uint8_t e) {
  return __builtin_bit_cast(float, e < 2 ? 0x00200000u << e : uint32_t{e - 1u} << 23);
}

}  // namespace hearth
