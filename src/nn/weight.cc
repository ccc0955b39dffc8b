#include "nn/weight.h"

namespace hearth {

std::string_view name_of(Role role) {
  constexpr std::string_view kNames[] = {
      "token_embd", "output",     "output_norm", "attn_norm",   "attn_q",         "attn_k",
      "attn_v",     "attn_out",   "attn_q_norm", "attn_k_norm", "attn_post_norm", "ffn_norm",
      "ffn_gate",   "ffn_up",     "ffn_down",    "ffn_post_norm", "bias",         "rope_factors",
  };
  static_assert(std::size(kNames) == static_cast<size_t>(Role::kRopeFactors) + 1);
  return kNames[static_cast<size_t>(role)];
}

uint64_t Weight::bytes() const {
  uint64_t sum = 0;
  for (const Plane& plane : planes) sum += plane.bytes.size();
  return sum;
}

}  // namespace hearth
