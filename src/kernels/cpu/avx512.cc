#define HEARTH_ISA avx512
#define HEARTH_ISA_LEVEL 2
#include "kernels/cpu/peaks-inl.h"
#include "kernels/cpu/table-inl.h"
#include "kernels/cpu/tables.h"

namespace hearth {
constinit const Kernels kAvx512Kernels = avx512::make_table("avx512", false);
constinit const Kernels kAvx512VnniKernels =
    avx512::make_table<avx512_vnni::integer_products>("avx512_vnni", false);
constinit const Peaks kAvx512Peaks = avx512::make_peaks();
constinit const Peaks kAvx512VnniPeaks = avx512::make_peaks(avx512_vnni::integer_peak);
}  // namespace hearth
