// The tables of the processor's instruction sets. Only dispatch.cc names them: to call one on a
// processor without its instructions is a crash. The last three are built for x86 only.
#pragma once

#include <cstdint>

#include "kernels/api.h"

namespace hearth {

// Loops at the limit of an instruction set: `steps` rounds of products, answered with the number
// of multiply-adds; nullptr where the unit is missing. read: `count` floats, a multiple of 64.
struct Peaks {
  int64_t (*f32)(int64_t steps);
  int64_t (*bf16)(int64_t steps);
  int64_t (*int8)(int64_t steps);
  void (*read)(const float* p, int64_t count);
};

// Of the best instruction set that this processor has.
const Peaks& peaks();

extern const Kernels kPlainKernels, kAvx2Kernels, kAvx512Kernels, kAvx512Bf16Kernels;
extern const Peaks kPlainPeaks, kAvx2Peaks, kAvx512Peaks, kAvx512Bf16Peaks;

}  // namespace hearth
