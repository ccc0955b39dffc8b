// The two 16-bit float formats, converted one number at a time in integer arithmetic: the same
// bits on every machine. To narrow is to round to nearest even; overflow gives infinity, and a
// NaN stays a NaN (made quiet). Plain C++20; no state, no errors.
//
//   f16   s eeeee mmmmmmmmmm           bias 15, greatest 65504, least subnormal 2^-24
//   bf16  s eeeeeeee mmmmmmm           the upper half of an f32
#pragma once

#include <bit>
#include <cstdint>

namespace hearth {

inline constexpr float kF16Max = 65504.0f;

constexpr float f16_to_f32(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t exponent = (half >> 10) & 0x1f;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + (127 - 15)) << 23) | (mantissa << 13));
  }
  // Subnormal: mantissa * 2^-24, exact in f32.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

constexpr uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  }
  // 65520 is half way between the greatest f16 and what would come next: it rounds to infinity.
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);

  uint32_t kept = 0;     // the f16 before rounding
  uint32_t dropped = 0;  // the bits below it, left-aligned in 32
  if (magnitude >= 0x38800000u) {  // 2^-14: normal
    const uint32_t rebiased = magnitude - ((127 - 15) << 23);
    kept = rebiased >> 13;
    dropped = rebiased << 19;
  } else {
    const uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return static_cast<uint16_t>(sign);  // below 2^-25: rounds to zero
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t shift = 126 - exponent;  // 14..24
    kept = mantissa >> shift;
    dropped = mantissa << (32 - shift);
  }
  const bool up = dropped > 0x80000000u || (dropped == 0x80000000u && (kept & 1) != 0);
  return static_cast<uint16_t>(sign | (kept + (up ? 1 : 0)));  // a carry moves the exponent: right
}

constexpr float bf16_to_f32(uint16_t half) {
  return std::bit_cast<float>(uint32_t{half} << 16);
}

constexpr uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

}  // namespace hearth
