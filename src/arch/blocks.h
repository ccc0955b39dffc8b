// Blocks that forward() functions compose.
#pragma once

#include "arch/config.h"
#include "nn/program.h"

namespace hearth {

// Attention of one layer over the cache: projections, optional per-head norms of queries and keys
// (slots attn_q_norm, attn_k_norm), rotation, attention, output projection. The residual is added
// to the projection where it is given.
Value attention_block(Builder& b, const Config& config, Value normed, Value residual);

// down(silu(gate x) * up x), with the residual added; gelu for Gemma.
enum class Activation { kSilu, kGeluTanh };
Value gated_ffn(Builder& b, Value normed, Activation activation, Value residual);

// The pre-norm decoder of Llama, Mistral and Qwen2.
Program forward_pre_norm(const Config& config, std::span<const Weight> weights);

}  // namespace hearth
