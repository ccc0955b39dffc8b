// The constants of the transcendental functions, shared by the oracle and the vector code so that
// both give the same bits. Polynomials: weighted minimax fits, rounded to float.
#pragma once

#include <cstdint>

namespace hearth {

// exp(x) = 2^n * (1 + r + r^2 * P(r)), n = round(x * log2(e)), r = x - n * ln(2) in two pieces,
// |r| <= 0.35. The polynomial is off by 0.06 ulp.
inline constexpr float kExpLowest = -104.0f;  // below, the answer rounds to 0
inline constexpr float kExpHighest = 89.0f;   // above, it is infinite
inline constexpr float kLog2E = 1.442695041f;
inline constexpr float kLn2High = 0x1.62e4p-1f;
inline constexpr float kLn2Low = 1.4286068e-06f;
inline constexpr float kExpPoly[5] = {0x1.fffffcp-2f, 0x1.55548ap-3f, 0x1.555916p-5f,
                                      0x1.123fc6p-7f, 0x1.6a1a6ep-10f};
// Adding and subtracting it rounds |x| < 2^22 to an integer, and leaves n in the low bits.
inline constexpr float kRoundMagic = 12582912.0f;

// 2^x = 2^n * (1 + r * P(r)), n = round(x), r = x - n: for weights that are rounded to bfloat16
// afterwards. Off by 2.8e-6 of the value; 2^0 is 1.
inline constexpr float kExp2Lowest = -151.0f;  // below, the answer rounds to 0
inline constexpr float kExp2Poly[4] = {0x1.62e12cp-1f, 0x1.ec0378p-3f, 0x1.c9fc46p-5f,
                                       0x1.3a02ccp-7f};

// tanh(x) = x + x^3 * P(x^2) for |x| < kTanhSplit, else 1 - 2 / (exp(2|x|) + 1) with x's sign.
inline constexpr float kTanhSplit = 0.625f;
inline constexpr float kTanhPoly[5] = {-0.3333328f, 0.13331442f, -0.05373971f, 0.020639079f,
                                       -0.0057049785f};

// gelu(x) = x * sigmoid(x * (kGeluLinear + kGeluCubic * x^2)).
inline constexpr float kGeluLinear = 1.5957691216f;   // 2 * sqrt(2 / pi)
inline constexpr float kGeluCubic = 0.07135481283f;   // kGeluLinear * 0.044715

// log_sum_exp adds this many exponentials in float before it goes on in double.
inline constexpr int kLogSumBlock = 1024;

// log of a finite double >= 1, from additions and products alone (no libm, whose last bit depends
// on the processor): 2^e * m, then the series of 2 * atanh((m - 1) / (m + 1)).
double log_of_sum(double x);

}  // namespace hearth
