// Activations to the forms that the computes take (api.h): blocks of integers, or bfloat16.
#pragma once

#include <cstdint>

#include "kernels/api.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/lines.h"

namespace hearth::HEARTH_ISA {

// Below this a block becomes zeros: the inverse of its scale would not be a finite number.
inline constexpr uint32_t kTinyBits = (127u - 100u) << 23;  // 2^-100
inline constexpr uint32_t kInfiniteBits = 0x7f800000u;

// Sixteen values' digits at p; digits of the same value lie 32 bytes apart.
template <int kDigits>
inline void put_digits(I32x16 q, int8_t* p) {
  if constexpr (kDigits == 1) {
    store_digits(p, q);
  } else {
    const I32x16 first = int_sar<7>(int_add(q, int_splat(64)));
    store_digits(p, first);
    store_digits(p + 32, int_sub(q, int_shl<7>(first)));
  }
}

template <int kDigits>
inline void pack_block(const float* x, ActivationBlock<kDigits>& out) {
  constexpr float kLargest = kDigits == 1 ? 127.0f : 8191.0f;
  const F32x16 low = load(x), high = load(x + 16);
  const uint32_t bits = highest_bits(low, high);
  const float highest = __builtin_bit_cast(float, bits);
  const bool normal = bits >= kTinyBits && bits < kInfiniteBits;
  const float inverse = normal ? kLargest / highest : 0.0f;
  out.scale = normal ? highest / kLargest : bits < kTinyBits ? 0.0f : __builtin_nanf("");
  I32x16 q[2] = {int_zero(), int_zero()};
  if (normal) {
    q[0] = round_int(mul(low, splat(inverse)));
    q[1] = round_int(mul(high, splat(inverse)));
  }
  const int32_t first = int_sum(q[0]), last = int_sum(q[1]);
  const int32_t sums[3] = {first + last, first, last};
  for (int i = 0; i < 3; ++i) {
    out.sums[i] = out.scale * static_cast<float>(sums[i]);
    out.minus[i] = -sums[i];
  }
  put_digits<kDigits>(q[0], out.digits[0]);
  put_digits<kDigits>(q[1], out.digits[0] + 16);
}

template <int kDigits>
inline void pack_blocks(const float* x, void* out, int64_t count) {
  auto* blocks = static_cast<ActivationBlock<kDigits>*>(out);
  for (int64_t i = 0; i < count; i += 32) pack_block<kDigits>(x + i, blocks[i / 32]);
}

inline void pack(const float* x, Compute compute, void* out, int64_t count) {
  switch (compute) {
    case Compute::kF32: memcpy(out, x, static_cast<size_t>(count) * sizeof(float)); break;
    case Compute::kBf16: to_bf16_row(x, static_cast<uint16_t*>(out), count); break;
    case Compute::kInt8: pack_blocks<1>(x, out, count); break;
    case Compute::kInt8x2: pack_blocks<2>(x, out, count); break;
  }
}

}  // namespace hearth::HEARTH_ISA
