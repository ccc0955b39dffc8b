// Llama 1-3 (and SmolLM, TinyLlama, and others that keep its shape): pre-norm, rotary positions,
// grouped queries, SwiGLU. GGUF files hold the rows of q and k with rotary pairs side by side.
#include "arch/blocks.h"
#include "arch/rows.h"

namespace hearth {
namespace {

using namespace rows;

constexpr std::string_view kGgufNames[] = {"llama"};
constexpr std::string_view kClasses[] = {"LlamaForCausalLM"};

constexpr TensorRow kTensors[] = {
    kTokenEmbd,
    kOutputNorm,
    kOutput,
    {"rope_factors", "rope_freqs.weight", "", Dim::kOne, Dim::kRopePairs, Role::kRopeFactors,
     Need::kOptional},
    kAttnNorm,
    attn_q(Fix::kRopeRows),
    attn_k(Fix::kRopeRows),
    kAttnV,
    kAttnOut,
    attn_q_bias(Need::kOptional, Fix::kRopeRows),
    attn_k_bias(Need::kOptional, Fix::kRopeRows),
    attn_v_bias(Need::kOptional),
    bias("attn_out_bias", "blk.{}.attn_output.bias", HEARTH_LAYER("self_attn.o_proj.bias"),
         Dim::kEmbd, Need::kOptional),
    {"ffn_norm", "blk.{}.ffn_norm.weight", HEARTH_LAYER("post_attention_layernorm.weight"),
     Dim::kOne, Dim::kEmbd, Role::kFfnNorm},
    kFfnGate,
    kFfnUp,
    kFfnDown,
    bias("ffn_gate_bias", "blk.{}.ffn_gate.bias", HEARTH_LAYER("mlp.gate_proj.bias"), Dim::kFfn,
         Need::kOptional),
    bias("ffn_up_bias", "blk.{}.ffn_up.bias", HEARTH_LAYER("mlp.up_proj.bias"), Dim::kFfn,
         Need::kOptional),
    bias("ffn_down_bias", "blk.{}.ffn_down.bias", HEARTH_LAYER("mlp.down_proj.bias"), Dim::kEmbd,
         Need::kOptional),
};

// A GGUF file of a Mistral with a window says "llama" with the key attention.sliding_window.
Result<void> complete(Config& c, const Json*, const Metadata* gguf) {
  if (gguf != nullptr)
    c.window = static_cast<int64_t>(TRY(gguf->uint("llama.attention.sliding_window", 0)));
  c.windowed.assign(static_cast<size_t>(c.layers), c.window > 0);
  return {};
}

}  // namespace

extern const Arch k_arch_llama = {
    .name = "llama",
    .gguf_names = kGgufNames,
    .hf_classes = kClasses,
    .hypers = kCommonHypers,
    .tensors = kTensors,
    .gguf_rope_interleaved = true,
    .complete = complete,
    .forward = forward_pre_norm,
};

}  // namespace hearth
