// The tables of the processor's instruction sets. Only dispatch.cc names them: to call one on a
// processor without its instructions is a crash. HEARTH_X86 is set by CMake where the last three
// are built.
#pragma once

#include "kernels/api.h"

namespace hearth {

extern const Kernels kPlainKernels;
#ifdef HEARTH_X86
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512Bf16Kernels;
#endif

}  // namespace hearth
