#define HEARTH_ISA avx512
#define HEARTH_ISA_LEVEL 2
#include "kernels/cpu/peaks-inl.h"
#include "kernels/cpu/table-inl.h"
#include "kernels/cpu/tables.h"

namespace hearth {
constinit const Kernels kAvx512Kernels = avx512::make_table("avx512", false);
constinit const Peaks kAvx512Peaks = avx512::make_peaks();
}  // namespace hearth
