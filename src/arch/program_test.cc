// Buffer planning against a plain interpreter of lifetimes: no operation may find an operand
// overwritten.
#include "nn/program.h"

#include <gtest/gtest.h>

#include "arch/blocks.h"

namespace hearth {
namespace {

Weight vector_weight(std::string slot, int32_t layer, int64_t cols) {
  return {.slot = slot, .layer = layer, .rows = 1, .cols = cols};
}
Weight matrix(std::string slot, int32_t layer, int64_t rows, int64_t cols) {
  Weight w{.slot = slot, .layer = layer, .rows = rows, .cols = cols};
  w.planes = {{PlaneKind::kCodes, &k_f32, {}}};
  return w;
}

std::vector<Weight> weights_of(int layers, bool norms_after) {
  std::vector<Weight> w = {matrix("token_embd", -1, 100, 64), vector_weight("output_norm", -1, 64),
                           matrix("output", -1, 100, 64)};
  for (int i = 0; i < layers; ++i) {
    for (const char* slot : {"attn_norm", "ffn_norm"}) w.push_back(vector_weight(slot, i, 64));
    if (norms_after)
      for (const char* slot : {"attn_q_norm", "attn_k_norm"})
        w.push_back(vector_weight(slot, i, 16));
    w.push_back(matrix("attn_q", i, 64, 64));
    w.push_back(matrix("attn_k", i, 32, 64));
    w.push_back(matrix("attn_v", i, 32, 64));
    w.push_back(matrix("attn_out", i, 64, 64));
    w.push_back(matrix("ffn_gate", i, 160, 64));
    w.push_back(matrix("ffn_up", i, 160, 64));
    w.push_back(matrix("ffn_down", i, 64, 160));
  }
  return w;
}

Config config_of(int layers) {
  Config c{.vocab = 100, .context = 128, .embd = 64, .layers = layers, .ffn = 160, .heads = 4,
           .kv_heads = 2, .head_dim = 16, .norm_eps = 1e-5};
  c.rope.dims = 16;
  c.query_scalar = 16;
  c.windowed.assign(static_cast<size_t>(layers), false);
  return c;
}

// Walks the program and remembers which value each buffer holds.
void expect_operands_alive(const Program& program) {
  std::vector<int32_t> holds(program.buffer_widths.size(), -1);
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    for (Value v : {op.a, op.b, op.c})
      if (v) {
        int32_t buffer = program.buffer_of[static_cast<size_t>(v.id)];
        ASSERT_EQ(holds[static_cast<size_t>(buffer)], v.id) << "operation " << i;
      }
    if (!op.out) continue;
    int32_t buffer = program.buffer_of[static_cast<size_t>(op.out.id)];
    ASSERT_EQ(program.buffer_widths[static_cast<size_t>(buffer)],
              program.widths[static_cast<size_t>(op.out.id)]);
    // A product may not write over the vector that it still reads.
    if (op.kind == OpKind::kMatmul || op.kind == OpKind::kAttention) {
      EXPECT_NE(buffer, program.buffer_of[static_cast<size_t>(op.a.id)]);
    }
    holds[static_cast<size_t>(buffer)] = op.out.id;
  }
}

TEST(Program, BuffersNeverOverwriteALiveValue) {
  for (bool norms : {false, true}) {
    auto weights = weights_of(5, norms);
    expect_operands_alive(forward_pre_norm(config_of(5), weights));
  }
}

TEST(Program, BufferCountDoesNotGrowWithLayers) {
  auto two = weights_of(2, true), twenty = weights_of(20, true);
  EXPECT_EQ(forward_pre_norm(config_of(2), two).buffer_widths.size(),
            forward_pre_norm(config_of(20), twenty).buffer_widths.size());
}

TEST(Program, CostCountsWeightsOnceAndProductsPerRow) {
  auto weights = weights_of(3, false);
  Program program = forward_pre_norm(config_of(3), weights);
  Cost one = cost_of(program, weights, 1, 1, 0, 2), eight = cost_of(program, weights, 8, 8, 0, 2);
  double per_layer = 64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 160 * 64;
  EXPECT_DOUBLE_EQ(one.multiply_adds, 3 * per_layer + 100 * 64);
  EXPECT_DOUBLE_EQ(eight.multiply_adds, 8 * one.multiply_adds);
}

}  // namespace
}  // namespace hearth
