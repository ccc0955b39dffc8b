#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "kernels/api.h"
#include "kernels/cpu/tables.h"
#include "kernels/ref/ref.h"

namespace hearth {
namespace {

struct Choice {
  const Kernels* kernels;
  const Peaks* peaks;
  bool (*runs)();
};

bool always() { return true; }

#ifdef HEARTH_X86
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
bool has_avx2_vnni() { return has_avx2() && __builtin_cpu_supports("avxvnni"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
// Every processor with the bfloat16 instructions has VNNI, and its file is compiled with both.
bool has_avx512_bf16() {
  return has_avx512_vnni() && __builtin_cpu_supports("avx512bf16");
}
#endif

// The best first; the oracle is never chosen, only named.
constexpr Choice kChoices[] = {
#ifdef HEARTH_X86
    {&kAvx512Bf16Kernels, &kAvx512Bf16Peaks, has_avx512_bf16},
    {&kAvx512VnniKernels, &kAvx512VnniPeaks, has_avx512_vnni},
    {&kAvx512Kernels, &kAvx512Peaks, has_avx512},
    {&kAvx2VnniKernels, &kAvx2VnniPeaks, has_avx2_vnni},
    {&kAvx2Kernels, &kAvx2Peaks, has_avx2},
#endif
    {&kPlainKernels, &kPlainPeaks, always},
    {&kRefKernels, &kPlainPeaks, always},
};

const Kernels& choose() {
  if (const char* name = std::getenv("HEARTH_CPU"); name != nullptr && *name != '\0') {
    if (const Kernels* named = find_kernels(name)) return *named;
    log(LogLevel::kWarn, "HEARTH_CPU={} is unknown or this processor cannot run it", name);
  }
  for (const Choice& choice : kChoices) {
    if (choice.runs()) return *choice.kernels;
  }
  return kPlainKernels;
}

}  // namespace

std::string_view name_of(Compute compute) {
  switch (compute) {
    case Compute::kF32: return "f32";
    case Compute::kBf16: return "bf16";
    case Compute::kInt8: return "int8";
    case Compute::kInt8x2: return "int8x2";
  }
  return "f32";
}

const Kernels& default_kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

const Peaks& peaks() {
  for (const Choice& choice : kChoices) {
    if (choice.runs()) return *choice.peaks;
  }
  return kPlainPeaks;
}

const Kernels* find_kernels(std::string_view isa) {
  for (const Choice& choice : kChoices) {
    if (choice.kernels->isa == isa) return choice.runs() ? choice.kernels : nullptr;
  }
  return nullptr;
}

}  // namespace hearth
