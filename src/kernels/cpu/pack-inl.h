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

inline float largest_of(const float* x) {  // by its bits: NaN is above infinity
  return __builtin_bit_cast(float, highest_bits(load(x), load(x + 16)));
}

// A block of one digit, or where `first` is given of two.
inline void pack_block(const float* x, ActivationBlock& out, FirstDigits* first) {
  const float largest_digits = first == nullptr ? 127.0f : 8191.0f;
  const float largest = largest_of(x);
  const uint32_t bits = __builtin_bit_cast(uint32_t, largest);
  const bool normal = bits >= kTinyBits && bits < kInfiniteBits;
  const F32x16 inverse = splat(normal ? largest_digits / largest : 0.0f);
  out.scale = normal ? largest / largest_digits : bits < kTinyBits ? 0.0f : __builtin_nanf("");
  I32x16 q[2] = {int_zero(), int_zero()};
  if (normal) {
    q[0] = round_int(mul(load(x), inverse));
    q[1] = round_int(mul(load(x + 16), inverse));
  }
  const int32_t whole[2] = {int_sum(q[0]), int_sum(q[1])};
  int32_t last[2] = {whole[0], whole[1]};
  for (int i = 0; i < 2; ++i) {
    if (first != nullptr) {
      const I32x16 high = int_sar<7>(int_add(q[i], int_splat(64)));
      store_digits(first->digits + 16 * i, high);
      const int32_t sum = int_sum(high);
      first->minus[1 + i] = -sum;
      last[i] -= 128 * sum;
      q[i] = int_sub(q[i], int_shl<7>(high));
    }
    store_digits(out.digits + 16 * i, q[i]);
    out.minus[1 + i] = -last[i];
    out.sums[1 + i] = out.scale * static_cast<float>(whole[i]);
  }
  out.minus[0] = -(last[0] + last[1]);
  out.sums[0] = out.scale * static_cast<float>(whole[0] + whole[1]);
  if (first != nullptr) {
    first->scale = 128.0f * out.scale;
    first->minus[0] = first->minus[1] + first->minus[2];
  }
}

inline void pack_one_digit(const float* x, void* out, int64_t count) {
  auto* blocks = static_cast<ActivationBlock*>(out);
  for (int64_t i = 0; i < count; i += 32) pack_block(x + i, blocks[i / 32], nullptr);
}

// The largest value that a block of one digit may have (see kStandsOut).
inline float one_digit_limit(const float* x, int64_t count) {
  float sum = 0.0f;
  for (int64_t i = 0; i < count; i += 32) sum += __builtin_sqrtf(largest_of(x + i));
  const float mean = sum / static_cast<float>(count / 32);
  return kStandsOut * (mean * mean);
}

inline void pack_two_digits(const float* x, void* out, int64_t count) {
  const ActivationRow row = activation_row(Compute::kInt8x2, count);
  auto* bytes = static_cast<uint8_t*>(out);
  auto* blocks = static_cast<ActivationBlock*>(out);
  auto* firsts = reinterpret_cast<FirstDigits*>(bytes + row.firsts);
  auto* masks = reinterpret_cast<uint32_t*>(bytes + row.masks);
  const float limit = one_digit_limit(x, count);
  for (int64_t i = 0; i < count; i += 32) {
    const float largest = largest_of(x + i);
    const bool two = largest > limit && largest < __builtin_inff() &&
                     __builtin_bit_cast(uint32_t, largest) >= kTinyBits;
    FirstDigits& first = firsts[i / 32];
    if (!two) memset(&first, 0, sizeof first);
    pack_block(x + i, blocks[i / 32], two ? &first : nullptr);
    uint32_t& mask = masks[i / kIntegerPiece];
    if (i % kIntegerPiece == 0) mask = 0;
    mask |= static_cast<uint32_t>(two) << (i % kIntegerPiece / 32);
  }
}

inline void pack(const float* x, Compute compute, void* out, int64_t count) {
  switch (compute) {
    case Compute::kF32: memcpy(out, x, static_cast<size_t>(count) * sizeof(float)); break;
    case Compute::kBf16: to_bf16_row(x, static_cast<uint16_t*>(out), count); break;
    case Compute::kInt8: pack_one_digit(x, out, count); break;
    case Compute::kInt8x2: pack_two_digits(x, out, count); break;
  }
}

}  // namespace hearth::HEARTH_ISA
