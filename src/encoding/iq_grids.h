// The codebooks of the IQ1, IQ2 and IQ3 formats: small sets of points that a code names, chosen
// from all that eight (or four) coordinates of a few levels could form.
//
// A point is one 16-bit number. Grids of eight coordinates use two bits each, coordinate i from
// bit 2 i on; grids of four use three bits each, coordinate i from bit 3 i on. What a coordinate
// stands for is said beside each grid.
#pragma once

#include <bit>
#include <cstdint>

namespace hearth {

// IQ2: magnitudes 0, 1, 2 are kIq2Levels.
extern const uint16_t kIq2XxsGrid[256];
extern const uint16_t kIq2XsGrid[512];
extern const uint16_t kIq2SGrid[1024];
inline constexpr int kIq2Levels[4] = {8, 25, 43, 0};  // 3 does not occur

// IQ3_XXS: magnitudes are kIq3XxsLevels; IQ3_S: 1 + 2 * coordinate.
extern const uint16_t kIq3XxsGrid[256];
extern const uint16_t kIq3SGrid[512];
inline constexpr int kIq3XxsLevels[8] = {4, 12, 20, 28, 36, 44, 52, 62};

// IQ1: coordinate - 1, and the whole point moved by an eighth up or down: whole eighths.
extern const uint16_t kIq1Grid[2048];
inline constexpr int kIq1Unit = 8;

// Eight signs from seven bits: the eighth makes the number of negative ones even.
constexpr uint8_t iq_signs(uint32_t seven_bits) {
  return static_cast<uint8_t>(seven_bits | (std::popcount(seven_bits) & 1) << 7);
}

// A level, negative where bit i is set.
constexpr int8_t iq_signed(int level, uint8_t signs, int i) {
  return static_cast<int8_t>((signs >> i & 1) != 0 ? -level : level);
}

// Eight values of an IQ2 format.
inline void iq2_codes(uint16_t point, uint8_t signs, int8_t* out) {
  for (int i = 0; i < 8; ++i) out[i] = iq_signed(kIq2Levels[(point >> (2 * i)) & 3], signs, i);
}

// Eight values of an IQ1 format, moved by `offset` eighths.
inline void iq1_codes(uint16_t point, int offset, int8_t* out) {
  for (int i = 0; i < 8; ++i) {
    out[i] = static_cast<int8_t>(kIq1Unit * (((point >> (2 * i)) & 3) - 1) + offset);
  }
}

}  // namespace hearth
