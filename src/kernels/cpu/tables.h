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

extern const Kernels kPlainKernels, kAvx2Kernels, kAvx2VnniKernels, kAvx512Kernels,
    kAvx512VnniKernels, kAvx512Bf16Kernels;
extern const Peaks kPlainPeaks, kAvx2Peaks, kAvx2VnniPeaks, kAvx512Peaks, kAvx512VnniPeaks,
    kAvx512Bf16Peaks;

// The parts of kAvx2VnniKernels and kAvx512VnniKernels that use those instructions; the rest of
// these tables is that of kAvx2Kernels and kAvx512Kernels.
namespace avx2_vnni {
void integer_products(const MatmulArgs& args);
int64_t integer_peak(int64_t steps);
}  // namespace avx2_vnni
namespace avx512_vnni {
void integer_products(const MatmulArgs& args);
int64_t integer_peak(int64_t steps);
}  // namespace avx512_vnni

}  // namespace hearth
