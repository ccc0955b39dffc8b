#include "arch/blocks.h"

#include <cmath>

namespace hearth {

Value attention_block(Builder& b, const Config& c, Value normed, Value residual) {
  bool windowed = c.windowed[static_cast<size_t>(b.layer())];
  const RopeConfig& rope = windowed && c.rope_local.dims > 0 ? c.rope_local : c.rope;
  auto heads = static_cast<int32_t>(c.heads), kv_heads = static_cast<int32_t>(c.kv_heads);
  auto eps = static_cast<float>(c.norm_eps);

  Value q = b.matmul(normed, "attn_q");  // side by side: they run as one
  Value k = b.matmul(normed, "attn_k");
  Value v = b.matmul(normed, "attn_v");
  q = b.norm(q, "attn_q_norm", eps, heads);
  k = b.norm(k, "attn_k_norm", eps, kv_heads);
  Value out = b.attention(b.rope(q, rope, heads), b.rope(k, rope, kv_heads), v,
                          {.heads = heads,
                           .kv_heads = kv_heads,
                           .head_dim = static_cast<int32_t>(c.head_dim),
                           .value_dim = static_cast<int32_t>(c.head_dim),
                           .scale = static_cast<float>(1.0 / std::sqrt(c.query_scalar)),
                           .softcap = static_cast<float>(c.attn_softcap),
                           .window = windowed ? static_cast<int32_t>(c.window) : 0});
  return b.matmul(out, "attn_out", residual);
}

Value gated_ffn(Builder& b, Value normed, Activation activation, Value residual) {
  Value gate = b.matmul(normed, "ffn_gate");
  Value up = b.matmul(normed, "ffn_up");
  Value inner = activation == Activation::kSilu ? b.silu_mul(gate, up) : b.gelu_mul(gate, up);
  return b.matmul(inner, "ffn_down", residual);
}

Program forward_pre_norm(const Config& c, std::span<const Weight> weights) {
  Builder b(weights);
  auto eps = static_cast<float>(c.norm_eps);
  Value x = b.embed("token_embd", static_cast<int32_t>(c.embd));
  for (int32_t layer = 0; layer < c.layers; ++layer) {
    b.set_layer(layer);
    x = attention_block(b, c, b.norm(x, "attn_norm", eps), x);
    x = gated_ffn(b, b.norm(x, "ffn_norm", eps), Activation::kSilu, x);
  }
  b.set_layer(-1);
  b.head(b.norm(x, "output_norm", eps), "output");
  return b.finish();
}

}  // namespace hearth
