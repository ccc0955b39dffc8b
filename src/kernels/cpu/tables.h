// The tables of the processor's instruction sets. Only dispatch.cc names them: to call one on a
// processor without its instructions is a crash. The last three are built for x86 only.
#pragma once

#include "kernels/api.h"

namespace hearth {

extern const Kernels kPlainKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512Bf16Kernels;

}  // namespace hearth
