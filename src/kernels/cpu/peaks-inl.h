// The fastest loops that an instruction set allows, to compare kernels with: products without
// loads in as many accumulators as hide the latency, and a read that does nothing with what it
// reads.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/lines.h"
#include "kernels/cpu/tables.h"
#include "kernels/cpu/vec.h"

namespace hearth::HEARTH_ISA {

// Keeps the compiler from computing a loop ahead of time.
template <class T>
inline void touch(T& value) {
  asm volatile("" : "+m"(value)::"memory");
}

inline constexpr int kPeakAccumulators = HEARTH_ISA_LEVEL >= 2 ? 24 : 6;

template <class Acc, class Step>
inline int64_t peak(Acc start, int64_t steps, int64_t macs_per_step, Step step) {
  Acc acc[kPeakAccumulators];
#pragma GCC unroll 24
  for (int i = 0; i < kPeakAccumulators; ++i) {
    Acc first = start;
    touch(first);  // or all would be one
    acc[i] = first;
  }
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 24
    for (int i = 0; i < kPeakAccumulators; ++i) acc[i] = step(acc[i]);
  }
#pragma GCC unroll 24
  for (int i = 0; i < kPeakAccumulators; ++i) {
    Acc last = acc[i];  // a copy: acc itself would be stored in every round
    touch(last);
  }
  return steps * kPeakAccumulators * macs_per_step;
}

inline int64_t peak_f32(int64_t steps) {
  F32x16 a = splat(0.5f), b = splat(0.25f);
  touch(a);
  touch(b);
  return peak(zero(), steps, 16, [a, b](F32x16 acc) { return fma(a, b, acc); });
}

#if HEARTH_ISA_LEVEL >= 3
inline int64_t peak_bf16(int64_t steps) {
  Bf16x32 a = round_bf16(splat(0.5f), splat(0.5f)), b = a;
  touch(a);
  touch(b);
  return peak(zero(), steps, 32, [a, b](F32x16 acc) { return dot_bf16(a, b, acc); });
}
#endif

#if HEARTH_ISA_LEVEL >= 1
inline int64_t peak_int8(int64_t steps) {
  U8x64 a = {};
  I32x16 b = int_splat(0x01020304);
  touch(a);
  touch(b);
  return peak(int_zero(), steps, 64, [a, b](I32x16 acc) { return dot_bytes(acc, a, b); });
}
#endif

// Reads `count` floats, a multiple of 64.
inline void peak_read(const float* p, int64_t count) {
  F32x16 acc[4] = {zero(), zero(), zero(), zero()};
  for (int64_t i = 0; i < count; i += 64) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) acc[j] = max(acc[j], load(p + i + 16 * j));
  }
  for (int j = 0; j < 4; ++j) touch(acc[j]);
}

#if HEARTH_ISA_LEVEL >= 3
constexpr Peaks make_peaks() { return {peak_f32, peak_bf16, peak_int8, peak_read}; }
#elif HEARTH_ISA_LEVEL >= 1
constexpr Peaks make_peaks(int64_t (*int8)(int64_t) = peak_int8) {
  return {peak_f32, nullptr, int8, peak_read};
}
#else
constexpr Peaks make_peaks() { return {peak_f32, nullptr, nullptr, peak_read}; }
#endif

}  // namespace hearth::HEARTH_ISA
