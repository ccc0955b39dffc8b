// Rows that most decoder architectures share; each builds its tables from these.
#pragma once

#include "arch/arch.h"

namespace hearth::rows {

#define HEARTH_LAYER(part) "model.layers.{}." part

inline constexpr HyperRow kCommonHypers[] = {
    {&Config::context, "context_length", "max_position_embeddings", true, 0, 1, 1e9},
    {&Config::embd, "embedding_length", "hidden_size", true, 0, 1, 65536},
    {&Config::layers, "block_count", "num_hidden_layers", true, 0, 1, 1024},
    {&Config::ffn, "feed_forward_length", "intermediate_size", true, 0, 1, 1 << 20},
    {&Config::heads, "attention.head_count", "num_attention_heads", true, 0, 1, 1024},
    {&Config::kv_heads, "attention.head_count_kv", "num_key_value_heads", false, 0, 1, 1024},
    {&Config::head_dim, "attention.key_length", "head_dim", false, 0, 1, 4096},
    {&Config::norm_eps, "attention.layer_norm_rms_epsilon", "rms_norm_eps", true, 0, 0, 1},
};

inline constexpr TensorRow kTokenEmbd = {"token_embd", "token_embd.weight",
                                         "model.embed_tokens.weight", Dim::kVocab, Dim::kEmbd,
                                         Role::kTokenEmbd};
inline constexpr TensorRow kOutputNorm = {"output_norm", "output_norm.weight", "model.norm.weight",
                                          Dim::kOne, Dim::kEmbd, Role::kOutputNorm};
inline constexpr TensorRow kOutput = {"output", "output.weight", "lm_head.weight", Dim::kVocab,
                                      Dim::kEmbd, Role::kOutput, Need::kTied};
inline constexpr TensorRow kAttnNorm = {"attn_norm", "blk.{}.attn_norm.weight",
                                        HEARTH_LAYER("input_layernorm.weight"), Dim::kOne,
                                        Dim::kEmbd, Role::kAttnNorm};
inline constexpr TensorRow kFfnGate = {"ffn_gate", "blk.{}.ffn_gate.weight",
                                       HEARTH_LAYER("mlp.gate_proj.weight"), Dim::kFfn,
                                       Dim::kEmbd, Role::kFfnGate};
inline constexpr TensorRow kFfnUp = {"ffn_up", "blk.{}.ffn_up.weight",
                                     HEARTH_LAYER("mlp.up_proj.weight"), Dim::kFfn, Dim::kEmbd,
                                     Role::kFfnUp};
inline constexpr TensorRow kFfnDown = {"ffn_down", "blk.{}.ffn_down.weight",
                                       HEARTH_LAYER("mlp.down_proj.weight"), Dim::kEmbd, Dim::kFfn,
                                       Role::kFfnDown};

// Weights and optional biases of the four projections of attention; `fix` is that of q and k.
constexpr TensorRow attn_q(Fix fix) {
  return {"attn_q", "blk.{}.attn_q.weight", HEARTH_LAYER("self_attn.q_proj.weight"),
          Dim::kQ, Dim::kEmbd, Role::kAttnQ, Need::kRequired, fix};
}
constexpr TensorRow attn_k(Fix fix) {
  return {"attn_k", "blk.{}.attn_k.weight", HEARTH_LAYER("self_attn.k_proj.weight"),
          Dim::kKv, Dim::kEmbd, Role::kAttnK, Need::kRequired, fix};
}
inline constexpr TensorRow kAttnV = {"attn_v", "blk.{}.attn_v.weight",
                                     HEARTH_LAYER("self_attn.v_proj.weight"), Dim::kKv, Dim::kEmbd,
                                     Role::kAttnV};
inline constexpr TensorRow kAttnOut = {"attn_out", "blk.{}.attn_output.weight",
                                       HEARTH_LAYER("self_attn.o_proj.weight"), Dim::kEmbd,
                                       Dim::kQ, Role::kAttnOut};
constexpr TensorRow bias(std::string_view slot, std::string_view gguf, std::string_view hf,
                         Dim width, Need need, Fix fix = Fix::kNone) {
  return {slot, gguf, hf, Dim::kOne, width, Role::kBias, need, fix};
}
constexpr TensorRow attn_q_bias(Need need, Fix fix) {
  return bias("attn_q_bias", "blk.{}.attn_q.bias", HEARTH_LAYER("self_attn.q_proj.bias"), Dim::kQ,
              need, fix);
}
constexpr TensorRow attn_k_bias(Need need, Fix fix) {
  return bias("attn_k_bias", "blk.{}.attn_k.bias", HEARTH_LAYER("self_attn.k_proj.bias"),
              Dim::kKv, need, fix);
}
constexpr TensorRow attn_v_bias(Need need) {
  return bias("attn_v_bias", "blk.{}.attn_v.bias", HEARTH_LAYER("self_attn.v_proj.bias"),
              Dim::kKv, need);
}

}  // namespace hearth::rows
