#define HEARTH_ISA avx512_bf16
#define HEARTH_ISA_LEVEL 3
#include "kernels/cpu/peaks-inl.h"
#include "kernels/cpu/table-inl.h"
#include "kernels/cpu/tables.h"

namespace hearth {
constinit const Kernels kAvx512Bf16Kernels = avx512_bf16::make_table("avx512_bf16", true);
constinit const Peaks kAvx512Bf16Peaks = avx512_bf16::make_peaks();
}  // namespace hearth
