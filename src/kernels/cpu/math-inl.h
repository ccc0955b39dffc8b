// exp, tanh and sigmoid on vectors: the oracle's formulas (ref/math.cc), operation by operation.
#pragma once

#include "kernels/coefficients.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

inline F32x16 exp(F32x16 x) {
  x = min(splat(kExpHighest), max(splat(kExpLowest), x));  // in this order NaN stays NaN
  const F32x16 shifted = fma(x, splat(kLog2E), splat(kRoundMagic));
  const F32x16 n = sub(shifted, splat(kRoundMagic));
  F32x16 r = fma(n, splat(-kLn2High), x);
  r = fma(n, splat(-kLn2Low), r);
  F32x16 p = splat(kExpPoly[4]);
  p = fma(p, r, splat(kExpPoly[3]));
  p = fma(p, r, splat(kExpPoly[2]));
  p = fma(p, r, splat(kExpPoly[1]));
  p = fma(p, r, splat(kExpPoly[0]));
  p = add(fma(mul(p, r), r, r), splat(1.0f));
  return scale_pow2(p, shifted);
}

// For x <= 0, near enough for bfloat16.
inline F32x16 exp2_near(F32x16 x) {
  x = max(splat(kExp2Lowest), x);  // NaN stays NaN
  const F32x16 shifted = add(x, splat(kRoundMagic));
  const F32x16 r = sub(x, sub(shifted, splat(kRoundMagic)));
  F32x16 p = splat(kExp2Poly[3]);
  p = fma(p, r, splat(kExp2Poly[2]));
  p = fma(p, r, splat(kExp2Poly[1]));
  p = fma(p, r, splat(kExp2Poly[0]));
  return scale_pow2(fma(p, r, splat(1.0f)), shifted);
}

inline F32x16 tanh(F32x16 x) {
  const F32x16 magnitude = abs(x), z = mul(x, x);
  F32x16 p = splat(kTanhPoly[4]);
  p = fma(p, z, splat(kTanhPoly[3]));
  p = fma(p, z, splat(kTanhPoly[2]));
  p = fma(p, z, splat(kTanhPoly[1]));
  p = fma(p, z, splat(kTanhPoly[0]));
  const F32x16 small = fma(mul(p, z), x, x);
  const F32x16 e = exp(add(magnitude, magnitude));
  const F32x16 large = sub(splat(1.0f), div(splat(2.0f), add(e, splat(1.0f))));
  return select_less(magnitude, splat(kTanhSplit), small, copy_sign(large, x));
}

// x * sigmoid(z)
inline F32x16 sigmoid_times(F32x16 x, F32x16 z) {
  const F32x16 e = exp(sub(zero(), abs(z)));
  return div(select_negative(z, mul(x, e), x), add(splat(1.0f), e));
}

}  // namespace hearth::HEARTH_ISA
