// Eight 6-bit scales and eight 6-bit minimums in 12 bytes, as Q4_K and Q5_K keep them.
//
//   bytes 0-3   scale j + 4, bits 4-5 | scale j         (j = 0..3, two bits and six)
//   bytes 4-7   min   j + 4, bits 4-5 | min   j
//   bytes 8-11  min   j + 4, bits 0-3 | scale j + 4, bits 0-3
#pragma once

#include <cstdint>

namespace hearth {

struct Scales6 {
  uint8_t bytes[12];

  // Scale and minimum of group g (0..7), 0..63.
  constexpr int scale(int g) const {
    return g < 4 ? bytes[g] & 63 : (bytes[g + 4] & 15) | (bytes[g - 4] >> 6) << 4;
  }
  constexpr int min(int g) const {
    return g < 4 ? bytes[g + 4] & 63 : (bytes[g + 4] >> 4) | (bytes[g] >> 6) << 4;
  }

  // Writes eight of each; all 12 bytes are replaced.
  constexpr void set(const uint8_t* scale, const uint8_t* min) {
    for (int j = 0; j < 4; ++j) {
      bytes[j] = static_cast<uint8_t>((scale[j] & 63) | (scale[j + 4] >> 4 & 3) << 6);
      bytes[j + 4] = static_cast<uint8_t>((min[j] & 63) | (min[j + 4] >> 4 & 3) << 6);
      bytes[j + 8] = static_cast<uint8_t>((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
    }
  }
};
static_assert(sizeof(Scales6) == 12);

}  // namespace hearth
