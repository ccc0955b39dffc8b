#define HEARTH_ISA avx512_vnni
#define HEARTH_ISA_LEVEL 2
#include "kernels/cpu/int8_matmul-inl.h"
#include "kernels/cpu/peaks-inl.h"
#include "kernels/cpu/tables.h"

namespace hearth::avx512_vnni {
static_assert(kDotIsWide, "compiled without the instructions");
void integer_products(const MatmulArgs& args) { matmul_int8(args); }
int64_t integer_peak(int64_t steps) { return peak_int8(steps); }
}  // namespace hearth::avx512_vnni
