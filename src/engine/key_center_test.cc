// The common part of keys: only models with biases on them have one, and only what it is made of.
#include "engine/key_center.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/model.h"

namespace hearth {
namespace {

const Op& first_attention(const Model& model) {
  for (const Op& op : model.program.ops)
    if (op.kind == OpKind::kAttention) return op;
  ADD_FAILURE() << "no attention";
  return model.program.ops.front();
}

TEST(KeyCenter, OfBiasesAlone) {
  for (const char* name : {"llama", "gemma3", "qwen2"}) {
    auto model = *Model::load(std::string(HEARTH_TEST_DATA "/models/") + name);
    const auto center = key_center(model->program, model->weights, first_attention(*model));
    EXPECT_EQ(center.empty(), std::string(name) != "qwen2") << name;
  }
}

// Slow rotations leave a bias where it is, and fast ones turn it away from itself.
TEST(KeyCenter, IsTheMeanOfTheRotatedBias) {
  auto model = *Model::load(HEARTH_TEST_DATA "/models/qwen2");
  Program program = model->program;
  const Op& op = first_attention(*model);
  const auto length = [&](double theta) {
    for (RopeConfig& rope : program.ropes) rope.theta = theta;
    double sum = 0;
    for (float x : key_center(program, model->weights, op)) sum += double{x} * x;
    return std::sqrt(sum);
  };
  double bias = 0;
  for (const Weight& w : model->weights) {
    if (w.slot != "attn_k_bias" || w.layer != op.layer) continue;
    for (int64_t i = 0; i < w.rows * w.cols; ++i)
      bias += std::pow(double{reinterpret_cast<const float*>(w.data())[i]}, 2);
  }
  ASSERT_GT(bias, 0);
  EXPECT_GT(length(1e30), 0.3 * std::sqrt(bias));  // all but the first pair of a head stand still
  EXPECT_LT(length(1.0), 0.3 * std::sqrt(bias));   // all turn
}

}  // namespace
}  // namespace hearth
