#define HEARTH_ISA plain
#define HEARTH_ISA_LEVEL 0
#include "kernels/cpu/peaks-inl.h"
#include "kernels/cpu/table-inl.h"
#include "kernels/cpu/tables.h"

namespace hearth {
constinit const Kernels kPlainKernels = plain::make_table("plain", false);
constinit const Peaks kPlainPeaks = plain::make_peaks();
}  // namespace hearth
