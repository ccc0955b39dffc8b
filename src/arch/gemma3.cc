// Gemma 3 (text): norms before and after each part, per-head norms of queries and keys, five
// windowed layers to one that sees everything, each kind with its own rotary base, embeddings
// scaled by the root of their width. Checkpoints hold norm weights less one.
#include <cmath>

#include "arch/blocks.h"
#include "arch/rows.h"

namespace hearth {
namespace {

using namespace rows;

constexpr std::string_view kGgufNames[] = {"gemma3"};
constexpr std::string_view kClasses[] = {"Gemma3ForCausalLM"};

constexpr int64_t kPattern = 6;           // layers 5, 11, ... see everything
constexpr double kLocalTheta = 10000.0;   // where the file does not say

constexpr TensorRow norm(std::string_view slot, std::string_view gguf, std::string_view hf,
                         Role role, Dim width = Dim::kEmbd) {
  return {slot, gguf, hf, Dim::kOne, width, role, Need::kRequired, Fix::kPlusOne};
}

constexpr TensorRow kTensors[] = {
    kTokenEmbd,
    norm("output_norm", "output_norm.weight", "model.norm.weight", Role::kOutputNorm),
    kOutput,
    norm("attn_norm", "blk.{}.attn_norm.weight", HEARTH_LAYER("input_layernorm.weight"),
         Role::kAttnNorm),
    attn_q(Fix::kNone),
    attn_k(Fix::kNone),
    kAttnV,
    kAttnOut,
    norm("attn_q_norm", "blk.{}.attn_q_norm.weight", HEARTH_LAYER("self_attn.q_norm.weight"),
         Role::kAttnQNorm, Dim::kHeadDim),
    norm("attn_k_norm", "blk.{}.attn_k_norm.weight", HEARTH_LAYER("self_attn.k_norm.weight"),
         Role::kAttnKNorm, Dim::kHeadDim),
    norm("attn_post_norm", "blk.{}.post_attention_norm.weight",
         HEARTH_LAYER("post_attention_layernorm.weight"), Role::kAttnPostNorm),
    norm("ffn_norm", "blk.{}.ffn_norm.weight", HEARTH_LAYER("pre_feedforward_layernorm.weight"),
         Role::kFfnNorm),
    kFfnGate,
    kFfnUp,
    kFfnDown,
    norm("ffn_post_norm", "blk.{}.post_ffw_norm.weight",
         HEARTH_LAYER("post_feedforward_layernorm.weight"), Role::kFfnPostNorm),
};

Result<void> read_checkpoint(Config& c, const Json& hf) {
  c.window = TRY(hf.get_int("sliding_window", 0));
  c.window_pattern = TRY(hf.get_int("sliding_window_pattern", kPattern));
  c.final_softcap = TRY(hf.get_double("final_logit_softcapping", 0));
  c.attn_softcap = TRY(hf.get_double("attn_logit_softcapping", 0));
  c.query_scalar = TRY(hf.get_double("query_pre_attn_scalar", static_cast<double>(c.head_dim)));
  const Json& both = hf["rope_parameters"];  // one for each kind of layer, since transformers 5
  if (both["full_attention"].is_object()) {
    c.rope = TRY(read_rope(both["full_attention"], hf, c.head_dim));
    c.rope_local = TRY(read_rope(both["sliding_attention"], hf, c.head_dim));
  } else {
    c.rope_local = TRY(plain_rope("rope_local_base_freq",
                                  TRY(hf.get_double("rope_local_base_freq", kLocalTheta)),
                                  c.head_dim));
  }
  return {};
}

Result<void> read_gguf(Config& c, const Metadata& gguf) {
  c.window = static_cast<int64_t>(TRY(gguf.uint("gemma3.attention.sliding_window", 0)));
  c.window_pattern = kPattern;
  c.final_softcap = TRY(gguf.number("gemma3.final_logit_softcapping", 0));
  constexpr std::string_view kLocalKey = "gemma3.rope.freq_base_swa";
  c.rope_local = TRY(plain_rope(kLocalKey, TRY(gguf.number(kLocalKey, kLocalTheta)), c.head_dim));
  // Files do not say it; only the 27B model (62 layers) differs from the width of a head.
  c.query_scalar = c.layers == 62 ? static_cast<double>(c.embd) / static_cast<double>(c.heads)
                                  : static_cast<double>(c.head_dim);
  return {};
}

Result<void> complete(Config& c, const Json* hf, const Metadata* gguf) {
  if (hf != nullptr) TRY(read_checkpoint(c, *hf));
  if (gguf != nullptr) TRY(read_gguf(c, *gguf));
  if (c.window_pattern < 1 || c.window_pattern > 1024)
    return fail(Code::kCorrupt, "sliding_window_pattern is {}, which must be from 1 to 1024",
                c.window_pattern);
  c.embd_scale = std::sqrt(static_cast<float>(c.embd));
  c.windowed.assign(static_cast<size_t>(c.layers), false);
  const Json* types = hf != nullptr ? hf->find("layer_types") : nullptr;
  for (size_t i = 0; i < c.windowed.size(); ++i) {
    bool local = (static_cast<int64_t>(i) + 1) % c.window_pattern != 0;
    if (types != nullptr && types->is_array() && i < types->as_array().size())
      local = types->as_array()[i] == Json("sliding_attention");
    c.windowed[i] = local && c.window > 0;
  }
  return {};
}

Program forward(const Config& c, std::span<const Weight> weights) {
  Builder b(weights);
  auto eps = static_cast<float>(c.norm_eps);
  Value x = b.scale(b.embed("token_embd", static_cast<int32_t>(c.embd)),
                    static_cast<float>(c.embd_scale));
  for (int32_t layer = 0; layer < c.layers; ++layer) {
    b.set_layer(layer);
    Value attended = attention_block(b, c, b.norm(x, "attn_norm", eps), {});
    x = b.add(x, b.norm(attended, "attn_post_norm", eps));
    Value fed = gated_ffn(b, b.norm(x, "ffn_norm", eps), Activation::kGeluTanh, {});
    x = b.add(x, b.norm(fed, "ffn_post_norm", eps));
  }
  b.set_layer(-1);
  b.head(b.norm(x, "output_norm", eps), "output", static_cast<float>(c.final_softcap));
  return b.finish();
}

}  // namespace

extern const Arch k_arch_gemma3 = {
    .name = "gemma3",
    .gguf_names = kGgufNames,
    .hf_classes = kClasses,
    .hypers = kCommonHypers,
    .tensors = kTensors,
    .gguf_rope_interleaved = false,
    .complete = complete,
    .forward = forward,
};

}  // namespace hearth
