// What this machine can do at best, measured by small loops on all members of a pool: the numbers
// that a kernel's speed is compared with. Each takes about a tenth of a second and is the best of
// several rounds; on a busy machine the answer is what was left over. 0 where the processor has no
// such unit.
#pragma once

#include "base/threads.h"

namespace hearth {

double read_gb_s(ThreadPool& pool);     // streaming read from memory, 10^9 bytes/s
double f32_tflops(ThreadPool& pool);    // two per fused multiply-add, 10^12/s
double bf16_tflops(ThreadPool& pool);   // pairs into float32 (AVX512-BF16)
double int8_tops(ThreadPool& pool);     // quadruples into int32 (AVX512-VNNI)

}  // namespace hearth
