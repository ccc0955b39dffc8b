#define HEARTH_ISA avx2
#define HEARTH_ISA_LEVEL 1
#include "kernels/cpu/table-inl.h"
#include "kernels/cpu/tables.h"

namespace hearth {
constinit const Kernels kAvx2Kernels = avx2::make_table("avx2", false);
}  // namespace hearth
