#define HEARTH_ISA avx2
#define HEARTH_ISA_LEVEL 1
#include "kernels/cpu/peaks-inl.h"
#include "kernels/cpu/table-inl.h"
#include "kernels/cpu/tables.h"

namespace hearth {
constinit const Kernels kAvx2Kernels = avx2::make_table("avx2", false);
constinit const Kernels kAvx2VnniKernels =
    avx2::make_table<avx2_vnni::integer_products>("avx2_vnni", false);
constinit const Peaks kAvx2Peaks = avx2::make_peaks();
constinit const Peaks kAvx2VnniPeaks = avx2::make_peaks(avx2_vnni::integer_peak);
}  // namespace hearth
