#include <bit>
#include <cmath>

#include "kernels/coefficients.h"
#include "kernels/ref/ref.h"

namespace hearth {

double log_of_sum(double x) {
  if (!(x >= 1.0) || x > 1e300) return x > 1e300 ? x : (x >= 0.0 ? -0.0 : x);
  int e = 0;
  while (x > 1.4142135623730951) {
    x *= 0.5;
    ++e;
  }
  const double s = (x - 1.0) / (x + 1.0), s2 = s * s;
  double series = 0.0;
  for (int k = 23; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
  return e * 0.6931471805599453 + 2.0 * s * series;
}

namespace ref {

float Lanes::sum() const {
  float l[16];
  for (int i = 0; i < 16; ++i) l[i] = lane[i];
  for (int step = 8; step >= 1; step /= 2) {
    for (int i = 0; i < step; ++i) l[i] += l[i + step];
  }
  return l[0];
}

float dot(const float* a, const float* b, int64_t count) {
  Lanes acc;
  for (int64_t i = 0; i < (count + 15) / 16 * 16; ++i) {
    const bool inside = i < count;
    acc.lane[i % 16] = std::fma(inside ? a[i] : 0.0f, inside ? b[i] : 0.0f, acc.lane[i % 16]);
  }
  return acc.sum();
}

float exp(float x) {
  if (x < kExpLowest) x = kExpLowest;
  if (x > kExpHighest) x = kExpHighest;
  const float shifted = std::fma(x, kLog2E, kRoundMagic);
  const float n = shifted - kRoundMagic;
  float r = std::fma(n, -kLn2High, x);
  r = std::fma(n, -kLn2Low, r);
  float p = kExpPoly[4];
  for (int i = 3; i >= 0; --i) p = std::fma(p, r, kExpPoly[i]);
  p = std::fma(p * r, r, r) + 1.0f;
  // In two steps, because 2^n itself may be too small for a normal number.
  const int32_t whole = static_cast<int32_t>(std::bit_cast<uint32_t>(shifted) -
                                             std::bit_cast<uint32_t>(kRoundMagic));
  const int32_t half = whole >> 1;
  const auto pow2 = [](int32_t e) {
    return std::bit_cast<float>((static_cast<uint32_t>(e) + 127u) << 23);
  };
  return p * pow2(half) * pow2(static_cast<int32_t>(static_cast<uint32_t>(whole) -
                                                    static_cast<uint32_t>(half)));
}

float tanh(float x) {
  const float magnitude = std::fabs(x);
  if (magnitude < kTanhSplit) {
    const float z = x * x;
    float p = kTanhPoly[4];
    for (int i = 3; i >= 0; --i) p = std::fma(p, z, kTanhPoly[i]);
    return std::fma(p * z, x, x);
  }
  return std::copysign(1.0f - 2.0f / (exp(magnitude + magnitude) + 1.0f), x);
}

float sigmoid_times(float x, float z) {
  // The exponent is never positive, so that nothing overflows.
  const float e = exp(-std::fabs(z));
  return (z >= 0.0f ? x : x * e) / (1.0f + e);
}

uint16_t to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float from_bf16(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

uint16_t to_f16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
  }
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // 65520 and more round to infinity
  if (magnitude < 0x38800000u) {                        // below 2^-14: subnormal
    // 0.5 has the spacing 2^-24 of these numbers, and the addition rounds to nearest even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000u) >> 13);
}

float from_f16(uint16_t x) {
  const uint32_t sign = (x & 0x8000u) << 16;
  const uint32_t exponent = x >> 10 & 31u, mantissa = x & 0x3ffu;
  if (exponent == 31) {
    const uint32_t quiet = mantissa != 0 ? 0x400000u : 0;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | mantissa << 13);
  }
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  return std::bit_cast<float>(sign | (exponent + 112u) << 23 | mantissa << 13);
}

}  // namespace ref
}  // namespace hearth
