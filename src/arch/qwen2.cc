// Qwen2 and Qwen2.5: Llama with biases on q, k and v, and rotary halves in GGUF files too.
#include "arch/blocks.h"
#include "arch/rows.h"

namespace hearth {
namespace {

using namespace rows;

constexpr std::string_view kGgufNames[] = {"qwen2"};
constexpr std::string_view kClasses[] = {"Qwen2ForCausalLM"};

constexpr TensorRow kTensors[] = {
    kTokenEmbd,
    kOutputNorm,
    kOutput,
    kAttnNorm,
    attn_q(Fix::kNone),
    attn_k(Fix::kNone),
    kAttnV,
    kAttnOut,
    attn_q_bias(Need::kRequired, Fix::kNone),
    attn_k_bias(Need::kRequired, Fix::kNone),
    attn_v_bias(Need::kRequired),
    {"ffn_norm", "blk.{}.ffn_norm.weight", HEARTH_LAYER("post_attention_layernorm.weight"),
     Dim::kOne, Dim::kEmbd, Role::kFfnNorm},
    kFfnGate,
    kFfnUp,
    kFfnDown,
};

Result<void> complete(Config& c, const Json* hf, const Metadata*) {
  if (hf != nullptr && TRY(hf->get_bool("use_sliding_window", false)))
    return fail(Code::kUnsupported, "this Qwen2 checkpoint uses its sliding window in some "
                                    "layers, which Hearth does not run yet");
  c.windowed.assign(static_cast<size_t>(c.layers), false);
  return {};
}

}  // namespace

extern const Arch k_arch_qwen2 = {
    .name = "qwen2",
    .gguf_names = kGgufNames,
    .hf_classes = kClasses,
    .hypers = kCommonHypers,
    .tensors = kTensors,
    .gguf_rope_interleaved = false,
    .complete = complete,
    .forward = forward_pre_norm,
};

}  // namespace hearth
