// The table of one instruction set, and the loops that measure its limits: included by plain.cc,
// avx2.cc, avx512.cc and avx512_bf16.cc, and by nothing else.
#pragma once

#include "kernels/api.h"
#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/int8_matmul-inl.h"
#include "kernels/cpu/pack-inl.h"

namespace hearth::HEARTH_ISA {

// The integer products may come from a file compiled with more instructions.
template <void (*kIntegers)(const MatmulArgs&)>
void matmul(const MatmulArgs& a) {
  switch (a.compute) {
    case Compute::kF32: return matmul_dot<DotF32>(a);
    case Compute::kBf16: return matmul_dot<DotBf16>(a);
    case Compute::kInt8: case Compute::kInt8x2: return kIntegers(a);
  }
}

template <void (*kIntegers)(const MatmulArgs&) = matmul_int8>
constexpr Kernels make_table(std::string_view isa, bool has_bf16) {
  return {
      .isa = isa,
      .has_bf16 = has_bf16,
      .matmul = matmul<kIntegers>,
      .attention = attention,
      .decode_row = decode_row,
      .rms_norm = rms_norm,
      .rope = rope,
      .silu_mul = silu_mul,
      .gelu_tanh_mul = gelu_tanh_mul,
      .mix = mix,
      .add = add_rows,
      .scale = scale_row,
      .softcap = softcap_row,
      .has_integers = has_integers,
      .pack = pack,
      .to_bf16 = to_bf16_row,
      .to_f16 = to_f16_row,
      .all_finite = all_finite,
      .log_sum_exp = log_sum_exp,
  };
}

}  // namespace hearth::HEARTH_ISA
